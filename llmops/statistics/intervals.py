"""Intervals for one rate, mean or quantile."""

from collections.abc import Sequence
from math import ceil, inf, isfinite, log, sqrt
from typing import TYPE_CHECKING

from llmops.domain.records import record
from llmops.statistics.distributions import binomial_bounds, binomial_reach
from llmops.statistics.series import ByCase, by_case, check_confidence, finite, is_binary, normal_critical, t_critical
from llmops.statistics.skewness import skewed_reach

if TYPE_CHECKING:
    from llmops.statistics.series import Clusters, Values

ENOUGH = 10
"""Cases' worth of distance from a bound from which a mean's estimated variance carries an interval."""
EQUAL = "not estimable: all values equal"
"""Method of a mean that no data of its kind can bound: nothing tells how far a value could lie from the ones that were seen."""
SEEN = 5
"""Cases' worth of the rarer outcome, as seen, from which a rate's cluster-robust variance does: where 10 are expected,
which is where it is known to hold, fewer are hardly ever seen."""


@record
class Estimate:
    """A figure with its two-sided interval."""

    value: float
    low: float | None
    """None where the data cannot bound it."""
    high: float | None
    n: int
    """Independent units: cases, not repeats."""
    method: str

    @property
    def interval(self) -> tuple[float, float] | None:
        """Both ends; None where the data cannot bound one of them."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """The score interval of a proportion (Wilson 1927; Newcombe 1998, method 3).

    Raises:
        ValueError: `n` is not positive or `successes` is not between 0 and `n`.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"needs 0 <= successes <= n and n > 0, found {successes} of {n}")
    low, high = _wilson_bounds(successes / n, n, normal_critical(confidence))
    return Estimate(successes / n, low, high, n, "Wilson")


def proportion_interval(values: "Values", clusters: "Clusters | None" = None, *, confidence: float = 0.95) -> Estimate | None:
    """The share of ones, with repeats of a case as a cluster.

    Without repeats this is Wilson's interval. With repeats it is Wilson's at the effective sample size p(1-p)/V, V the
    cluster-robust variance, with Student's t on cases - 1 (Dean and Pagano 2015). Where fewer than 5 cases' worth
    succeeded or failed, V itself is unreliable, and each case counts once, as if its repeats always agreed.

    Args:
        values: 0 or 1 for each cell.
        clusters: the case of each cell; None: every cell is a case.
        confidence: two-sided.

    Returns:
        The estimate, or None when there are no values.

    Raises:
        ValueError: a value is neither 0 nor 1.
    """
    if not is_binary(values):
        raise ValueError("a proportion needs values that are 0 or 1")
    if not len(values):
        return None
    if clusters is None or len(set(clusters)) == len(clusters) == len(values):
        return wilson(int(sum(values)), len(values), confidence)
    cases = by_case(finite(values), clusters)
    return _score_interval(cases, cases.mean, confidence)


def exact_proportion(values: "Values", clusters: "Clusters | None" = None, *, confidence: float = 0.95) -> Estimate | None:
    """As `proportion_interval`, with ends of which neither errs more often than it may, whatever the rate and the cases are.

    Clopper and Pearson (1934); with repeats at the effective sample size (Korn and Graubard 1998). Wilson's interval is
    shorter and right on average over the rates, but its end towards 0 or 1 may err four times as often as it should.
    """
    if not is_binary(values):
        raise ValueError("a proportion needs values that are 0 or 1")
    if not len(values):
        return None
    cases = by_case(finite(values), clusters)
    units, told = (cases.cells, "") if not cases.repeated else _worth(cases, cases.mean, confidence)
    low, high = binomial_bounds(cases.mean * units, units, (1 - confidence) / 2)
    return Estimate(cases.mean, low, high, cases.cases, f"Clopper-Pearson{told}")


def mean_interval(
    values: "Values",
    clusters: "Clusters | None" = None,
    *,
    bounds: tuple[float, float] | None = None,
    confidence: float = 0.95,
) -> Estimate | None:
    """The mean, with repeats of a case as a cluster.

    Student's t on cases - 1 with the cluster-robust standard error (Miller 2024, "Adding Error Bars to Evals"), which towards a
    long tail is taken as large as the end implies (`skewed_reach`). Values that are all 0 or 1 are a proportion, unless one
    end is known to be infinite, as of dollars. A bounded metric whose mean lies so near a bound that fewer than 10 cases'
    worth of distance are left gets Wilson's interval, which is wide enough because no variable in [0, 1] varies more than a
    yes-or-no one of the same mean.

    Args:
        values: one for each cell.
        clusters: the case of each cell; None: every cell is a case.
        bounds: smallest and largest value the metric can take; an infinite end, or None: unbounded, or not known.
        confidence: two-sided.

    Returns:
        The estimate, or None when there are no values. Its ends lie within the bounds; they are None for an unbounded metric
        with a single case or with equal values, whose mean no data can bound (Bahadur and Savage 1956).

    Raises:
        ValueError: a value lies outside `bounds`.
    """
    floor, ceiling = bounds or (-inf, inf)
    closed = isfinite(floor) and isfinite(ceiling)
    if is_binary(values) and (floor, ceiling) in ((-inf, inf), (0.0, 1.0)):
        return proportion_interval(values, clusters, confidence=confidence)
    if not len(values):
        return None
    numbers = finite(values)
    cases = by_case(numbers, clusters)
    if not floor <= min(numbers) <= max(numbers) <= ceiling:
        raise ValueError(f"values from {min(numbers):g} to {max(numbers):g} do not lie within {floor:g} to {ceiling:g}")
    if closed:
        return _bounded_mean(cases, floor, ceiling, confidence)
    if cases.level:
        mean = numbers[0] if min(numbers) == max(numbers) else cases.mean  # their sum may round to the other side of a limit
        return Estimate(mean, None, None, cases.cases, "not estimable: one case" if cases.cases == 1 else EQUAL)
    return _t_interval(cases, floor, ceiling, confidence)


def quantile_interval(
    values: "Values", q: float, clusters: "Clusters | None" = None, *, confidence: float = 0.95
) -> Estimate | None:
    """A quantile, bounded by order statistics: exact for any distribution (David and Nagaraja 2003, section 7.1).

    The estimate is `quantile`'s. With repeats the ranks are those that so many independent values as the repeats are worth
    would have, as shares of all values (Woodruff 1952): as many as give the share below the quantile its cluster-robust
    variance, with Student's t on cases - 1 (Dean and Pagano 2015). Where fewer than 5 cases' worth lie on one side of it,
    that variance is unreliable, and each case counts once, as if its repeats were all alike.

    Args:
        values: one for each cell.
        q: share of values below, between 0 and 1.
        clusters: the case of each cell; None: every cell is a case.
        confidence: two-sided, half of the error on either side.

    Returns:
        The estimate, or None when there are no values. An end that no order statistic can give is None: an upper bound
        of p99 at one-sided 95 % needs 299 values (`values_needed`), or cases where each counts once.
    """
    check_confidence(confidence)
    numbers = finite(values)
    n = len(numbers)
    if not n:
        return None
    ordered = sorted(numbers)
    estimate = _interpolated(ordered, q)
    cases = by_case([value <= estimate for value in numbers], clusters)
    units, told = (n, "") if not cases.repeated else _worth(cases, q, confidence)
    below, above = (binomial_reach(units, share, (1 - confidence) / 2) for share in (q, 1 - q))
    # Whole cells, rounded to the wider side; without repeats these are the ranks themselves.
    low = ordered[below * n // units - 1] if below else None
    high = ordered[n - above * n // units] if above else None
    method = f"order statistics{told}{'' if below and above else ': not estimable on both sides'}"
    return Estimate(estimate, low, high, cases.cases, method)


def _worth(cases: ByCase, q: float, confidence: float) -> tuple[int, str]:
    """How many independent values the repeats are worth for a share that is to be q, and how that was told."""
    if min(q, 1 - q) * cases.independent < SEEN or cases.level:
        return max(1, int(cases.independent)), ", each case once"
    inflated = (t_critical(confidence, cases.cases - 1) / normal_critical(confidence)) ** 2
    share = cases.mean
    worth = share * (1 - share) / (cases.variance_of_mean * inflated)
    return max(1, int(min(worth, cases.cells))), ", cases as clusters"


def quantile(values: "Values", q: float) -> float | None:
    """A quantile, interpolated linearly between order statistics (Hyndman and Fan's type 7); None without values.

    Args:
        values: finite numbers.
        q: share of values below, between 0 and 1.
    """
    return _interpolated(sorted(values), q) if len(values) else None


def _interpolated(ordered: Sequence[float], q: float) -> float:
    place = q * (len(ordered) - 1)
    below = ordered[int(place)]
    above = ordered[ceil(place)]
    return below + (place - int(place)) * (above - below)


def values_needed(q: float, *, confidence: float = 0.95) -> int:
    """Smallest number of values for which both ends of a quantile's interval exist; `confidence` is two-sided."""
    check_confidence(confidence)
    tail = log((1 - confidence) / 2)
    return max(ceil(tail / log(q)), ceil(tail / log(1 - q)))


def _wilson_bounds(p: float, n: float, critical: float) -> tuple[float, float]:
    z2 = critical**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = critical / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At the ends the formula gives 0 and 1 only up to rounding.
    return (0.0 if p <= 0 else max(0.0, centre - half)), (1.0 if p >= 1 else min(1.0, centre + half))


def _score_interval(cases: ByCase, p: float, confidence: float) -> Estimate:
    """Wilson's interval for 0-1 values with repeats."""
    if min(p, 1 - p) * cases.independent >= SEEN and not cases.level:
        effective = min(p * (1 - p) / cases.variance_of_mean, float(cases.cells))
        low, high = _wilson_bounds(p, effective, t_critical(confidence, cases.cases - 1))
        return Estimate(p, low, high, cases.cases, "Wilson at the effective sample size, cases as clusters")
    low, high = _wilson_bounds(p, cases.independent, normal_critical(confidence))
    return Estimate(p, low, high, cases.cases, "Wilson, each case once")


def _t_interval(cases: ByCase, floor: float, ceiling: float, confidence: float) -> Estimate:
    below, above = skewed_reach(cases, confidence)
    low, high = max(floor, cases.mean - below), min(ceiling, cases.mean + above)
    method = "t, skewness-adjusted, cases as clusters" if cases.repeated else "t, skewness-adjusted"
    return Estimate(cases.mean, low, high, cases.cases, method)


def _bounded_mean(cases: ByCase, floor: float, ceiling: float, confidence: float) -> Estimate:
    width = ceiling - floor
    share = min(1.0, max(0.0, (cases.mean - floor) / width))
    if min(share, 1 - share) * cases.independent >= ENOUGH and not cases.level:
        return _t_interval(cases, floor, ceiling, confidence)
    low, high = _wilson_bounds(share, cases.independent, normal_critical(confidence))
    return Estimate(cases.mean, floor + low * width, floor + high * width, cases.cases, "Wilson for a bounded mean")
