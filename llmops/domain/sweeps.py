"""What a sweep over configurations of an index found."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from llmops.domain.measures import Direction
from llmops.domain.records import record

SWEEP_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""

SweepMetric = Literal["recall", "ndcg", "mrr"]
SweepVerdict = Direction | Literal["current"]
"""Of the winner against the current configuration within the budget, on the reporting fold."""
BudgetOrigin = Literal["given", "current", "largest chunk"]
"""`current`: what the current configuration gives, on average or at most; `largest chunk`: it gives less than one of those."""


@record
class TrialFigures:
    """What the store keeps of one configuration: a node of kind `sweep`."""

    scores: Mapping[str, float]
    """By query, as the tokens of its context."""
    tokens: Mapping[str, int]
    seconds: Sequence[float]
    """Of each query that was asked."""
    chunks: int
    size_bytes: int
    build_s: float | None
    """Cutting and embedding; None: it shares the index of another."""


@record
class Tried:
    """One configuration."""

    name: str
    changes: Mapping[str, Any]
    """What it sets differently from llmops.yaml, such as `chunker.kind`."""
    chunks: int
    size_bytes: int
    """Vectors and texts."""
    build_s: float | None
    """Cutting and embedding; None: it shares the index of another."""
    tokens: float
    """Mean of the context, by the current embedder's count."""
    query_ms: Mapping[str, float]
    """`p50` and `p95` of one query with its embedding."""
    chosen_on: float
    """Mean on the choosing fold."""
    score: float | None
    """Mean on the reporting fold; None: rejected before it."""
    interval: tuple[float, float] | None
    """Two-sided, 95 %."""
    difference: float | None
    """From the current configuration within the budget, on the reporting fold."""
    difference_interval: tuple[float, float] | None
    p_value: float | None
    """Of no difference, adjusted for the number of configurations (Holm)."""
    on_frontier: bool
    """No other is at least as good, as fast and as small, and better in one of them."""


@record
class Sweep:
    """Configurations of one index, compared at an equal budget of context tokens."""

    index: str
    metric: SweepMetric
    budget: int
    """Tokens of context that no configuration exceeds."""
    budget_from: BudgetOrigin
    choosing: int
    """Queries that the winner was chosen on."""
    reporting: int
    """Other queries, that the figures are of."""
    today: Tried
    """The current configuration as llmops.yaml has it, without the budget."""
    tried: tuple[Tried, ...]
    """The current one within the budget first, the others by what they were chosen on."""
    winner: str
    verdict: SweepVerdict
    left_out: tuple[str, ...]
    """Combinations that could not be tried, with the reason."""
    unknown: tuple[str, ...] = ()
    """Labels that name no document of the corpus: no configuration can find them."""
    schema_version: int = SWEEP_VERSION
