"""The embedded detectors: small classifiers whose weights ship in the package. No key, no network, no torch."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from llmops.adapters.weights import packaged, read_weights
from llmops.domain.errors import UsageError
from llmops.domain.scores import Detection, DetectionRequest
from llmops.settings.validation import nearest

DETECTOR_VERSION = 6
MODELS = {
    "hallucination": ("llmops.adapters.hallucination_model", "HallucinationModel"),
    "toxicity": ("llmops.adapters.toxicity_model", "ToxicityModel"),
}
"""Module and class of each kind of fault; imported by the first request, because a cached run asks for the identity alone."""


class EmbeddedDetector:
    """Implements `Detector` for one kind of fault: `hallucination` or `toxicity`."""

    def __init__(self, kind: str) -> None:
        """Read the manifest only; the model is loaded by the first request.

        Raises:
            UsageError: no such kind.
            LlmopsError: the weights are missing.
        """
        if kind not in MODELS:
            raise UsageError(f"No embedded detector is called {kind!r}.", hint=nearest(kind, MODELS))
        self._weights = read_weights(packaged("detectors") / kind)
        self._kind = kind
        self._model: Any = None

    @property
    def identity(self) -> str:
        """As the port."""
        return f"{self._weights.identity}|{DETECTOR_VERSION}"

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """As the port.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        if self._model is None:
            module, name = MODELS[self._kind]
            self._model = getattr(import_module(module), name)(self._weights)
        found: list[Detection] = self._model.many(requests)
        return found
