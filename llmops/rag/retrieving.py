"""From queries to hits: vectors and BM25, fused, reranked, and packed for a prompt."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, LexicalIndex, QueryWriter, Reranker, VectorStore
from llmops.domain.queries import Query, Written
from llmops.domain.retrieval import Chunk, Hit
from llmops.rag.filtering import searched
from llmops.rag.fusing import Fusion, reciprocal_rank_fusion, relative_score_fusion
from llmops.rag.packing import Candidate, Packer
from llmops.rag.reranking import diverse, reranked
from llmops.rag.searching import DenseSearch, Ranking
from llmops.rag.timing import Stopwatch
from llmops.settings.retrieval import RetrieveSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

RETRIEVING_VERSION = 4


def retrieval_identity(
    index: str, settings: RetrieveSettings, fusion: Fusion | None = None, reranker: str = "", writer: str = ""
) -> str:
    """Changes whenever the same query could give other hits; needs no open index.

    Args:
        index: its content key.
        settings: how it is asked.
        fusion: how the stages are weighed; None: the `dense_weight` of the settings.
        reranker: its identity; empty: there is none.
        writer: identity of what writes for queries; empty: nothing does.
    """
    weighed = fusion or Fusion(settings.dense_weight)
    # An option that is not used leaves no trace, so that a new one does not make old results stale.
    asked = settings.model_dump(mode="json", exclude_none=True, exclude={"rewrite", "hyde"})
    inputs = {"index": index, "retrieve": asked, "fusion": [weighed.dense_weight, weighed.k]}
    inputs |= {name: each for name, each in (("reranker", reranker), ("writer", writer)) if each}
    return node_key("retrieval", RETRIEVING_VERSION, inputs)


@dataclass(frozen=True)
class Retriever:
    """Searches one complete generation of an index.

    The stages in their order: what models write, `where`, vectors and BM25,
    fusion, rerank, abstain, MMR, neighbours, `k` and `max_tokens`.
    """

    settings: RetrieveSettings
    embedder: Embedder
    vectors: VectorStore
    lexical: LexicalIndex
    chunks: Mapping[str, Chunk]
    """Live chunks by id; what else is in the vector store belongs to another generation."""
    fusion: Fusion | None = None
    """How the stages are weighed, as `fusion_of` gives it; None: the `dense_weight` of the settings."""
    reranker: Reranker | None = None
    """As the settings name it."""
    writer: QueryWriter | None = None
    """As the settings name it."""
    watch: Stopwatch | None = None
    """Told how long each stage takes: `embed`, `dense`, `bm25`, `rerank` and `pack`."""

    def retrieve(self, queries: Sequence[str]) -> list[tuple[Hit, ...]]:
        """For each query its hits, best first, at most `k` of the settings; a blank query has none.

        Raises:
            RetrievalError: the vector store cannot be read, or has lost vectors of this generation.
            ModelError: a model that should write for a query gave no usable reply.
            LlmopsError: the reranker cannot be loaded.
        """
        return self.search([each.query for each in self.written(queries)])

    def written(self, queries: Sequence[str]) -> list[Written]:
        """The queries with what the models of the settings write for them.

        Raises:
            ModelError: a model gave no usable reply.
        """
        asked = [query for query in dict.fromkeys(queries) if query.strip()] if self.writer is not None else []
        found = dict(zip(asked, self.writer.written(asked), strict=True)) if self.writer is not None and asked else {}
        return [found.get(query) or Written(Query(query)) for query in queries]

    def search(self, queries: Sequence[Query]) -> list[tuple[Hit, ...]]:
        """As `retrieve`, for queries for which everything is written."""
        asked = [query for query in dict.fromkeys(queries) if query.text.strip()]
        if not asked or not self.among:
            return [() for _ in queries]
        wordings = {query: _wordings(query) for query in asked}
        texts = list(dict.fromkeys(each for some in wordings.values() for each in some))
        dense = dict(zip(texts, self._dense(texts), strict=True)) if self.settings.dense else {}
        bm25 = dict(zip(texts, self._bm25([each.text for each in texts]), strict=True)) if self.settings.bm25 else {}
        ranked = [self._fused(*([each.get(text, []) for text in wordings[query]] for each in (dense, bm25))) for query in asked]
        if self.reranker is not None and self.settings.rerank is not None:
            with self._stage("rerank"):
                depth = self.settings.rerank.candidates
                ranked = reranked(self.reranker, [query.text for query in asked], ranked, self.chunks, depth)
        with self._stage("pack"):
            hits = dict(zip(asked, [self._packed(each) for each in ranked], strict=True))
        return [hits.get(query, ()) for query in queries]

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self.watch is None else self.watch.stage(name)

    @cached_property
    def among(self) -> Mapping[str, Chunk]:
        """The chunks that are searched."""
        return self.chunks if self.settings.where is None else searched(self.chunks, self.settings.where)

    @cached_property
    def _nearby(self) -> DenseSearch:
        return DenseSearch(self.vectors, self.among)

    @cached_property
    def _packer(self) -> Packer:
        return Packer(self.chunks, self.settings, self.embedder.tokenizer)

    def _bm25(self, queries: Sequence[str]) -> list[Ranking]:
        among = None if self.settings.where is None else self.among.keys()
        with self._stage("bm25"):
            return self.lexical.query(queries, min(self.settings.bm25, len(self.among)), among)

    def _dense(self, queries: Sequence[Query]) -> list[Ranking]:
        with self._stage("embed"):
            vectors = _vectors(self.embedder, queries)
        with self._stage("dense"):
            return self._nearby.nearest(vectors, self.settings.dense)

    def _fused(self, dense: Sequence[Ranking], bm25: Sequence[Ranking]) -> list[Candidate]:
        """One ranking of those of all wordings; of a stage a candidate has its best score."""
        fusion = self.fusion or Fusion(self.settings.dense_weight)
        rankings, weights = [*dense, *bm25], [fusion.dense_weight] * len(dense) + [1.0] * len(bm25)
        if self.settings.fuse == "weighted":
            fused = relative_score_fusion(rankings, weights)
        else:
            fused = reciprocal_rank_fusion([[key for key, _ in each] for each in rankings], weights=weights, k=fusion.k)
        stages = {"dense": _best(dense), "bm25": _best(bm25)}
        found = []
        for key, score in fused:
            scores = {stage: round(seen[key], 6) for stage, seen in stages.items() if key in seen}
            found.append(Candidate(key, score, {**scores, "fused": round(score, 8)}))
        return found

    def _packed(self, ranked: Sequence[Candidate]) -> tuple[Hit, ...]:
        if self._abstains(ranked):
            return ()
        if self.settings.mmr is not None and len(ranked) > 1:
            vectors = self.vectors.vectors([self.chunks[candidate.key].vector_id for candidate in ranked])
            ranked = diverse(ranked, vectors, self.settings.mmr)
        return tuple(self._packer.hits(ranked))

    def _abstains(self, ranked: Sequence[Candidate]) -> bool:
        abstain = self.settings.abstain
        if abstain is None:
            return False
        stage, least = ("dense", abstain.cosine) if abstain.cosine is not None else ("rerank", abstain.rerank)
        scores = [candidate.scores[stage] for candidate in ranked if stage in candidate.scores]
        return least is not None and (not scores or max(scores) < least)


def _wordings(query: Query) -> list[Query]:
    """What is searched for, each by itself: the query with its passages, and its other wordings."""
    return [Query(query.text, passages=query.passages), *(Query(text) for text in query.rewrites)]


def _best(rankings: Sequence[Ranking]) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, score in (each for ranking in rankings for each in ranking):
        found[key] = max(score, found.get(key, score))
    return found


def _vectors(embedder: Embedder, queries: Sequence[Query]) -> "NDArray[float32]":
    """The vector of each query; with passages it is the mean of its own and theirs, of length 1 (Gao et al. 2022)."""
    import numpy as np

    vectors = embedder.embed_queries([query.text for query in queries])
    passages = [passage for query in queries for passage in query.passages]
    if not passages:
        return vectors
    made, at = embedder.embed(passages), 0
    means = vectors.copy()
    for row, query in enumerate(queries):
        means[row] += made[at : at + len(query.passages)].sum(axis=0)
        at += len(query.passages)
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)  # type: ignore[no-any-return]
