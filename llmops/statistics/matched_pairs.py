"""Tests and intervals for yes-or-no results of the same cases under two versions.

`wins` are the cases that only the candidate passes, `losses` those that only the baseline passes, n all cases.
"""

from typing import TYPE_CHECKING

from llmops.statistics.series import check_confidence, normal_critical

if TYPE_CHECKING:
    from llmops.statistics.series import Floats

BISECTIONS = 52
"""Of an interval of length 2: as near as a float can tell."""
EXACT_BISECTIONS = 30
NUISANCE_POINTS = 101
EXACT_UP_TO = 30
"""Cases up to which the exact unconditional interval stands in for the score interval."""


def mcnemar_mid_p(wins: int, losses: int) -> float:
    """Two-sided p-value of no difference, from the binomial of the flips, counting half of the observed outcome.

    Less conservative than McNemar's exact test of 1947 (Fagerland et al. 2013).
    """
    fewer, flips = min(wins, losses), wins + losses
    return min(1.0, _flips_at_most(fewer, flips) + _flips_at_most(fewer - 1, flips))


def score_statistic(wins: "Floats", losses: "Floats", n: "Floats", difference: "Floats") -> "Floats":
    """How many standard errors the observed difference lies above `difference` (Tango 1998; Nam 1997).

    The standard error is that under a true difference of `difference`. Arguments broadcast; counts may be fractional.
    """
    import numpy as np

    slope = -wins - losses + (2 * n - wins + losses) * difference
    constant = -losses * difference * (1 - difference)
    root = np.sqrt(np.maximum(0.0, slope**2 - 8 * n * constant))
    losing = np.maximum(0.0, (root - slope) / (4 * n))
    variance = np.maximum(0.0, 2 * losing + difference * (1 - difference)) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = ((wins - losses) / n - difference) / np.sqrt(variance)
    found: Floats = np.where(np.isnan(statistic), 0.0, statistic)
    return found


def score_bounds(wins: "Floats", losses: "Floats", n: "Floats", critical: float) -> "tuple[Floats, Floats]":
    """Both ends of Tango's interval for arrays of counts: where `score_statistic` equals plus and minus `critical`."""
    import numpy as np

    observed = np.asarray((wins - losses) / n, dtype=np.float64)
    edges = np.array([-1.0, 1.0]).reshape(2, *(1 for _ in observed.shape))  # both ends are looked for at a time
    inside, outside = np.stack([observed, observed]), np.broadcast_to(edges, (2, *observed.shape))
    for _ in range(BISECTIONS):
        middle = (inside + outside) / 2
        within = -edges * score_statistic(wins, losses, n, middle) <= critical
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return outside[0], outside[1]


def tango(wins: float, losses: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of the difference of two paired proportions (Tango 1998).

    Raises:
        ValueError: more flips than cases.
    """
    import numpy as np

    _check(wins, losses, n)
    counts = (np.float64(wins), np.float64(losses), np.float64(n))
    low, high = score_bounds(*counts, normal_critical(confidence))  # type: ignore[arg-type]
    return float(low), float(high)


def exact_p(wins: int, losses: int, n: int, difference: float) -> float:
    """One-sided p-value of a true difference of at most `difference`: exact and unconditional.

    The largest probability, over all rates of flips that are possible under the hypothesis, of a score statistic at least
    as large as the observed one (Hsueh, Liu and Chen 2001; Sidik 2003). The search runs over 101 rates.

    Raises:
        ValueError: more flips than cases.
    """
    import numpy as np
    from scipy.special import gammaln, xlogy

    _check(wins, losses, n)
    grid_wins, grid_losses = (axis.ravel().astype(np.float64) for axis in np.indices((n + 1, n + 1)))
    possible = grid_wins + grid_losses <= n
    grid_wins, grid_losses = grid_wins[possible], grid_losses[possible]
    size, null = np.float64(n), np.float64(difference)
    statistics = score_statistic(grid_wins, grid_losses, size, null)  # type: ignore[arg-type]
    observed = score_statistic(np.float64(wins), np.float64(losses), size, null)  # type: ignore[arg-type]
    # Equal outcomes must not differ by rounding.
    extreme = statistics >= observed - 1e-9
    b, c = grid_wins[extreme], grid_losses[extreme]
    losing = np.linspace(max(0.0, -difference), (1 - difference) / 2, NUISANCE_POINTS)[:, None]
    same = np.maximum(0.0, 1 - 2 * losing - difference)
    ways = gammaln(n + 1) - gammaln(b + 1) - gammaln(c + 1) - gammaln(n - b - c + 1)
    winning = np.maximum(0.0, losing + difference)
    chances = np.exp(ways + xlogy(b, winning) + xlogy(c, losing) + xlogy(n - b - c, same))
    return min(1.0, float(chances.sum(axis=1).max()))


def exact_interval(wins: int, losses: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The differences that two one-sided exact unconditional tests do not refuse (Chan and Zhang 1999).

    Raises:
        ValueError: more flips than cases.
    """
    check_confidence(confidence)
    _check(wins, losses, n)
    tail = (1 - confidence) / 2
    return _exact_lower(wins, losses, n, tail), -_exact_lower(losses, wins, n, tail)


def _exact_lower(wins: int, losses: int, n: int, tail: float) -> float:
    refused, kept = -1.0, (wins - losses) / n
    for _ in range(EXACT_BISECTIONS):
        middle = (refused + kept) / 2
        refused, kept = (middle, kept) if exact_p(wins, losses, n, middle) <= tail else (refused, middle)
    return refused


def _flips_at_most(fewer: int, flips: int) -> float:
    from scipy.special import bdtr

    return float(bdtr(fewer, flips, 0.5)) if fewer >= 0 else 0.0


def _check(wins: float, losses: float, n: float) -> None:
    if n <= 0 or wins < 0 or losses < 0 or wins + losses > n * (1 + 1e-9):
        raise ValueError(f"needs wins + losses <= n, found {wins} wins and {losses} losses of {n}")
