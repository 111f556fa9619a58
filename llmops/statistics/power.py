"""How small a change a number of cases can show, and how many cases a change needs.

For yes-or-no metrics. `discordance` is the share of cases whose result differs between the two versions, in either
direction; `confidence` is one-sided, as in a gate rule.
"""

from math import ceil, log, sqrt
from statistics import NormalDist

from llmops.statistics.matched_pairs import tango
from llmops.statistics.series import check_confidence

POWER = 0.8
"""Probability with which a drop is to be found."""


def reachable_margin(n: int, losses: int = 0, *, confidence: float = 0.95) -> float:
    """The smallest margin that `n` cases can show when `losses` of them flip to fail and none to pass.

    Without a flip it is z^2 / (n + z^2): a rule with a smaller margin can never pass.

    Raises:
        ValueError: no cases, or more losses than cases.
    """
    low, _ = tango(0, losses, n, 2 * confidence - 1)
    return -low


def cases_to_reach(margin: float, *, confidence: float = 0.95) -> int:
    """Fewest cases with which a rule of this margin can pass at all, that is when no case flips.

    Raises:
        ValueError: the margin is not between 0 and 1.
    """
    _check_share("margin", margin)
    needed = _z(confidence) ** 2 * (1 - margin) / margin
    return ceil(needed - 1e-9)


def cases_to_show(rate: float, *, confidence: float = 0.95) -> int:
    """Fewest cases that, when all of them pass, show a pass rate of at least `rate` by the exact interval: c^(1/n) >= rate.

    Raises:
        ValueError: the rate is not between 0 and 1; no number of cases shows a rate of 1.
    """
    check_confidence(confidence)
    _check_share("rate", rate)
    return ceil(log(1 - confidence) / log(rate) - 1e-9)


def detectable_drop(n: int, discordance: float, *, confidence: float = 0.95) -> float | None:
    """The smallest true drop that a paired test of no difference finds with probability `POWER`.

    Solves Connor's sample size (1987) for the drop: sqrt(n) d = z_a sqrt(D) + z_b sqrt(D - d^2), D the discordance.

    Returns:
        The drop as a share, or None when even a drop of the whole discordance would be missed more often.

    Raises:
        ValueError: no cases, or a discordance that is not above 0 and at most 1.
    """
    _check_discordance(discordance)
    if n <= 0:
        raise ValueError(f"needs at least one case, found {n}")
    if _connor_excess(discordance, n, discordance, confidence) < 0:
        return None
    missed, found = 0.0, discordance
    for _ in range(60):
        middle = (missed + found) / 2
        missed, found = (missed, middle) if _connor_excess(middle, n, discordance, confidence) >= 0 else (middle, found)
    return found


def cases_for_drop(drop: float, discordance: float, *, confidence: float = 0.95) -> int:
    """Cases with which a paired test of no difference finds a true drop with probability `POWER` (Connor 1987).

    Raises:
        ValueError: the drop is not above 0, or above the discordance: a drop needs at least as many flips.
    """
    _check_share("drop", drop)
    if not drop <= discordance <= 1:
        raise ValueError(f"a drop of {drop:g} needs a discordance of at least as much, found {discordance:g}")
    root = _z(confidence) * sqrt(discordance) + _z(POWER) * sqrt(discordance - drop**2)
    return ceil((root / drop) ** 2 - 1e-9)


def _connor_excess(drop: float, n: int, discordance: float, confidence: float) -> float:
    needed = _z(confidence) * sqrt(discordance) + _z(POWER) * sqrt(max(0.0, discordance - drop**2))
    return sqrt(n) * drop - needed


def _z(probability: float) -> float:
    check_confidence(probability)
    return NormalDist().inv_cdf(probability)


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"the {name} must be between 0 and 1, found {value!r}")


def _check_discordance(value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"the discordance must be above 0 and at most 1, found {value!r}")
