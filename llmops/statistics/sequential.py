"""Decides a paired comparison as soon as the cases seen so far allow, however often one looks.

Cases must come in random order. Two bettors play, one against "the candidate is worse by the margin or more", one against
"it is not"; when a bettor's wealth reaches 1 / alpha, what it bet against is refused (Waudby-Smith and Ramdas 2024,
"Estimating means of bounded random variables by betting"). By Ville's inequality the chance that this ever happens wrongly
is at most alpha, at whatever case one stops.
"""

from math import exp, log, log1p

from llmops.domain.reports import Verdict
from llmops.statistics.series import check_confidence

BETS = (0.01, 0.02, 0.04, 0.07, 0.12, 0.18, 0.26, 0.36, 0.5, 0.7)
"""Shares of the largest safe bet, wealth split equally over them: no single bet suits both frequent and rare flips."""


class SequentialTest:
    """One non-inferiority question about a mean, asked anew after each case, in the random order of the cases."""

    def __init__(self, margin: float, *, confidence: float = 0.95) -> None:
        """Start without a case.

        Args:
            margin: largest loss that counts as no worse, 0 <= margin < 1.
            confidence: one-sided, for either decision.

        Raises:
            ValueError: a margin or confidence out of range.
        """
        check_confidence(confidence)
        if not 0 <= margin < 1:
            raise ValueError(f"the margin must be at least 0 and below 1, found {margin!r}")
        self._margin = margin
        self._limit = -log(1 - confidence)
        self._for = [0.0] * len(BETS)
        self._against = [0.0] * len(BETS)
        self.cases = 0
        """Cases used: those up to the decision."""
        self.verdict: Verdict = "inconclusive"
        """`inconclusive` while neither side is refused; what is decided stays so."""

    def add(self, worst: float, best: float | None = None) -> Verdict:
        """Take one case and say where the question stands.

        Args:
            worst: candidate minus baseline, repeats averaged, better is positive, -1 to 1; where a value is missing, as if
                it spoke against the candidate.
            best: as if it spoke for the candidate; None: nothing is missing.

        Raises:
            ValueError: a difference is not within -1 to 1.
        """
        best = worst if best is None else best
        if not -1 <= worst <= best <= 1:
            raise ValueError(f"differences must lie within -1 to 1, found {worst!r} to {best!r}: scale the metric by its range")
        if self.verdict != "inconclusive":
            return self.verdict
        self.cases += 1
        for number, bet in enumerate(BETS):
            self._for[number] += log1p(bet * (worst + self._margin) / (1 - self._margin))
            self._against[number] += log1p(-bet * (best + self._margin) / (1 + self._margin))
        if _average(self._for) >= self._limit:
            self.verdict = "pass"
        elif _average(self._against) >= self._limit:
            self.verdict = "fail"
        return self.verdict


def _average(logs: list[float]) -> float:
    """Log of the mean wealth."""
    largest = max(logs)
    return largest + log(sum(exp(each - largest) for each in logs) / len(logs))
