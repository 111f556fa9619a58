"""Builds detectors: the embedded ones, local models, and Presidio."""

from collections.abc import Mapping
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.domain.ports import Detector
from llmops.domain.scores import Detection, DetectionRequest
from llmops.evaluation.batching import Batcher
from llmops.settings.files import folder_or_name
from llmops.settings.validation import nearest


class BatchedDetector:
    """Implements `AskDetector`."""

    def __init__(self, detector: Detector, *, max_batch: int = 64, lanes: int = 1) -> None:
        self._detector = detector
        self._ask: Batcher[DetectionRequest, Detection] = Batcher(detector.detect, max_batch=max_batch, lanes=lanes)

    @property
    def identity(self) -> str:
        """As the detector's."""
        return self._detector.identity

    async def __call__(self, request: DetectionRequest) -> Detection:
        """As the port."""
        return await self._ask(request)


def build_detector(root: Path, kind: str, backend: str, labels: Mapping[str, str]) -> Detector:
    """A detector of a kind, by its backend.

    Raises:
        UsageError: no such backend.
    """
    name, _, model = backend.partition(":")
    found = folder_or_name(model, root)
    if kind == "pii" and name == "presidio":
        from llmops.adapters.presidio_detector import DEFAULT_MODEL, PresidioDetector

        return PresidioDetector(found or DEFAULT_MODEL)
    if name == "local":
        from llmops.adapters.local_detectors import LocalDetector

        return LocalDetector(kind, found, labels)
    if backend != "embedded":
        raise UsageError(f"No detector backend is called {backend!r}.", hint=nearest(backend, ["embedded"]))
    from llmops.adapters.embedded_detectors import EmbeddedDetector

    return EmbeddedDetector(kind)
