"""How well retrieval works, in figures."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llmops.domain.records import record
from llmops.domain.scores import JudgeUse

Direction = Literal["better", "not told apart", "worse"]
"""Of a configuration against another on the same queries."""


@record
class JudgedContexts:
    """What a judge says of the hits that prompts get; it needs no labels."""

    judge: str
    questions: int
    """That were asked about."""
    measured: Mapping[str, int]
    """Questions with a verdict, by metric. One without hits has no `context_relevance`; its `sufficiency` is 0."""
    metrics: Mapping[str, float]
    """`context_relevance`: share of a question's hits that help to answer it, averaged. `sufficiency`: share of the questions
    whose hits hold the whole answer."""
    intervals: Mapping[str, tuple[float, float] | None]
    """Two-sided at 95 %, over the questions; how often the judge errs is not in them."""
    failed: int = 0
    """Questions for which the judge gave no usable verdict."""
    calls: int = 0
    """Of the judge, now or in an earlier command whose replies were kept."""
    cost_usd: float | None = 0.0
    """What they cost when they were made; None: the price is not known."""
    spent_usd: float | None = 0.0
    """Part of `cost_usd` that was paid now."""
    stopped: bool = False
    """The budget was spent before all questions were asked about."""


@record
class Measured:
    """One configuration on one labelled set."""

    name: str
    queries: int
    """With at least one relevant document or place; 0: nothing is labelled, and only a judge has measured."""
    documents: int
    chunks: int
    metrics: Mapping[str, float]
    """Means over the queries, by name, such as `ndcg@10`."""
    intervals: Mapping[str, tuple[float, float] | None]
    """Two-sided at 95 %."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """`build_s`: bringing the index up to date; `query_p50_ms` and `query_p95_ms`: one query with its embedding."""
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    """Median of each stage of a query: `rewrite` (what models took that wrote for it), `embed`, `dense`, `bm25`, `rerank`, and
    `pack`, which makes hits of chunks."""
    writing: JudgeUse | None = None
    """Calls to models that write for queries; None: there are none."""
    judged: JudgedContexts | None = None
    """None: no judge was asked."""
    unknown: tuple[str, ...] = ()
    """Labels that name nothing in the index, each once: they count as not found, whatever is retrieved."""


@record
class RetrievalDifference:
    """One configuration minus the first, on one metric over the same queries."""

    name: str
    against: str
    """The first configuration."""
    metric: str
    queries: int
    wins: int
    """Queries on which this configuration has the higher value."""
    losses: int
    difference: float
    interval: tuple[float, float] | None
    """Two-sided at 95 %; None where the data cannot bound it."""
    p_value: float | None
    """Of no difference, adjusted for the number of configurations (Holm); None where there is no test."""
    verdict: Direction
    """Not told apart unless the interval leaves out 0 and the p-value, where there is one, is below 0.05."""
