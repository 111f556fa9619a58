"""Ends of a mean's interval where skewed data make the mean and its standard error come out too small together."""

from math import fsum, sqrt
from typing import TYPE_CHECKING

from llmops.statistics.series import t_critical

if TYPE_CHECKING:
    from llmops.statistics.series import ByCase


def lean(cases: "ByCase") -> float:
    """By how much the variance of the mean grows per unit of the mean: third over second central moment, over cases.

    Mean and variance of skewed data vary together, with this slope (Johnson 1978; Hall 1992): when few cases happen to
    break, or to be slow, both the mean and its standard error come out too small. For yes-or-no data it is the slope of
    p(1 - p) / n, so that the interval below is Wilson's to first order.

    Raises:
        ZeroDivisionError: the cases do not vary.
    """
    residuals = cases.residuals
    most = max(map(abs, residuals))
    shares = [each / most for each in residuals]  # whose third powers can be computed whatever the unit is
    return most * fsum(each**3 for each in shares) / fsum(each**2 for each in shares) / cases.cells


def skewed_reach(cases: "ByCase", confidence: float) -> tuple[float, float]:
    """Distance of both ends from the mean: where it is t standard errors away, the error taken as that end implies.

    The variance grows towards the long tail; on the other side it stays as observed, where it would shrink. Without
    skewness both are Student's t on cases - 1.

    Args:
        cases: two at least, that vary.
        confidence: two-sided.
    """
    t, slope = t_critical(confidence, cases.cases - 1), lean(cases)
    variance, growth = cases.variance_of_mean, t * t * abs(slope)
    short, long = t * sqrt(variance), (growth + sqrt(growth**2 + 4 * t * t * variance)) / 2
    return (long, short) if slope < 0 else (short, long)


def skewed_p(cases: "ByCase") -> float:
    """Two-sided p-value of a mean of 0, with the error that it implies; `cases` as in `skewed_reach`."""
    from scipy.special import stdtr

    variance = cases.variance_of_mean + max(0.0, -cases.mean * lean(cases))
    return float(2 * stdtr(cases.cases - 1, -abs(cases.mean) / sqrt(variance)))
