"""Student's t and the binomial without scipy, whose import takes a fifth of a run with nothing to compute."""

from functools import lru_cache
from math import atan, comb, cos, exp, lgamma, log, log1p, pi, sin, sqrt, tan
from statistics import NormalDist

LARGE = 400
"""Degrees of freedom from which the expansion about the normal is exact to double precision."""
STEPS = 60
EXACT_COMB = 1000
"""Trials up to which the binomial coefficient fits a float."""


@lru_cache(maxsize=1024)
def t_quantile(p: float, degrees: int) -> float:
    """The value that Student's t does not exceed with probability `p`.

    Newton's method on the distribution function, started at Cornish and Fisher's expansion (Abramowitz and Stegun 1964,
    26.7.5), which alone serves where there are many degrees of freedom.

    Args:
        p: between 0 and 1.
        degrees: of freedom, at least 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0 < p < 1 or degrees < 1:
        raise ValueError(f"needs 0 < p < 1 and at least 1 degree of freedom, found {p!r} and {degrees!r}")
    if p < 0.5:
        return -t_quantile(1 - p, degrees)
    if degrees == 1:
        return 1 / tan(pi * (1 - p))
    t = _expanded(NormalDist().inv_cdf(p), degrees)
    if degrees >= LARGE:
        return t
    low, high = 0.0, float("inf")
    for _ in range(STEPS):
        # 1 - p is exact for p from 0.5, so that the far tail keeps its digits.
        excess = (1 - p) - _tail(t, degrees)
        low, high = (t, high) if excess < 0 else (low, t)
        step = t - excess / _density(t, degrees)
        nearer = step if low < step < high else (low + min(high, 2 * t + 1)) / 2
        if abs(nearer - t) <= 1e-15 * t:
            return nearer
        t = nearer
    return t


def _expanded(x: float, degrees: int) -> float:
    g1 = (x**3 + x) / 4
    g2 = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    g3 = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    g4 = (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160
    return x + g1 / degrees + g2 / degrees**2 + g3 / degrees**3 + g4 / degrees**4


def _tail(t: float, degrees: int) -> float:
    """P(T > t), by the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = atan(t / sqrt(degrees))
    square = cos(angle) ** 2
    odd = degrees % 2
    term = cos(angle) if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees, 2):
        term *= square * (k - 1) / k
        total += term
    within = 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
    return (1 - within) / 2


def _density(t: float, degrees: int) -> float:
    log_norm = lgamma((degrees + 1) / 2) - lgamma(degrees / 2)
    return exp(log_norm - (degrees + 1) / 2 * log1p(t * t / degrees)) / sqrt(degrees * pi)


def binomial_reach(n: int, q: float, tail: float) -> int:
    """How many outcomes from 0 on have together at most the probability `tail`: the largest r with P(B <= r - 1) <= tail.

    Args:
        n: trials.
        q: probability of a success, strictly between 0 and 1.
        tail: below 1/2.
    """
    # What lies further below the mean has less than 1e-20 of the probability.
    start = max(0, int(n * q - 12 * sqrt(n * q * (1 - q)) - 12))
    if n <= EXACT_COMB:
        mass = comb(n, start) * q**start * (1 - q) ** (n - start)
    else:
        ways = lgamma(n + 1) - lgamma(start + 1) - lgamma(n - start + 1)
        mass = exp(ways + start * log(q) + (n - start) * log(1 - q))
    total, reach = mass, start
    while total <= tail and reach < n:
        mass *= (n - reach) / (reach + 1) * q / (1 - q)
        reach += 1
        total += mass
    return reach


def binomial_bounds(successes: float, n: float, tail: float) -> tuple[float, float]:
    """The proportions under which so many successes or more, and so many or fewer, have the probability `tail`.

    Exact at any proportion and any n (Clopper and Pearson 1934).

    Args:
        successes: between 0 and `n`; may be fractional, as at an effective sample size.
        n: trials, above 0.
        tail: below 1/2.
    """
    return _lower_bound(successes, n, tail), 1 - _lower_bound(n - successes, n, tail)


def _lower_bound(successes: float, n: float, tail: float) -> float:
    if successes <= 0:
        return 0.0
    low, high = 0.0, successes / n
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _beta_below(middle, successes, n - successes + 1) <= tail else (low, middle)
    return low


def _beta_below(p: float, a: float, b: float) -> float:
    """P(X < p) of a beta variable: for whole numbers the probability of a successes or more in a + b - 1 trials."""
    if p > (a + 1) / (a + b + 2):
        return 1 - _beta_below(1 - p, b, a)
    mass = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(p) + b * log1p(-p))
    return mass / (a * _fraction(p, a, b))


def _fraction(p: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function (Abramowitz and Stegun 1964, 26.5.8), from its end on."""
    terms = 40 + int(3 * sqrt(max(a, b)))
    value = 1.0
    for m in range(terms, 0, -1):
        even = m * (b - m) * p / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m - 1) * (a + b + m - 1) * p / ((a + 2 * m - 2) * (a + 2 * m - 1))
        value = 1 + odd / (1 + even / value)
    return value
