"""The default embedder: all-MiniLM-L6-v2 with int8 weights, from the package, run by onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import HfTokenizer, encodable, load_tokenizer
from llmops.adapters.onnx_session import batches, cores, in_threads, open_session
from llmops.adapters.weights import packaged, read_weights
from llmops.domain.ports import Tokenizer

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class OnnxEmbedder:
    """Implements `Embedder`.

    A text's vector does not depend on the texts it is embedded with: activations are quantised token by token, and
    padding is masked. Differences between batches stay below 1e-6, the rounding of float32 sums.
    """

    costly = True

    def __init__(self, folder: Path | None = None, *, batch_size: int = 32, threads: int | None = None) -> None:
        """Read the manifest only; the weights are loaded by the first text.

        Args:
            folder: `model.onnx`, `tokenizer.json` and `manifest.json`; default: those in the package.
            batch_size: texts in one call, at most.
            threads: that embed batches beside each other; default: the cores that this process may use.

        Raises:
            LlmopsError: no readable manifest.
        """
        self._weights = read_weights(folder or packaged("minilm"))
        self.identity = self._weights.identity
        self.dimensions = self._weights.dimensions
        self.max_tokens = self._weights.max_tokens
        self.tokenizer: Tokenizer = HfTokenizer(self._weights.folder / "tokenizer.json")
        self._batch_size = batch_size
        self._threads = threads or cores()
        self._loaded: tuple[Any, Any] | None = None
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), np.float32)
        if not texts:
            return vectors
        tokenizer, session = self._load()
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast([encodable(text) for text in texts])]

        def work(batch: list[int]) -> None:
            longest = len(ids[batch[-1]])
            tokens = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros_like(tokens)
            for row, text in enumerate(batch):
                tokens[row, : len(ids[text])] = ids[text]
                mask[row, : len(ids[text])] = 1
            vectors[batch] = session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})[0]

        in_threads(work, batches([len(each) for each in ids], self._batch_size, self._threads), self._threads)
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`: the model was trained without prefixes."""
        return self.embed(texts)

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                tokenizer = load_tokenizer(self._weights.checked("tokenizer.json"), max_tokens=self.max_tokens)
                self._loaded = tokenizer, open_session(self._weights.checked("model.onnx"))
            return self._loaded
