"""A fitted router on disk: arrays without pickle, a JSON file with their hash, and a card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.records import record
from llmops.routing.features import NAMES, shape
from llmops.routing.learning import Features, LearnedRouter, Settings
from llmops.settings.files import shown, write_atomic

if TYPE_CHECKING:
    from llmops.statistics.series import Floats

FORMAT = 1
ARRAYS = "arrays.npz"
MANIFEST = "router.json"
CARD = "README.md"
AGAIN = "Fit one: llmops route fit"
STORED = ("weights", "centre", "scale", "vectors", "quality")


@record
class SavedRouter:
    """A learned router with what a decision needs besides."""

    router: LearnedRouter
    models: tuple[str, ...]
    costs: tuple[float, ...]
    """USD per 1,000 requests of each model, as recorded."""
    cost_weight: float
    """Quality that 1 USD per 1,000 requests is worth."""
    strong: str
    embedder: str
    """Kind of embedder that the vectors were made with."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What it was fitted on and how it did, for the card."""
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model: what gave the answers that it was fitted on, as `Records.asked`."""

    def expected(self, prompt: str, vector: "Floats") -> tuple[list[float], bool]:
        """The expected quality of each model's answer, and whether the prompt is unlike all that was learned from.

        Args:
            prompt: the question.
            vector: its unit embedding, shape (dimensions,).
        """
        import numpy as np

        features = Features(np.asarray(vector, float)[None, :], np.array([shape(prompt)]))
        quality, unfamiliar = self.router.judge(features)
        return [float(each) for each in quality[0]], bool(unfamiliar[0])


def save_router(folder: Path, saved: SavedRouter, card: str) -> None:
    """Write a router into a folder; the manifest comes last, so that a folder with one is whole.

    Raises:
        OSError: the folder cannot be written.
    """
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, **{name: getattr(saved.router, name).astype(np.float32) for name in STORED})
    arrays = buffer.getvalue()
    head = {
        "format": FORMAT,
        "models": list(saved.models),
        "costs": list(saved.costs),
        "cost_weight": saved.cost_weight,
        "strong": saved.strong,
        "embedder": saved.embedder,
        "settings": asdict(saved.router.settings),
        "familiar": saved.router.familiar,
        "shapes": list(NAMES),
        "figures": dict(saved.figures),
        "asked": dict(saved.asked),
        "sha256": sha256(arrays).hexdigest(),
    }
    write_atomic(folder / ARRAYS, arrays)
    write_atomic(folder / CARD, card)
    write_atomic(folder / MANIFEST, json.dumps(head, indent=1) + "\n")


def router_identity(folder: Path) -> str:
    """Hash of a router's manifest, which holds the hash of its arrays; empty when there is none."""
    path = folder / MANIFEST
    return sha256(path.read_bytes()).hexdigest()[:32] if path.is_file() else ""


def load_manifest(folder: Path, root: Path) -> dict[str, Any]:
    """What a router's manifest says; its arrays are not read.

    Raises:
        InvalidFiles: there is none, or it was written by another llmops.
    """
    file = shown(folder / MANIFEST, root)
    try:
        head = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidFiles([Problem(file, "there is no fitted router.", hint=AGAIN)]) from None
    except (OSError, ValueError) as error:
        raise InvalidFiles([Problem(file, f"cannot be read: {error}.", hint=AGAIN)]) from None
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("shapes") != list(NAMES):
        raise InvalidFiles([Problem(file, "was written by another version of llmops.", hint=AGAIN)])
    return head


def load_router(folder: Path, root: Path) -> SavedRouter:
    """Read a router.

    Raises:
        InvalidFiles: there is none, it was changed, or it was written by another llmops.
    """
    import numpy as np

    head = load_manifest(folder, root)
    try:
        arrays = (folder / ARRAYS).read_bytes()
    except OSError as error:
        raise InvalidFiles([Problem(shown(folder / ARRAYS, root), f"cannot be read: {error.strerror}.", hint=AGAIN)]) from None
    if sha256(arrays).hexdigest() != head["sha256"]:
        raise InvalidFiles([Problem(shown(folder / ARRAYS, root), "was changed after it was fitted.", hint=AGAIN)])
    with np.load(BytesIO(arrays), allow_pickle=False) as stored:
        weights, centre, scale, vectors, quality = (stored[name].astype(float) for name in STORED)
    settings = Settings(**head["settings"])
    router = LearnedRouter(settings, weights, centre, scale, vectors.astype(np.float32), quality, head["familiar"])
    tail = (tuple(head["costs"]), head["cost_weight"], head["strong"], head["embedder"], head["figures"], head.get("asked", {}))
    return SavedRouter(router, tuple(head["models"]), *tail)


def card_of(saved: SavedRouter, fitted_on: Sequence[str]) -> str:
    """What a router was learned from and how good it is, as Markdown."""
    rows = [f"| {name} | {value:.4g} |" for name, value in saved.figures.items() if isinstance(value, int | float)]
    costs = ", ".join(f"{name} ${cost:.4g}" for name, cost in zip(saved.models, saved.costs, strict=True))
    return "\n".join(
        [
            f"# Router over {', '.join(saved.models)}",
            "",
            f"Learned by `llmops route fit` from {', '.join(fitted_on)}. It predicts the quality of each model's answer from "
            f"the prompt's `{saved.embedder}` embedding and its shape ({', '.join(NAMES)}), and takes the model with the best "
            f"predicted quality less {saved.cost_weight:.4g} x USD per 1,000 requests ({costs}). A prompt that is unlike all "
            f"that it was learned from goes to {saved.strong}.",
            "",
            "| figure, cross-fitted | value |",
            "| --- | --- |",
            *rows,
            "",
            "It knows nothing of answers: a model that got worse since shows only in a new fit.",
            "",
        ]
    )
