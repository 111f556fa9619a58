"""From queries to hits: vectors and BM25, fused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmops.domain.errors import RetrievalError
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, LexicalIndex, VectorStore
from llmops.domain.retrieval import Chunk, Hit
from llmops.rag.chunking import HEADING_SEPARATOR
from llmops.rag.fusing import Fusion, reciprocal_rank_fusion
from llmops.settings.project import RetrieveSettings

RETRIEVING_VERSION = 2

Ranking = list[tuple[str, float]]
"""Chunk ids with their score, best first."""


def retrieval_identity(index: str, settings: RetrieveSettings, fusion: Fusion | None = None) -> str:
    """Changes whenever the same query could give other hits; needs no open index.

    Args:
        index: its content key.
        settings: how it is asked.
        fusion: how the stages are weighed; None: the `dense_weight` of the settings.
    """
    weighed = fusion or Fusion(settings.dense_weight)
    inputs = {"index": index, "retrieve": settings.model_dump(mode="json"), "fusion": [weighed.dense_weight, weighed.k]}
    return node_key("retrieval", RETRIEVING_VERSION, inputs)


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one complete generation of an index."""

    settings: RetrieveSettings
    embedder: Embedder
    vectors: VectorStore
    lexical: LexicalIndex
    chunks: Mapping[str, Chunk]
    """Live chunks by id; other ids in the vector store belong to another generation."""
    key: str = ""
    """Content key of the index."""
    fusion: Fusion | None = None
    """How the stages are weighed, as `fusion_of` gives it; None: the `dense_weight` of the settings."""

    @property
    def identity(self) -> str:
        """As `retrieval_identity`."""
        return retrieval_identity(self.key, self.settings, self.fusion)

    def retrieve(self, queries: Sequence[str]) -> list[tuple[Hit, ...]]:
        """For each query its hits, best first, at most `k` of the settings; a blank query has none.

        Raises:
            RetrievalError: the vector store cannot be read, or has lost vectors of this generation.
        """
        asked = [query for query in dict.fromkeys(queries) if query.strip()]
        if not asked or not self.chunks:
            return [() for _ in queries]
        none: list[Ranking] = [[] for _ in asked]
        dense = self._dense(asked) if self.settings.dense else none
        bm25 = self.lexical.query(asked, min(self.settings.bm25, len(self.chunks))) if self.settings.bm25 else none
        found = {query: self._fused(d, b) for query, d, b in zip(asked, dense, bm25, strict=True)}
        return [found.get(query, ()) for query in queries]

    def _dense(self, queries: Sequence[str]) -> list[Ranking]:
        """The nearest live chunks of each query.

        While another generation is being built, its chunks are in the store too and take places: then more are asked for.
        """
        vectors = self.embedder.embed_queries(queries)
        wanted = min(self.settings.dense, len(self.chunks))
        depth = wanted
        while True:
            answers = self.vectors.query(vectors, depth)
            live = [[hit for hit in answer if hit[0] in self.chunks][:wanted] for answer in answers]
            if all(len(hits) == wanted for hits in live):
                return live
            if any(len(answer) < depth for answer in answers):
                self._check_complete()
                return live
            depth *= 4

    def _check_complete(self) -> None:
        missing = len(self.chunks.keys() - self.vectors.ids())
        if missing:
            found = f"The vector store has lost {missing} of the index's {len(self.chunks)} vectors."
            raise RetrievalError(found, hint="Embed them again: llmops rag index --repair")

    def _fused(self, dense: Ranking, bm25: Ranking) -> tuple[Hit, ...]:
        rankings = [[key for key, _ in dense], [key for key, _ in bm25]]
        fusion = self.fusion or Fusion(self.settings.dense_weight)
        fused = reciprocal_rank_fusion(rankings, weights=[fusion.dense_weight, 1.0], k=fusion.k)
        stages = {"dense": dict(dense), "bm25": dict(bm25)}
        hits = []
        for key, score in fused[: self.settings.k]:
            chunk = self.chunks[key]
            scores = {stage: round(found[key], 6) for stage, found in stages.items() if key in found}
            scores["fused"] = round(score, 8)
            hits.append(hit_of(chunk, scores))
        return tuple(hits)


def hit_of(chunk: Chunk, scores: Mapping[str, float] | None = None) -> Hit:
    """The chunk as a hit, with the score of each stage that saw it."""
    heading = HEADING_SEPARATOR.join(chunk.headings)
    return Hit(chunk.text, chunk.document, heading, chunk.start, chunk.end, chunk.id, scores or {})
