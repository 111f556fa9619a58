"""Decides a paired comparison as soon as the cases seen so far allow, however often one looks.

Cases must come in random order. Two bettors play, one against "the candidate is worse by the margin or more", one against
"it is not"; when a bettor's wealth reaches 1 / alpha, what it bet against is refused (Waudby-Smith and Ramdas 2024,
"Estimating means of bounded random variables by betting"). By Ville's inequality the chance that this ever happens wrongly
is at most alpha, at whatever case one stops.
"""

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from llmops.domain.reports import Verdict
from llmops.statistics.series import array_of, check_confidence

if TYPE_CHECKING:
    from llmops.statistics.series import Floats, Values

BETS = (0.01, 0.02, 0.04, 0.07, 0.12, 0.18, 0.26, 0.36, 0.5, 0.7)
"""Shares of the largest safe bet, wealth split equally over them: no single bet suits both frequent and rare flips."""


@dataclass(frozen=True, slots=True)
class SequentialDecision:
    """Where a sequential comparison stands."""

    verdict: Verdict
    """`inconclusive` while neither side is refused."""
    cases: int
    """Cases used: those up to the decision, or all that were given."""
    evidence_for: float
    """Largest wealth so far against "worse by the margin or more": an e-value, decisive at 1 / alpha."""
    evidence_against: float
    """Largest wealth so far against "not worse by the margin"."""


def decide_sequentially(differences: "Values", margin: float, *, confidence: float = 0.95) -> SequentialDecision:
    """Hold paired differences, in the random order in which the cases were run, against a non-inferiority margin.

    Args:
        differences: candidate minus baseline for each case, repeats averaged, better is positive, -1 to 1.
        margin: largest loss that counts as no worse, 0 <= margin < 1.
        confidence: one-sided, for either decision.

    Returns:
        `pass` or `fail` at the first case that decides, else `inconclusive`.

    Raises:
        ValueError: a difference is not within -1 to 1, or a margin or confidence is out of range.
    """
    import numpy as np

    check_confidence(confidence)
    changes = array_of(differences)
    winning, losing = log_evidence(changes, margin)
    limit = -log(1 - confidence)
    decided = np.flatnonzero((winning >= limit) | (losing >= limit))
    used = int(decided[0]) + 1 if len(decided) else len(changes)
    verdict: Verdict = "inconclusive"
    if len(decided):
        verdict = "pass" if winning[used - 1] >= limit else "fail"
    strongest = (float(np.exp(min(700.0, path[:used].max(initial=0.0)))) for path in (winning, losing))
    return SequentialDecision(verdict, used, *strongest)


def log_evidence(differences: "Floats", margin: float) -> "tuple[Floats, Floats]":
    """Log wealth after each case of both bettors; differences of shape (..., cases), as are the two paths.

    The first path speaks for the candidate, against a mean difference of at most -margin; the second against it.

    Raises:
        ValueError: a difference is not within -1 to 1, or the margin is not at least 0 and below 1.
    """
    import numpy as np

    if not 0 <= margin < 1:
        raise ValueError(f"the margin must be at least 0 and below 1, found {margin!r}")
    if differences.size and np.abs(differences).max() > 1:
        raise ValueError("differences must lie within -1 to 1: scale the metric by its range")
    centred = differences + margin
    return _mixture(centred / (1 - margin)), _mixture(-centred / (1 + margin))


def _mixture(gains: "Floats") -> "Floats":
    """Log of the average wealth over all bets; a gain of -1 loses the whole of a bet."""
    import numpy as np

    total = np.full(gains.shape, -np.inf)
    for bet in BETS:
        total = np.logaddexp(total, np.cumsum(np.log1p(bet * gains), axis=-1))
    return total - log(len(BETS))
