"""From queries to hits: vectors and BM25, fused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmops.domain.ports import Embedder, LexicalIndex, VectorStore
from llmops.domain.retrieval import Chunk, Hit
from llmops.rag.fusing import reciprocal_rank_fusion
from llmops.settings.project import RetrieveSettings

RETRIEVING_VERSION = 1


@dataclass(frozen=True, slots=True)
class Retriever:
    """Searches one complete generation of an index."""

    settings: RetrieveSettings
    embedder: Embedder
    vectors: VectorStore
    lexical: LexicalIndex
    chunks: Mapping[str, Chunk]
    """Live chunks by id; other ids in the vector store belong to another generation."""

    def retrieve(self, queries: Sequence[str]) -> list[tuple[Hit, ...]]:
        """For each query its hits, best first."""
        none: list[list[tuple[str, float]]] = [[] for _ in queries]
        dense = lexical = none
        if self.settings.dense and self.chunks:
            vectors = self.embedder.embed_queries(queries)
            dense = [self._live(found) for found in self.vectors.query(vectors, min(self.settings.dense, len(self.chunks)))]
        if self.settings.bm25 and self.chunks:
            lexical = [self._live(found) for found in self.lexical.query(queries, min(self.settings.bm25, len(self.chunks)))]
        return [self._fused(d, b) for d, b in zip(dense, lexical, strict=True)]

    def _live(self, found: list[tuple[str, float]]) -> list[tuple[str, float]]:
        return [(key, score) for key, score in found if key in self.chunks]

    def _fused(self, dense: list[tuple[str, float]], lexical: list[tuple[str, float]]) -> tuple[Hit, ...]:
        by_stage = {"dense": dict(dense), "bm25": dict(lexical)}
        rankings = [[key for key, _ in dense], [key for key, _ in lexical]]
        fused = reciprocal_rank_fusion(rankings, weights=[self.settings.dense_weight, 1.0])
        hits = []
        for key, score in fused[: self.settings.k]:
            chunk = self.chunks[key]
            scores = {stage: round(found[key], 6) for stage, found in by_stage.items() if key in found}
            heading = " > ".join(chunk.headings)
            scores["fused"] = round(score, 8)
            hits.append(Hit(chunk.text, chunk.document, heading, chunk.start, chunk.end, chunk.id, scores))
        return tuple(hits)
