"""How sure each of several looks at one question has to be, so that all of them together are as sure as one may be."""

from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

from llmops.statistics.series import check_confidence

NODES = 200
"""Of the integrals: the probability of an error is known to nine digits for 50 looks."""
REACH = 8.0
"""Standard deviations below 0 from which on a statistic counts as impossible."""


@cache
def look_confidence(confidence: float, sizes: Sequence[int]) -> float:
    """One-sided confidence of each look that gives the one wanted to all of them together (Pocock 1977).

    A question is asked again while it is undecided. At a constant confidence per look each adds to the probability that a
    wrong answer is given at some time. The boundary is that of a normal statistic after so many independent answers as
    `sizes` say. Where answers to one case are alike the looks are, too, and the error is smaller than that.

    Args:
        confidence: one-sided, above 0 and below 1.
        sizes: answers per case at each look, ascending.

    Raises:
        ValueError: a confidence out of range, or sizes that are none.
    """
    check_confidence(confidence)
    if not sizes or sizes[0] < 1 or any(later <= earlier for earlier, later in zip(sizes, sizes[1:], strict=False)):
        raise ValueError(f"sizes must be positive and ascending, found {list(sizes)!r}")
    if len(sizes) == 1:
        return confidence
    from scipy.optimize import brentq

    normal = NormalDist()
    # Between one look's own boundary and Bonferroni's.
    least, most = normal.inv_cdf(confidence), normal.inv_cdf(1 - (1 - confidence) / len(sizes))
    boundary = brentq(lambda bound: crossing(bound, sizes) - (1 - confidence), least, most, xtol=1e-9)
    return normal.cdf(boundary)


def crossing(boundary: float, sizes: Sequence[int]) -> float:
    """Probability that a standardised sum of normal values exceeds a boundary at one look or more.

    The density of sums that have not, look by look (Armitage, McPherson and Rowe 1969).

    Args:
        boundary: in standard deviations.
        sizes: number of values at each look, ascending.
    """
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    sums = mass = np.zeros(1)
    before = 0
    for size in sizes:
        end, start = boundary * size**0.5, -REACH * size**0.5
        reached = (end - start) / 2 * nodes + (end + start) / 2
        step = float(size - before) ** 0.5
        density = np.exp(-(((reached[:, None] - sums) / step) ** 2) / 2) / (step * (2 * np.pi) ** 0.5)
        mass = (end - start) / 2 * weights * (density @ mass if before else density[:, 0])
        sums, before = reached, size
    return float(1 - mass.sum())
