"""The fast embedder for very large corpora: a static model distilled from all-MiniLM-L6-v2, from the package."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import HfTokenizer, encodable, load_tokenizer
from llmops.adapters.weights import packaged, read_weights
from llmops.domain.ports import Tokenizer

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

BATCH = 1024
"""Texts in one step: bounds the memory of the gathered rows."""
UNKNOWN = "[UNK]"


class StaticEmbedder:
    """Implements `Embedder`: the mean of the token vectors, without attention, so word order does not count.

    A text without any known token gets the vector of the unknown token, so that every vector has length 1.
    """

    costly = False

    def __init__(self, folder: Path | None = None) -> None:
        """Read the manifest only; the weights are loaded by the first text.

        Args:
            folder: `model.safetensors`, `tokenizer.json` and `manifest.json`; default: those in the package.

        Raises:
            LlmopsError: no readable manifest.
        """
        self._weights = read_weights(folder or packaged("static"))
        self.identity = self._weights.identity
        self.dimensions = self._weights.dimensions
        self.max_tokens = self._weights.max_tokens
        self.tokenizer: Tokenizer = HfTokenizer(self._weights.folder / "tokenizer.json")
        self._loaded: tuple[Any, Any, Any] | None = None
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors[start : start + len(batch)] = self._means(batch)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`: the model knows no prefixes."""
        return self.embed(texts)

    def _means(self, texts: Sequence[str]) -> "NDArray[float32]":
        """Sums of the token vectors; the length is set later, so the division can be left out."""
        import numpy as np

        tokenizer, codes, steps = self._load()
        unknown = tokenizer.token_to_id(UNKNOWN)
        encodings = tokenizer.encode_batch_fast([encodable(text) for text in texts], add_special_tokens=False)
        ids = [[token for token in encoding.ids if token != unknown] or [unknown] for encoding in encodings]
        flat = np.fromiter(chain.from_iterable(ids), np.int64)
        starts = np.cumsum([0, *(len(each) for each in ids[:-1])])
        rows = codes[flat] * steps[flat, None]
        sums: NDArray[float32] = np.add.reduceat(rows, starts, axis=0)
        return sums

    def _load(self) -> tuple[Any, Any, Any]:
        from safetensors.numpy import load_file

        with self._lock:
            if self._loaded is None:
                tokenizer = load_tokenizer(self._weights.checked("tokenizer.json"), max_tokens=self.max_tokens)
                tensors = load_file(self._weights.checked("model.safetensors"))
                self._loaded = tokenizer, tensors["codes"], tensors["steps"]
            return self._loaded
