"""Two groups of different cases: the difference of their figures, for traffic that is split and never answered twice."""

from math import hypot

from llmops.statistics.intervals import Estimate


def independent_difference(baseline: Estimate, candidate: Estimate) -> Estimate:
    """Candidate minus baseline, with an interval made of both groups' own (MOVER: Zou and Donner 2008).

    For two shares with Wilson's intervals this is Newcombe's hybrid score interval (Newcombe 1998, method 10), which keeps
    its coverage near 0 and 1. Clusters within a group count as far as the group's own interval counts them.

    Args:
        baseline: figure of one group, its interval at the confidence that is wanted of the difference.
        candidate: of the other, at the same confidence.

    Returns:
        The difference; its ends are None when an end of either interval is, and `n` is the smaller group's.
    """
    value, n = candidate.value - baseline.value, min(baseline.n, candidate.n)
    if baseline.low is None or baseline.high is None or candidate.low is None or candidate.high is None:
        return Estimate(value, None, None, n, "not estimable: a group's interval is not")
    low = value - hypot(candidate.value - candidate.low, baseline.high - baseline.value)
    high = value + hypot(candidate.high - candidate.value, baseline.value - baseline.low)
    return Estimate(value, low, high, n, "MOVER")
