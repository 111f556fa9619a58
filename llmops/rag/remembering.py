"""An embedder that does not embed the same passage twice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmops.domain.ports import Embedder, Tokenizer

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MAX_REMEMBERED = 200_000
"""Vectors: 300 MB at 384 dimensions."""


class RememberingEmbedder:
    """Implements `Embedder`; queries are embedded each time, so that their latency stays what it is."""

    def __init__(self, embedder: Embedder) -> None:
        """Wrap an embedder."""
        self._embedder = embedder
        self._vectors: dict[str, NDArray[float32]] = {}

    @property
    def identity(self) -> str:
        """As the embedder's."""
        return self._embedder.identity

    @property
    def dimensions(self) -> int:
        """As the embedder's."""
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        """As the embedder's."""
        return self._embedder.max_tokens

    @property
    def tokenizer(self) -> Tokenizer:
        """As the embedder's."""
        return self._embedder.tokenizer

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        import numpy as np

        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        vectors = dict(zip(new, self._embedder.embed(new), strict=True)) if new else {}
        found = [vectors[text] if text in vectors else self._vectors[text] for text in texts]
        if len(self._vectors) + len(vectors) <= MAX_REMEMBERED:
            self._vectors.update(vectors)
        return np.stack(found) if found else self._embedder.embed([])

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        return self._embedder.embed_queries(texts)
