"""Judges one rule from its interval, and a gate from its rules.

A rule at one-sided confidence C reads the two-sided interval at 2C - 1 (`interval_confidence`), so that the verdict and
the interval that is shown never disagree.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from llmops.domain.records import record
from llmops.domain.reports import Verdict
from llmops.statistics.intervals import Estimate, values_needed
from llmops.statistics.paired import UNCHANGED, PairedDifference

Kind = Literal["non_inferior_to", "superior_to"]


def interval_confidence(confidence: float) -> float:
    """Two-sided confidence of the interval whose ends are each one-sided bounds at `confidence`: 0.95 gives 0.90.

    Raises:
        ValueError: `confidence` is not above 0.5 and below 1.
    """
    if not 0.5 < confidence < 1:
        raise ValueError(f"a one-sided confidence must be above 0.5 and below 1, found {confidence!r}")
    return 2 * confidence - 1


def judge_absolute(
    estimate: Estimate | None,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Verdict:
    """Hold an estimate against limits: pass with its interval wholly inside, fail wholly outside, else inconclusive.

    Args:
        estimate: with its interval at `interval_confidence` of the rule; None: nothing was measured.
        minimum: smallest allowed value.
        maximum: largest allowed value.

    Returns:
        The verdict; `not judged` without an estimate, and when an end that a pass would need cannot be estimated, however
        good the values are, and the other end does not settle the matter.

    Raises:
        ValueError: neither limit is given.
    """
    if minimum is None and maximum is None:
        raise ValueError("a rule needs a minimum or a maximum")
    if estimate is None:
        return "not judged"
    low, high = estimate.low, estimate.high
    too_low = minimum is not None and high is not None and high < minimum
    too_high = maximum is not None and low is not None and low > maximum
    if too_low or too_high:
        return "fail"
    if (minimum is not None and low is None) or (maximum is not None and high is None):
        return "not judged"
    above = minimum is None or (low is not None and low >= minimum)
    below = maximum is None or (high is not None and high <= maximum)
    return "pass" if above and below else "inconclusive"


def keeps(value: float, *, minimum: float | None = None, maximum: float | None = None) -> bool:
    """True when a figure lies within its limits, whatever is known of its error."""
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def judge_unbounded(estimate: Estimate, confidence: float, *, minimum: float | None, maximum: float | None) -> Verdict:
    """Hold a mean that has no interval against limits.

    Equal values prove no mean within the limits: a rare one that nobody has seen can move it anywhere. On the wrong side
    they are evidence enough: from five cases at 0.95 on, the sign test says that most further cases lie there, too.

    Args:
        estimate: without an interval.
        confidence: two-sided, `interval_confidence` of the rule.
        minimum: smallest allowed value.
        maximum: largest allowed value.

    Returns:
        `fail` or `inconclusive`, never a verdict that would let another rule's pass stand for this one.
    """
    wrong = not keeps(estimate.value, minimum=minimum, maximum=maximum)
    return "fail" if wrong and estimate.n >= values_needed(0.5, confidence=confidence) else "inconclusive"


def judge_relative(
    paired: PairedDifference | None,
    margin: float,
    kind: Kind = "non_inferior_to",
    *,
    lower_is_better: bool = False,
    not_estimable: Verdict = "inconclusive",
) -> Verdict:
    """Hold a paired difference against a margin.

    `non_inferior_to` asks that the candidate is not worse by `margin` or more; `superior_to` that it is better by more than
    `margin`. A comparison in which nothing changed has a difference of exactly 0, which is no loss and no gain.

    Args:
        paired: with its interval at `interval_confidence` of the rule; None: there are no pairs.
        margin: in the metric's own units, at least 0.
        kind: the rule.
        lower_is_better: the metric counts something bad.
        not_estimable: the verdict when an end of the interval cannot be estimated.

    Returns:
        The verdict; `not judged` without pairs.

    Raises:
        ValueError: a negative margin.
    """
    if margin < 0:
        raise ValueError(f"a margin must not be negative, found {margin!r}")
    if paired is None:
        return "not judged"
    if paired.method == UNCHANGED:
        return "pass" if kind == "non_inferior_to" else "fail"
    if paired.low is None or paired.high is None:
        return not_estimable
    worst, best = (-paired.high, -paired.low) if lower_is_better else (paired.low, paired.high)
    limit = margin if kind == "superior_to" else -margin
    if worst > limit:
        return "pass"
    return "fail" if best <= limit else "inconclusive"


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a gate: every rule must pass, each at its own error rate (intersection-union test, Berger 1982).

    A failed rule settles the gate even beside inconclusive ones. Rules that were not judged do not count; when none was
    judged the gate is not judged.
    """
    found = set(verdicts) - {"not judged"}
    if "fail" in found:
        return "fail"
    if "inconclusive" in found:
        return "inconclusive"
    return "pass" if found else "not judged"


def settle(verdict: Verdict, best: Verdict, worst: Verdict) -> Verdict:
    """The verdict of a rule when some cells have no value.

    Args:
        verdict: on the cells that have one.
        best: with the best possible value in place of each missing one.
        worst: with the worst possible value.

    Returns:
        `inconclusive` when the missing values could change the verdict; otherwise `verdict`. A rule that is not judged
        on what was measured stays so.
    """
    if verdict == "not judged" or verdict == best == worst:
        return verdict
    return "inconclusive"


@record
class Imputed:
    """Both sides with values in place of those that are missing."""

    baseline: tuple[float, ...]
    candidate: tuple[float, ...]


def impute(
    candidate: Sequence[float | None],
    baseline: Sequence[float | None],
    *,
    bounds: tuple[float, float],
    lower_is_better: bool = False,
) -> tuple[Imputed, Imputed]:
    """The best and the worst case for cells without a value (Manski 1990).

    In the best case each missing value of the candidate is the best possible one and each missing value of the baseline
    the worst; in the worst case the other way round.

    Args:
        candidate: one entry per cell, None where there is no value.
        baseline: of the same cells in the same order.
        bounds: smallest and largest value the metric can take.
        lower_is_better: the metric counts something bad.

    Returns:
        The best case and the worst case.
    """
    bad, good = (bounds[1], bounds[0]) if lower_is_better else bounds

    def filled(values: Sequence[float | None], value: float) -> tuple[float, ...]:
        return tuple(value if each is None else each for each in values)

    return Imputed(filled(baseline, bad), filled(candidate, good)), Imputed(filled(baseline, good), filled(candidate, bad))
