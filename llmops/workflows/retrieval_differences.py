"""Configurations of retrieval against one of them, query by query."""

from collections.abc import Sequence

from llmops.domain.measures import Direction, RetrievalDifference
from llmops.domain.records import record
from llmops.statistics.adjust import holm
from llmops.statistics.paired import PairedDifference, paired_difference
from llmops.workflows.rag_eval import Ranked

SIGNIFICANT = 0.05
"""Adjusted p-value from which a difference among several is not told apart."""


@record
class Against:
    """One configuration minus the baseline, on one metric."""

    paired: PairedDifference
    p_value: float | None
    """Adjusted for the number of configurations (Holm); None where there is no test."""


def against(baseline: Sequence[float], others: Sequence[Sequence[float]]) -> list[Against]:
    """The difference of each other configuration, over the same queries.

    Args:
        baseline: one value for each query, from 0 to 1; at least one.
        others: of the same queries, in the same order.
    """
    found = [paired for each in others if (paired := query_difference(baseline, each)) is not None]
    adjusted = iter(holm([each.p_value for each in found if each.p_value is not None]))
    return [Against(each, None if each.p_value is None else next(adjusted)) for each in found]


def query_difference(
    baseline: Sequence[float], candidate: Sequence[float], confidence: float = 0.95
) -> PairedDifference | None:
    """Candidate minus baseline of a metric from 0 to 1, with a two-sided interval; None without queries."""
    return paired_difference(baseline, candidate, bounds=(0.0, 1.0), confidence=confidence)


def direction(interval: tuple[float, float] | None) -> Direction:
    """Which way a difference goes, where its interval leaves out 0."""
    if interval is None:
        return "not told apart"
    return "better" if interval[0] > 0 else "worse" if interval[1] < 0 else "not told apart"


def against_first(found: Sequence[Ranked]) -> tuple[RetrievalDifference, ...]:
    """Each other configuration minus the first, metric by metric; nothing for a single one."""
    if len(found) < 2:
        return ()
    first, *others = found
    by_metric = {metric: against(values, [each.scores[metric] for each in others]) for metric, values in first.scores.items()}
    return tuple(
        _told(first.measured.name, other.measured.name, metric, differences[place])
        for place, other in enumerate(others)
        for metric, differences in by_metric.items()
    )


def _told(baseline: str, name: str, metric: str, found: Against) -> RetrievalDifference:
    paired, p = found.paired, found.p_value
    verdict = direction(paired.interval) if p is None or p < SIGNIFICANT else "not told apart"
    counts = (paired.n, paired.wins, paired.losses)
    return RetrievalDifference(name, baseline, metric, *counts, paired.difference, paired.interval, p, verdict)
