"""An embedder that does not embed the same passage twice."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmops.domain.ports import Embedder, Tokenizer, VectorMemory

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MAX_REMEMBERED = 200_000
"""Vectors: 300 MB at 384 dimensions."""


class ProcessMemory:
    """Implements `VectorMemory` as long as the process runs."""

    def __init__(self) -> None:
        """Nothing is kept yet."""
        self.notes: list[str] = []
        self._vectors: dict[tuple[str, str], NDArray[float32]] = {}

    def find(self, embedder: str, texts: Sequence[str]) -> "dict[str, NDArray[float32]]":
        """As the port."""
        return {text: self._vectors[embedder, text] for text in texts if (embedder, text) in self._vectors}

    def keep(self, embedder: str, vectors: "Mapping[str, NDArray[float32]]") -> None:
        """As the port, until there are `MAX_REMEMBERED`."""
        if len(self._vectors) + len(vectors) <= MAX_REMEMBERED:
            self._vectors.update({(embedder, text): vector for text, vector in vectors.items()})


class RememberingEmbedder:
    """Implements `Embedder`; queries are embedded each time, so that their latency stays what it is."""

    def __init__(self, embedder: Embedder, memory: VectorMemory) -> None:
        """Wrap an embedder; `memory` may be shared between embedders."""
        self.reused = 0
        """Texts so far whose vector was in the memory."""
        self._embedder = embedder
        self._memory = memory
        self._dimensions: int | None = None

    @property
    def identity(self) -> str:
        """As the embedder's."""
        return self._embedder.identity

    @property
    def dimensions(self) -> int:
        """As the embedder's, which need not be asked once a vector was found."""
        return self._embedder.dimensions if self._dimensions is None else self._dimensions

    @property
    def max_tokens(self) -> int:
        """As the embedder's."""
        return self._embedder.max_tokens

    @property
    def tokenizer(self) -> Tokenizer:
        """As the embedder's."""
        return self._embedder.tokenizer

    @property
    def costly(self) -> bool:
        """As the embedder's."""
        return self._embedder.costly

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        import numpy as np

        wanted = list(dict.fromkeys(texts))
        if not wanted:
            return self._embedder.embed([])
        known = self._memory.find(self.identity, wanted)
        made = self._embedded([text for text in wanted if text not in known])
        if len({len(vector) for vector in (*known.values(), *made.values())}) > 1:
            # Another model answers under the name of the one before: what it has made does not go with this one's vectors.
            known, made = {}, self._embedded(wanted)
        self.reused += sum(text in known for text in texts)
        found = np.stack([known[text] if text in known else made[text] for text in texts])
        self._dimensions = found.shape[1]
        return found

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        return self._embedder.embed_queries(texts)

    def _embedded(self, texts: Sequence[str]) -> "dict[str, NDArray[float32]]":
        if not texts:
            return {}
        vectors = dict(zip(texts, self._embedder.embed(texts), strict=True))
        self._memory.keep(self.identity, vectors)
        return vectors


def reused_by(embedder: Embedder) -> int:
    """Texts so far that an embedder took from a memory."""
    return embedder.reused if isinstance(embedder, RememberingEmbedder) else 0
