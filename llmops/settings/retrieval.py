"""How an index is asked: `retrieve:` of an index in llmops.yaml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llmops.settings.validation import Amount, Number, Positive, Share, Strict

Text = Annotated[str, Field(min_length=1)]


class WhereSettings(Strict):
    """Which chunks are searched; all that is given must hold."""

    documents: Annotated[list[Text], Field(min_length=1)] | None = None
    """Globs over document ids; one must match."""
    headings: Annotated[list[Text], Field(min_length=1)] | None = None
    """Titles; one must stand in the chunk's heading path."""
    metadata: Annotated[dict[str, str | int | bool], Field(min_length=1)] | None = None
    """Values that the document's metadata must have."""


class RewriteSettings(Strict):
    """A model that says a query in other words; every wording is searched for, beside the query itself."""

    model: Text
    """Of `models`."""
    queries: Annotated[int, Field(ge=1, le=10)] = 3
    """Other wordings, at most."""
    prompt: Text | None = None
    """A prompt of the project that stands in for the package's own."""


class HydeSettings(Strict):
    """A model that writes passages which would answer a query; the vectors are searched with the mean of theirs and its own.

    Source: Gao, Ma, Lin and Callan, "Precise Zero-Shot Dense Retrieval without Relevance Labels", 2022.
    """

    model: Text
    """Of `models`."""
    documents: Annotated[int, Field(ge=1, le=8)] = 1
    """Passages, each by a call of its own."""
    prompt: Text | None = None
    """A prompt of the project that stands in for the package's own."""


class RerankSettings(Strict):
    """A cross-encoder that reads the query and each candidate together."""

    name: Text
    """Hub name or local folder, for sentence-transformers."""
    candidates: Positive = 20
    """Best of the fused ranking that are read; the others are dropped."""
    batch_size: Positive = 32


class AbstainSettings(Strict):
    """When to give no hits at all: no candidate reaches the score. Fused ranks have no scale, so they cannot say it."""

    cosine: Annotated[float, Field(ge=-1, le=1, strict=False)] | None = None
    rerank: Number | None = None
    """On the scale of the reranker."""

    @model_validator(mode="after")
    def _one_score(self) -> Self:
        if (self.cosine is None) == (self.rerank is None):
            raise ValueError("needs exactly one of `cosine` and `rerank`")
        return self


class RetrieveSettings(Strict):
    """How a query becomes hits."""

    dense: Annotated[int, Field(ge=0)] = 20
    """Candidates from the vectors; 0 switches them off."""
    bm25: Annotated[int, Field(ge=0)] = 20
    """Candidates from BM25; 0 switches it off."""
    fuse: Literal["rrf", "weighted"] = "weighted"
    """By rank, or by scores that are scaled to 0 .. 1 within each ranking."""
    dense_weight: Amount = 1.0
    """Weight of the vectors in the fusion, against 1 for BM25."""
    k: Positive = 5
    """Hits that a prompt gets."""
    rewrite: RewriteSettings | None = None
    hyde: HydeSettings | None = None
    where: WhereSettings | None = None
    rerank: RerankSettings | None = None
    abstain: AbstainSettings | None = None
    mmr: Share | None = None
    """Weight of relevance against novelty among the hits; 1: relevance alone."""
    neighbours: Annotated[int, Field(ge=1, le=10)] | None = None
    """Chunks of the same document that are added before and after each hit."""
    max_tokens: Positive | None = None
    """Tokens of the embedder that all hits of a query have together, at most."""

    @model_validator(mode="after")
    def _stages_that_exist(self) -> Self:
        if not self.dense and not self.bm25:
            raise ValueError("needs `dense` or `bm25` above 0")
        if self.hyde is not None and not self.dense:
            raise ValueError("`hyde` needs `dense` above 0: it changes the vector that is searched with")
        if self.abstain is not None and self.abstain.cosine is not None and not self.dense:
            raise ValueError("`abstain` on `cosine` needs `dense` above 0")
        if self.abstain is not None and self.abstain.rerank is not None and self.rerank is None:
            raise ValueError("`abstain` on `rerank` needs `rerank`")
        if self.rerank is not None and self.rerank.candidates < self.k:
            raise ValueError(f"`rerank.candidates` {self.rerank.candidates} should not be below `k` {self.k}")
        return self
