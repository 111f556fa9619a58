"""How well retrieval works, in figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmops.domain.scores import JudgeUse


@dataclass(frozen=True, slots=True)
class Measured:
    """One configuration on one labelled set."""

    name: str
    queries: int
    """With at least one relevant document or place."""
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
