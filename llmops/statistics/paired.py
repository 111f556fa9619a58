"""Compares two versions on the same cases."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from llmops.statistics.bootstrap import SEED, bca_mean, quantile_difference
from llmops.statistics.intervals import ENOUGH, values_needed
from llmops.statistics.matched_pairs import EXACT_UP_TO, exact_interval, mcnemar_mid_p, score_interval, score_statistic
from llmops.statistics.series import ByCase, array_of, by_case, check_confidence, is_binary, normal_critical, t_critical

if TYPE_CHECKING:
    from llmops.statistics.series import Clusters, Floats, Values

UNCHANGED = "unchanged"
BOOTSTRAP_FROM, BOOTSTRAP_TO = 30, 1_000
"""Cases between which a mean's skewness is worth a bootstrap: below it is unreliable, above the normal limit holds."""


@dataclass(frozen=True, slots=True)
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
    the score interval with the cluster-robust variance and Student's t on cases - 1, or, where fewer than 10 cases' worth
    of flips make that variance unreliable, with each case counted once. Other values: Student's t on cases - 1, or, for an
    unbounded metric on 30 to 1,000 cases, the BCa bootstrap. Where fewer than 10 cases differ among more that do not,
    a bounded metric gets the score interval of its gains and losses, which is wide enough because no difference within
    the bounds varies more than a flip; an unbounded one gets no interval.

    Args:
        baseline: one value per cell.
        candidate: of the same cells, in the same order.
        clusters: the case of each cell; None: every cell is a case.
        bounds: smallest and largest value the metric can take; None: unbounded, or not known.
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
    if is_binary(before) and is_binary(after):
        return _binary_difference(cases, changes, confidence)
    return _mean_difference(cases, changes, bounds, confidence)


def paired_quantile_difference(
    baseline: "Values",
    candidate: "Values",
    q: float,
    *,
    clusters: "Clusters | None" = None,
    confidence: float = 0.95,
    seed: int = SEED,
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
    low, high = quantile_difference(before, after, q, case_index=index, confidence=confidence, seed=seed)
    return PairedDifference(value, min(low, value), max(high, value), *counts, None, "bootstrap")


def _sides(baseline: "Values", candidate: "Values") -> "tuple[Floats, Floats]":
    if len(baseline) != len(candidate):
        raise ValueError(f"pairs need equally long sides, found {len(baseline)} and {len(candidate)} values")
    return array_of(baseline), array_of(candidate)


def _tally(cases: ByCase) -> tuple[int, int]:
    # A sum of repeats that cancel may miss 0 by rounding.
    tolerance = 1e-12 * max(1.0, float(abs(cases.sums).max()))
    return int((cases.sums > tolerance).sum()), int((cases.sums < -tolerance).sum())


def _binary_difference(cases: ByCase, changes: "Floats", confidence: float) -> PairedDifference:
    wins, losses = _tally(cases)
    n = cases.cases
    if cases.repeated:
        low, high, p_value, method = _clustered_score(cases, changes, confidence)
    else:
        p_value = mcnemar_mid_p(wins, losses)
        if n <= EXACT_UP_TO:
            (low, high), method = exact_interval(wins, losses, n, confidence), "exact unconditional"
        else:
            (low, high), method = score_interval(wins, losses, n, normal_critical(confidence)), "Tango's score interval"
    return PairedDifference(cases.mean, low, high, n, wins, losses, n - wins - losses, p_value, method)


def _clustered_score(cases: ByCase, changes: "Floats", confidence: float) -> tuple[float, float, float, str]:
    import numpy as np
    from scipy.special import stdtr

    gain, loss = _gain_and_loss(changes, 1.0)
    n, critical, degrees, variance = cases.independent, normal_critical(confidence), float("inf"), None
    method = "score interval, each case once"
    if (gain + loss) * n >= ENOUGH and cases.variance_of_mean > 0:
        # Repeats cannot tell more than as many cases would.
        variance = max(cases.variance_of_mean, (gain + loss - cases.mean**2) / cases.cells)
        critical, degrees = t_critical(confidence, cases.cases - 1), cases.cases - 1
        method = "score interval, cases as clusters"
    low, high = score_interval(gain * n, loss * n, n, critical, variance)
    counts = (np.float64(gain * n), np.float64(loss * n), np.float64(n), np.float64(0))
    statistic = abs(float(score_statistic(*counts, variance)))  # type: ignore[arg-type]
    return low, high, float(2 * stdtr(degrees, -statistic)), method


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
    few = (wins + losses < ENOUGH and ties > wins + losses) or n == 1 or cases.variance_of_mean == 0
    if few and bounds is not None:
        width = bounds[1] - bounds[0]
        gain, loss = _gain_and_loss(changes, width)
        units = cases.independent
        low, high = score_interval(gain * units, loss * units, units, normal_critical(confidence))
        p_value = 1.0 if not wins + losses else None
        return PairedDifference(cases.mean, low * width, high * width, n, wins, losses, ties, p_value, "score, bounded gains")
    if few:
        reason = "one case" if n == 1 else "too few cases differ"
        return PairedDifference(cases.mean, None, None, n, wins, losses, ties, None, f"not estimable: {reason}")
    return _by_t_or_bootstrap(cases, bounds, confidence, (wins, losses, ties))


def _by_t_or_bootstrap(
    cases: ByCase, bounds: tuple[float, float] | None, confidence: float, counts: tuple[int, int, int]
) -> PairedDifference:
    from scipy.special import stdtr

    error = sqrt(cases.variance_of_mean)
    p_value = float(2 * stdtr(cases.cases - 1, -abs(cases.mean) / error))
    if bounds is None and BOOTSTRAP_FROM <= cases.cases <= BOOTSTRAP_TO:
        low, high = bca_mean(cases, confidence=confidence)
        return PairedDifference(cases.mean, low, high, cases.cases, *counts, p_value, "BCa bootstrap")
    half = t_critical(confidence, cases.cases - 1) * error
    low, high = cases.mean - half, cases.mean + half
    if bounds is not None:
        width = bounds[1] - bounds[0]
        low, high = max(-width, low), min(width, high)
    method = "paired t, cases as clusters" if cases.repeated else "paired t"
    return PairedDifference(cases.mean, low, high, cases.cases, *counts, p_value, method)
