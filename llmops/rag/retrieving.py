"""From queries to hits: vectors and BM25, fused, reranked, and packed for a prompt."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmops.domain.errors import RetrievalError
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, LexicalIndex, Reranker, VectorStore
from llmops.domain.retrieval import Chunk, Hit
from llmops.rag.filtering import searched
from llmops.rag.fusing import Fusion, reciprocal_rank_fusion, relative_score_fusion
from llmops.rag.packing import Candidate, Packer
from llmops.rag.reranking import diverse, reranked
from llmops.rag.timing import Stopwatch
from llmops.settings.retrieval import RetrieveSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

RETRIEVING_VERSION = 3

Ranking = list[tuple[str, float]]
"""Chunk ids with their score, best first."""


def retrieval_identity(index: str, settings: RetrieveSettings, fusion: Fusion | None = None, reranker: str = "") -> str:
    """Changes whenever the same query could give other hits; needs no open index.

    Args:
        index: its content key.
        settings: how it is asked.
        fusion: how the stages are weighed; None: the `dense_weight` of the settings.
        reranker: its identity; empty: there is none.
    """
    weighed = fusion or Fusion(settings.dense_weight)
    # An option that is not used leaves no trace, so that a new one does not make old results stale.
    asked = settings.model_dump(mode="json", exclude_none=True)
    inputs = {"index": index, "retrieve": asked, "fusion": [weighed.dense_weight, weighed.k]}
    return node_key("retrieval", RETRIEVING_VERSION, {**inputs, "reranker": reranker} if reranker else inputs)


@dataclass(frozen=True)
class Retriever:
    """Searches one complete generation of an index.

    The stages in their order: `where`, vectors and BM25, fusion, rerank, abstain, MMR, neighbours, `k` and `max_tokens`.
    """

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
    reranker: Reranker | None = None
    """As the settings name it."""
    watch: Stopwatch | None = None
    """Told how long each stage takes: `embed`, `dense`, `bm25`, `rerank` and `pack`."""

    @property
    def identity(self) -> str:
        """As `retrieval_identity`."""
        return retrieval_identity(self.key, self.settings, self.fusion, self.reranker.identity if self.reranker else "")

    def retrieve(self, queries: Sequence[str]) -> list[tuple[Hit, ...]]:
        """For each query its hits, best first, at most `k` of the settings; a blank query has none.

        Raises:
            RetrievalError: the vector store cannot be read, or has lost vectors of this generation.
            LlmopsError: the reranker cannot be loaded.
        """
        asked = [query for query in dict.fromkeys(queries) if query.strip()]
        if not asked or not self._among:
            return [() for _ in queries]
        none: list[Ranking] = [[] for _ in asked]
        dense = self._dense(asked) if self.settings.dense else none
        bm25 = self._bm25(asked) if self.settings.bm25 else none
        ranked = [self._fused(d, b) for d, b in zip(dense, bm25, strict=True)]
        if self.reranker is not None and self.settings.rerank is not None:
            with self._stage("rerank"):
                ranked = reranked(self.reranker, asked, ranked, self.chunks, self.settings.rerank.candidates)
        with self._stage("pack"):
            hits = dict(zip(asked, [self._packed(each) for each in ranked], strict=True))
        return [hits.get(query, ()) for query in queries]

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.watch is None else self.watch.stage(name)

    @cached_property
    def _among(self) -> Mapping[str, Chunk]:
        """The chunks that are searched."""
        return self.chunks if self.settings.where is None else searched(self.chunks, self.settings.where)

    @cached_property
    def _packer(self) -> Packer:
        return Packer(self.chunks, self.settings, self.embedder.tokenizer)

    def _bm25(self, queries: Sequence[str]) -> list[Ranking]:
        among = None if self.settings.where is None else self._among.keys()
        with self._stage("bm25"):
            return self.lexical.query(queries, min(self.settings.bm25, len(self._among)), among)

    def _dense(self, queries: Sequence[str]) -> list[Ranking]:
        """The nearest chunks of each query among those that are searched.

        The store also holds chunks that are not: of another generation that is being built, or left out by `where`. They
        take places, and then more are asked for.
        """
        with self._stage("embed"):
            vectors = self.embedder.embed_queries(queries)
        with self._stage("dense"):
            return self._nearest(vectors)

    def _nearest(self, vectors: "NDArray[float32]") -> list[Ranking]:
        wanted = min(self.settings.dense, len(self._among))
        depth = wanted
        while True:
            answers = self.vectors.query(vectors, depth)
            live = [[hit for hit in answer if hit[0] in self._among][:wanted] for answer in answers]
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

    def _fused(self, dense: Ranking, bm25: Ranking) -> list[Candidate]:
        fusion = self.fusion or Fusion(self.settings.dense_weight)
        weights = [fusion.dense_weight, 1.0]
        if self.settings.fuse == "weighted":
            fused = relative_score_fusion([dense, bm25], weights)
        else:
            rankings = [[key for key, _ in dense], [key for key, _ in bm25]]
            fused = reciprocal_rank_fusion(rankings, weights=weights, k=fusion.k)
        stages = {"dense": dict(dense), "bm25": dict(bm25)}
        found = []
        for key, score in fused:
            scores = {stage: round(seen[key], 6) for stage, seen in stages.items() if key in seen}
            found.append(Candidate(key, score, {**scores, "fused": round(score, 8)}))
        return found

    def _packed(self, ranked: Sequence[Candidate]) -> tuple[Hit, ...]:
        if self._abstains(ranked):
            return ()
        if self.settings.mmr is not None and len(ranked) > 1:
            vectors = self.vectors.vectors([candidate.key for candidate in ranked])
            ranked = diverse(ranked, vectors, self.settings.mmr)
        return tuple(self._packer.hits(ranked))

    def _abstains(self, ranked: Sequence[Candidate]) -> bool:
        abstain = self.settings.abstain
        if abstain is None:
            return False
        stage, least = ("dense", abstain.cosine) if abstain.cosine is not None else ("rerank", abstain.rerank)
        scores = [candidate.scores[stage] for candidate in ranked if stage in candidate.scores]
        return least is not None and (not scores or max(scores) < least)
