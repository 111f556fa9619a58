"""Learns how good each model's answer to a prompt will be: logistic regression, nearest neighbours, or their mean."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from llmops.domain.keys import content_hash
from llmops.domain.records import record

if TYPE_CHECKING:
    from numpy import bool_, float32
    from numpy.typing import NDArray

    from llmops.statistics.series import Floats

    Flags = NDArray[bool_]

FOLDS = 5
CHOOSE_ON = 4000
"""Requests that settings are chosen on, at most: their order hardly changes with more."""
PENALTIES = (30.0, 100.0, 300.0)
NEIGHBOURS = (30, 60)
SHARPNESS = 10.0
"""Weight of a neighbour is exp(SHARPNESS x cosine)."""
EMBEDDING_SCALE = 8.0
"""Unit vectors are stretched so that one penalty suits them and the standardised shape features."""
AT_ONCE = 512
"""Prompts whose cosines with all training prompts are held in memory together."""
UNFAMILIAR = 0.02
"""Share of the training prompts whose nearest neighbour is further away than that of a prompt called unfamiliar."""

Variant = Literal["logistic", "knn", "blend"]


@record
class Features:
    """Prompts as numbers."""

    vectors: "Floats"
    """Unit embeddings, shape (prompts, dimensions)."""
    shapes: "Floats"
    """As `features.shape`, shape (prompts, features)."""

    def take(self, rows: Any) -> "Features":  # noqa: ANN401 -- an index array
        """Some of the prompts."""
        return Features(self.vectors[rows], self.shapes[rows])


@record
class Settings:
    """How a router is learned."""

    variant: Variant
    penalty: float = PENALTIES[1]
    neighbours: int = NEIGHBOURS[0]


@record
class LearnedRouter:
    """A fitted router."""

    settings: Settings
    weights: "Floats"
    """Logistic weights, shape (1 + shapes + dimensions, models)."""
    centre: "Floats"
    scale: "Floats"
    """Of the shape features."""
    vectors: "NDArray[float32]"
    """Training embeddings for the neighbours in single precision, shape (prompts, dimensions)."""
    quality: "Floats"
    """What the models' answers to them were worth, shape (prompts, models)."""
    familiar: float
    """A prompt whose nearest neighbour has a lower cosine is unlike everything that was learned from."""

    def predict(self, features: Features) -> "Floats":
        """The expected quality of each model's answer, 0 to 1, shape (prompts, models)."""
        import numpy as np

        parts = [features.take(slice(start, start + AT_ONCE)) for start in range(0, len(features.vectors), AT_ONCE)]
        alone = self.settings.variant == "logistic"
        return np.concatenate([self._quality(part, None if alone else self._similar(part)) for part in parts])

    def judge(self, features: Features) -> tuple["Floats", "Flags"]:
        """As `predict`, and which of the prompts are unlike everything that was learned from, shape (prompts,)."""
        similar = self._similar(features)
        return self._quality(features, similar), similar.max(axis=1) < self.familiar

    def _similar(self, features: Features) -> "Floats":
        """Cosines with the training prompts, shape (prompts, training prompts)."""
        similar: Floats = features.vectors.astype(self.vectors.dtype, copy=False) @ self.vectors.T  # type: ignore[assignment]
        return similar

    def _quality(self, features: Features, similar: "Floats | None") -> "Floats":
        import numpy as np

        parts = []
        if self.settings.variant != "knn":
            parts.append(_logistic(_design(features, self.centre, self.scale) @ self.weights))
        if similar is not None and self.settings.variant != "logistic":
            parts.append(self._nearest(similar))
        mean: Floats = np.clip(sum(parts[1:], parts[0]) / len(parts), 0.0, 1.0)
        return mean

    def _nearest(self, similar: "Floats") -> "Floats":
        import numpy as np

        k = min(self.settings.neighbours, len(self.vectors))
        near = np.argpartition(similar, -k, axis=1)[:, -k:]
        close = np.take_along_axis(similar, near, axis=1).astype(float)
        weight = np.exp(SHARPNESS * (close - close.max(axis=1, keepdims=True)))
        found: Floats = (weight[:, :, None] * self.quality[near]).sum(axis=1) / weight.sum(axis=1, keepdims=True)
        return found


def fit(features: Features, quality: "Floats", settings: Settings) -> LearnedRouter:
    """Fit one router.

    Args:
        features: of the training prompts.
        quality: of each model's answer, 0 to 1, shape (prompts, models).
        settings: variant, penalty and neighbours.
    """
    import numpy as np

    centre, scale = features.shapes.mean(axis=0), features.shapes.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = _design(features, centre, scale)
    weights = np.zeros((design.shape[1], quality.shape[1]))
    if settings.variant != "knn":
        weights = _regression(design, quality, settings.penalty)
    vectors = features.vectors.astype(np.float32)
    return LearnedRouter(settings, weights, centre, scale, vectors, quality, _familiarity(vectors))


def _design(features: Features, centre: "Floats", scale: "Floats") -> "Floats":
    import numpy as np

    shapes = (features.shapes - centre) / scale
    return np.hstack([np.ones((len(shapes), 1)), shapes, EMBEDDING_SCALE * features.vectors])


def _logistic(z: "Floats") -> "Floats":
    from scipy.special import expit

    return expit(z)  # type: ignore[no-any-return]


def _regression(design: "Floats", quality: "Floats", penalty: float) -> "Floats":
    """L2-penalised logistic regression on fractional outcomes, all models at once; the intercept is free."""
    import numpy as np
    from scipy.optimize import minimize

    shape = (design.shape[1], quality.shape[1])

    def loss(flat: "Floats") -> tuple[float, "Floats"]:
        weights = flat.reshape(shape)
        z = design @ weights
        value = (np.logaddexp(0, z) - quality * z).sum() + penalty / 2 * (weights[1:] ** 2).sum()
        gradient = design.T @ (_logistic(z) - quality)
        gradient[1:] += penalty * weights[1:]
        return float(value), gradient.ravel()

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 150})
    return np.asarray(found.x).reshape(shape)


def _familiarity(vectors: "NDArray[float32]") -> float:
    """The cosine with the nearest other prompt that all but a few training prompts reach."""
    import numpy as np

    some = np.random.default_rng(0).permutation(len(vectors))[:500]
    similar = vectors[some] @ vectors.T
    similar[np.arange(len(some)), some] = -1.0
    return float(np.quantile(similar.max(axis=1), UNFAMILIAR)) if len(vectors) > 1 else -1.0


def folds_of(groups: Sequence[str]) -> "Floats":
    """The fold of each request; a group is never split. Depends on the groups' names alone."""
    import numpy as np

    return np.array([int(content_hash(f"fold\x00{group}"), 16) % FOLDS for group in groups])


def parted(fold: "Floats") -> bool:
    """There are requests to learn from for each that is judged: they are of two folds or more."""
    return len(set(fold.tolist())) > 1


def cross_predicted(features: Features, quality: "Floats", fold: "Floats", settings: Settings) -> "Floats":
    """Expected qualities of each request from routers that never saw its fold, shape (requests, models).

    Raises:
        ValueError: the requests are not `parted`.
    """
    import numpy as np

    if not parted(fold):
        raise ValueError("all requests are in one fold, and none is left to learn from")
    found = np.zeros_like(quality)
    for held in np.unique(fold):
        inside = fold == held
        found[inside] = fit(features.take(~inside), quality[~inside], settings).predict(features.take(inside))
    return found


def chosen_settings(features: Features, quality: "Floats", fold: "Floats") -> Settings:
    """The variant with the least squared error in cross-validation; logistic where the requests are not `parted`."""
    import numpy as np

    some = np.random.default_rng(0).permutation(len(quality))[:CHOOSE_ON]
    features, quality, fold = features.take(some), quality[some], fold[some]
    if not parted(fold):
        return Settings("logistic")

    def error(settings: Settings) -> float:
        return float(((cross_predicted(features, quality, fold, settings) - quality) ** 2).mean())

    least: Callable[[Sequence[Settings]], Settings] = lambda candidates: min(candidates, key=error)  # noqa: E731
    logistic = least([Settings("logistic", penalty=penalty) for penalty in PENALTIES])
    knn = least([Settings("knn", neighbours=k) for k in NEIGHBOURS])
    return least([logistic, knn, Settings("blend", logistic.penalty, knn.neighbours)])
