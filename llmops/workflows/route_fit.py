"""`llmops route fit`: learn a router from recorded requests and write it into the project."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.domain.errors import UsageError
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.words import many
from llmops.routing.artefacts import SavedRouter, card_of, save_router
from llmops.routing.learning import chosen_settings, cross_predicted, fit, folds_of, parted
from llmops.routing.metrics import apgr, curve
from llmops.routing.records import Records, ends_of
from llmops.workflows.route import Parts, Question, features_of, priced

if TYPE_CHECKING:
    from llmops.routing.replaying import Rows
    from llmops.statistics.series import Floats

MIN_REQUESTS = 50
WEIGHTS = 60
"""Cost weights that are tried."""


def fit_router(records: Records, source: str, question: Question, parts: Parts, progress: Progress) -> SavedRouter:
    """Learn to predict each model's quality, and choose the weight of cost that keeps what is asked.

    Args:
        records: requests that every model answered.
        source: where they come from, for the card.
        question: the ends, the quality to keep, prices, and the embedder.
        parts: of the project.
        progress: told what happens.

    Raises:
        UsageError: too few requests, requests of too few groups, or a model whose cost is not known.
    """
    import numpy as np

    records = priced(records, question.prices or {})
    _check(records)
    costs = 1000 * records.cost.mean(axis=0)
    fold = folds_of(records.groups)
    weak, strong = ends_of(records, question.weak, question.strong)
    embedder = question.embedder or "minilm"
    features = features_of(records.prompts, parts, embedder, progress)
    settings = chosen_settings(features, records.quality, fold)
    predicted = cross_predicted(features, records.quality, fold, settings)
    least = Least(question.keep, strong)
    weight = _weight(predicted, records.quality, costs, least)
    served = cross_served(predicted, records.quality, costs, least, fold)
    rows = np.arange(len(served))
    gain = predicted[:, strong] - predicted[:, weak]
    low, high = ((records.quality[:, end], records.cost[:, end]) for end in (weak, strong))
    quality = float(records.quality[rows, served].mean())
    figures = {
        "requests": len(records),
        **({"requests left out, which not every model answered": records.left_out} if records.left_out else {}),
        "quality": quality,
        f"share of the quality of {records.models[strong]}": quality / max(1e-12, float(records.quality[:, strong].mean())),
        "USD per 1,000 requests": float(1000 * records.cost[rows, served].mean()),
        "APGR": apgr(curve(gain, low, high)),
        **{f"share of {name}": float((served == column).mean()) for column, name in enumerate(records.models)},
        **{f"quality of {name} alone": float(records.quality[:, column].mean()) for column, name in enumerate(records.models)},
        **{f"failed answers of {name} at its mean cost": count for name, count in records.assumed.items()},
        "source": source,
    }
    learned = fit(features, records.quality, settings)
    asked = {
        name: _without(facts, "price") if name in (question.prices or {}) else facts for name, facts in records.asked.items()
    }
    tail = (weight, records.models[strong], embedder, figures, asked)
    return SavedRouter(learned, records.models, tuple(map(float, costs)), *tail)


def _without(facts: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != key}


def _check(records: Records) -> None:
    """Refuse what cannot be learned from; raises as `fit_router`."""
    import numpy as np

    if len(records) < MIN_REQUESTS:
        found = f"{len(records)} requests are too few to learn from."
        raise UsageError(found, hint=f"Record {MIN_REQUESTS} at least; several hundred are better.")
    for name, cost in zip(records.models, records.cost.mean(axis=0), strict=True):
        if not np.isfinite(cost):
            raise UsageError(f"The cost of {name} is not known.", hint=f"Give it: --price {name}=USD-per-1000-requests")
    if not parted(folds_of(records.groups)):
        groups = many(len(set(records.groups)), "group")
        found = f"The requests are of {groups}, too few to learn from one and judge on another."
        raise UsageError(found, hint="A `group` is never split: give each user or document its own, or leave it out.")


@record
class Least:
    """What quality is good enough."""

    keep: float
    """Share of the strong model's."""
    strong: int
    """Column of that model."""


def cross_served(predicted: "Floats", quality: "Floats", costs: "Floats", least: Least, fold: "Floats") -> "Rows":
    """Column of the model that serves each request, by a weight of cost that is chosen on the other folds.

    The weight in force is chosen by all qualities, and would look better on them than it is.

    Args:
        predicted: quality of each model's answer, shape (requests, models).
        quality: as it was, shape (requests, models).
        costs: of each model, shape (models,).
        least: what is good enough.
        fold: of each request, shape (requests,).
    """
    import numpy as np

    served = np.zeros(len(fold), int)
    for held in np.unique(fold):
        inside = fold == held
        weight = _weight(predicted[~inside], quality[~inside], costs, least)
        served[inside] = (predicted[inside] - weight * costs).argmax(axis=1)
    return served


def _weight(predicted: "Floats", quality: "Floats", costs: "Floats", least: Least) -> float:
    """The largest weight of cost with which the served answers are still good enough; 0 when none is."""
    import numpy as np

    spread = float(costs.max() - costs.min())
    if spread <= 0:
        return 0.0
    rows, enough = np.arange(len(quality)), least.keep * float(quality[:, least.strong].mean())
    kept = [
        float(weight)
        for weight in np.concatenate([[0.0], np.geomspace(0.002, 2.0, WEIGHTS)]) / spread
        if quality[rows, (predicted - weight * costs).argmax(axis=1)].mean() >= enough
    ]
    return max(kept, default=0.0)


def write_router(folder: Path, saved: SavedRouter, fitted_on: Sequence[str]) -> None:
    """Write a router with its card.

    Raises:
        UsageError: the folder cannot be written.
    """
    try:
        save_router(folder, saved, card_of(saved, fitted_on))
    except OSError as error:
        raise UsageError(f"{str(folder)!r} cannot be written: {error.strerror}.") from error
