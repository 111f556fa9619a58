"""Compares two versions on the same cases."""

from math import inf, isfinite
from typing import TYPE_CHECKING

from llmops.domain.records import record
from llmops.statistics.bootstrap import quantile_difference
from llmops.statistics.intervals import ENOUGH, values_needed
from llmops.statistics.matched_pairs import EXACT_UP_TO, exact_interval, mcnemar_mid_p, tango
from llmops.statistics.series import ByCase, array_of, by_case, check_confidence, is_binary
from llmops.statistics.skewness import skewed_p, skewed_reach

if TYPE_CHECKING:
    from llmops.statistics.series import Clusters, Floats, Values

UNCHANGED = "unchanged"
FLIPS_SEEN = 7
"""Cases' worth of flips from which a clustered difference has a usable variance; at 5 the gate would pass slightly too
often when cases break with all their repeats."""


@record
class PairedDifference:
    """Candidate minus baseline over the same cases."""

    difference: float
    low: float | None
    """Lower end of the two-sided interval; None where the data cannot bound it."""
    high: float | None
    n: int
    """Cases."""
    wins: int
    """Cases on which the candidate has the higher value, repeats averaged."""
    losses: int
    ties: int
    p_value: float | None
    """Two-sided, of no difference; None where there is no test."""
    method: str
    """How the interval was made."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None where the data cannot bound one of them."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def paired_difference(
    baseline: "Values",
    candidate: "Values",
    *,
    clusters: "Clusters | None" = None,
    bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
    unchanged: bool = False,
) -> PairedDifference | None:
    """The difference of two means or pass rates, cell by cell.

    Yes-or-no values: Tango's score interval (exact and unconditional up to 30 cases) with McNemar's mid-p; with repeats
    a skewness-adjusted cluster-robust interval, or, where fewer than 7 cases' worth of flips make its variance unreliable,
    Tango's with each case counted once. Other values: Student's t on cases - 1, adjusted for skewness. Where fewer than 10
    cases differ among more that do not, a bounded metric gets the score interval of its gains and losses, which is wide
    enough because no difference within the bounds varies more than a flip; an unbounded one gets no interval.

    Args:
        baseline: one value per cell.
        candidate: of the same cells, in the same order.
        clusters: the case of each cell; None: every cell is a case.
        bounds: smallest and largest value the metric can take; None: not known. With an infinite end it is no rate, even
            where all values are 0 or 1.
        confidence: two-sided.
        unchanged: no step that leads to the values differs, so that the difference is exactly 0, not just observed as 0.

    Returns:
        The difference, or None when there are no cells.

    Raises:
        ValueError: the two sides are not equally long, or differ although `unchanged`.
    """
    check_confidence(confidence)
    before, after = _sides(baseline, candidate)
    if not len(before):
        return None
    changes = after - before
    cases = by_case(changes, clusters)
    if unchanged:
        if changes.any():
            raise ValueError("values differ although nothing changed: say unchanged=False")
        return PairedDifference(0.0, 0.0, 0.0, cases.cases, 0, 0, cases.cases, 1.0, UNCHANGED)
    if is_binary(before) and is_binary(after) and bounds in (None, (0.0, 1.0)):
        return _binary_difference(cases, changes, confidence)
    return _mean_difference(cases, changes, bounds, confidence)


def paired_quantile_difference(
    baseline: "Values",
    candidate: "Values",
    q: float,
    *,
    clusters: "Clusters | None" = None,
    confidence: float = 0.95,
) -> PairedDifference | None:
    """The difference of two quantiles, such as p95 of latency, bounded by a bootstrap over cases.

    Returns:
        The difference, or None when there are no cells. Its ends are None where there are too few cases for order
        statistics to bound the quantile itself (`values_needed`): resampling cannot know a tail that was never seen.

    Raises:
        ValueError: the two sides are not equally long.
    """
    import numpy as np

    before, after = _sides(baseline, candidate)
    if not len(before):
        return None
    cases = by_case(after - before, clusters)
    value = float(np.quantile(after, q) - np.quantile(before, q))
    wins, losses = _tally(cases)
    counts = (cases.cases, wins, losses, cases.cases - wins - losses)
    needed = values_needed(q, confidence=confidence)
    if cases.cases < needed:
        return PairedDifference(value, None, None, *counts, None, f"not estimable: needs {needed} cases")
    index = np.arange(len(before)) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    low, high = quantile_difference(before, after, q, case_index=index, confidence=confidence)
    return PairedDifference(value, min(low, value), max(high, value), *counts, None, "bootstrap")


def _sides(baseline: "Values", candidate: "Values") -> "tuple[Floats, Floats]":
    if len(baseline) != len(candidate):
        raise ValueError(f"pairs need equally long sides, found {len(baseline)} and {len(candidate)} values")
    return array_of(baseline), array_of(candidate)


def _tally(cases: ByCase) -> tuple[int, int]:
    # A sum of repeats that cancel may miss 0 by rounding.
    tolerance = 1e-12 * max(1.0, *map(abs, cases.sums))
    return sum(total > tolerance for total in cases.sums), sum(total < -tolerance for total in cases.sums)


def _binary_difference(cases: ByCase, changes: "Floats", confidence: float) -> PairedDifference:
    wins, losses = _tally(cases)
    n = cases.cases
    if cases.repeated:
        low, high, p_value, method = _clustered_rate(cases, changes, confidence)
    else:
        p_value = mcnemar_mid_p(wins, losses)
        if n <= EXACT_UP_TO:
            (low, high), method = exact_interval(wins, losses, n, confidence), "exact unconditional"
        else:
            (low, high), method = tango(wins, losses, n, confidence), "Tango's score interval"
    return PairedDifference(cases.mean, low, high, n, wins, losses, n - wins - losses, p_value, method)


def _clustered_rate(cases: ByCase, changes: "Floats", confidence: float) -> tuple[float, float, float | None, str]:
    gain, loss = _gain_and_loss(changes, 1.0)
    units = cases.independent
    if (gain + loss) * units < FLIPS_SEEN or cases.level:
        low, high = tango(gain * units, loss * units, units, confidence)
        # Without a flip there is nothing to test; with a few, repeats that agree would feign a small p-value.
        return low, high, None if gain + loss else 1.0, "Tango's score interval, each case once"
    below, above = skewed_reach(cases, confidence)
    low, high = max(-1.0, cases.mean - below), min(1.0, cases.mean + above)
    return low, high, skewed_p(cases), "skewness-adjusted score interval, cases as clusters"


def _gain_and_loss(changes: "Floats", width: float) -> tuple[float, float]:
    """Mean gain and mean loss per cell, as shares of the metric's range."""
    scale = width * len(changes)
    return float(changes[changes > 0].sum() / scale), float(-changes[changes < 0].sum() / scale)


def _mean_difference(
    cases: ByCase, changes: "Floats", bounds: tuple[float, float] | None, confidence: float
) -> PairedDifference:
    n = cases.cases
    wins, losses = _tally(cases)
    ties = n - wins - losses
    few = (wins + losses < ENOUGH and ties > wins + losses) or cases.level
    width = inf if bounds is None else bounds[1] - bounds[0]
    if few and isfinite(width):
        gain, loss = _gain_and_loss(changes, width)
        units = cases.independent
        low, high = tango(gain * units, loss * units, units, confidence)
        p_value = 1.0 if not wins + losses else None
        return PairedDifference(cases.mean, low * width, high * width, n, wins, losses, ties, p_value, "score, bounded gains")
    if few:
        return PairedDifference(cases.mean, None, None, n, wins, losses, ties, None, f"not estimable: {_why_not(cases, ties)}")
    return _by_t(cases, width, confidence, (wins, losses, ties))


def _why_not(cases: ByCase, ties: int) -> str:
    if cases.cases == 1:
        return "one case"
    return "all cases differ by the same amount" if cases.level and not ties else "too few cases differ"


def _by_t(cases: ByCase, width: float, confidence: float, counts: tuple[int, int, int]) -> PairedDifference:
    below, above = skewed_reach(cases, confidence)
    low, high = max(-width, cases.mean - below), min(width, cases.mean + above)
    method = "paired t, skewness-adjusted, cases as clusters" if cases.repeated else "paired t, skewness-adjusted"
    return PairedDifference(cases.mean, low, high, cases.cases, *counts, skewed_p(cases), method)
