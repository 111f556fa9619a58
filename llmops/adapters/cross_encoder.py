"""A cross-encoder of sentence-transformers as the reranker (`local` extra)."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from llmops.adapters.hf_tokenizer import encodable
from llmops.adapters.sentence_transformers_models import check_extra, loaded, source
from llmops.domain.errors import LlmopsError


class CrossEncoderReranker:
    """Implements `Reranker`; its scores are what the model's own last layer gives, often a probability."""

    def __init__(self, name: str, *, batch_size: int = 32, device: str | None = None) -> None:
        """Check that the extra is there; the model is loaded by the first pair.

        Args:
            name: a hub name such as `cross-encoder/ms-marco-MiniLM-L6-v2`, or a folder.
            batch_size: pairs in one forward pass.
            device: as torch names it; default: a GPU if there is one.

        Raises:
            MissingExtra: sentence-transformers is not installed.
        """
        check_extra(f"Reranker {name!r}")
        self._name = name
        self._batch_size = batch_size
        self._device = device
        self.identity = f"cross-encoder:{source(name)}"
        self._model: Any = None
        self._lock = Lock()

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """As the port.

        Raises:
            LlmopsError: the model cannot be loaded, or gives several scores per pair.
        """
        if not pairs:
            return []
        clean = [(encodable(query), encodable(text)) for query, text in pairs]
        with self._lock:
            if self._model is None:
                self._model = loaded("Reranker", "CrossEncoder", self._name, self._device)
            found = self._model.predict(clean, batch_size=self._batch_size, show_progress_bar=False)
        if found.shape != (len(pairs),) or not (abs(found) < float("inf")).all():
            hint = "Name a model that was trained to rank, with one output."
            raise LlmopsError(f"Reranker {self._name!r} does not give one finite score for a pair.", hint=hint)
        return [float(score) for score in found]
