"""The nearest chunks of a query: equal passages are one point of the vector store, and few points are all compared."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from llmops.domain.errors import RetrievalError
from llmops.domain.ports import VectorStore
from llmops.domain.retrieval import Chunk

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

Ranking = list[tuple[str, float]]
"""Chunk ids with their score, best first."""

EXACT = 2000
"""Distinct passages up to which a query is compared with each of them: that takes less than a millisecond. The graph that
Chroma searches finds nearly all neighbours among many points, and can lose some behind a crowd of almost equal ones."""
DECIMALS = 6
"""Of a cosine. What lies below differs between equal vectors with their place in memory, and would order them by chance."""

ANOTHER_MODEL = (
    "Another model answers under the name of the embedder. Embed everything anew:\n"
    "llmops cache clear --kind embed\nllmops rag drop INDEX\nllmops rag index INDEX"
)
"""What to do where vectors differ in length. The cache would give the vectors of the model before to the next build, too."""


class DenseSearch:
    """Searches some chunks of one generation by their vectors; those of equal cosine are ordered by id."""

    def __init__(self, vectors: VectorStore, chunks: Mapping[str, Chunk]) -> None:
        """Remember the parts; nothing is read.

        Args:
            vectors: of the generation, and perhaps of others.
            chunks: that are searched, by id.
        """
        self._vectors = vectors
        self._chunks = chunks

    def nearest(self, queries: "NDArray[float32]", k: int) -> list[Ranking]:
        """For each query vector its k nearest chunks with their cosine.

        Raises:
            RetrievalError: the vector store cannot be read, has lost vectors of these chunks, or holds some of other length.
        """
        k = min(k, len(self._chunks))
        if len(self._passages) <= EXACT:
            if queries.shape[1] != self._matrix.shape[1]:
                found = f"The query's vector has {queries.shape[1]} dimensions, and those of the index {self._matrix.shape[1]}."
                raise RetrievalError(found, hint=ANOTHER_MODEL)
            return [self._compared(query, k) for query in queries]
        return self._asked(queries, k)

    @cached_property
    def _passages(self) -> Mapping[str, Sequence[str]]:
        """Ids of the chunks with each vector."""
        found: dict[str, list[str]] = {}
        for key, chunk in self._chunks.items():
            found.setdefault(chunk.vector_id, []).append(key)
        return found

    @cached_property
    def _matrix(self) -> "NDArray[float32]":
        """The vectors of all passages, in their order."""
        return self._vectors.vectors(list(self._passages))

    def _compared(self, query: "NDArray[float32]", k: int) -> Ranking:
        import numpy as np

        cosines = np.round(self._matrix @ query, DECIMALS)
        least = np.partition(cosines, -k)[-k] if k < len(cosines) else -np.inf
        keys = list(self._passages)
        return self._ranked([(keys[at], float(cosines[at])) for at in np.flatnonzero(cosines >= least)])[:k]

    def _asked(self, queries: "NDArray[float32]", k: int) -> list[Ranking]:
        """The answers of the vector store.

        It also holds passages that are not searched: of another generation that is being built, or left out by `where`. They
        take places, and then more are asked for.
        """
        depth = k
        while True:
            answers = self._vectors.query(queries, depth)
            live = [self._ranked([(key, round(cosine, DECIMALS)) for key, cosine in answer])[:k] for answer in answers]
            if all(len(hits) == k for hits in live):
                return live
            if any(len(answer) < depth for answer in answers):
                self._check_complete()
                return live
            depth *= 4

    def _ranked(self, passages: Sequence[tuple[str, float]]) -> Ranking:
        found = [(chunk, cosine) for key, cosine in passages for chunk in self._passages.get(key, ())]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def _check_complete(self) -> None:
        missing = len(self._passages.keys() - self._vectors.ids())
        if missing:
            raise vectors_lost(missing, len(self._passages))


def vectors_lost(missing: int, wanted: int) -> RetrievalError:
    """What is told when a vector store does not hold what was written to it."""
    found = f"The vector store has lost {missing} of {wanted} vectors."
    shared = "Projects on one Chroma server need a `namespace` each in the index's `store`."
    hint = f"Embed them again: llmops rag index --repair\n{shared}"
    return RetrievalError(found, hint=hint)
