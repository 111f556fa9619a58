"""Corrects a judge's figures by what human labels say about the judge, and carries that uncertainty along."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from llmops.statistics.intervals import Estimate, wilson
from llmops.statistics.series import array_of, normal_critical, t_critical

if TYPE_CHECKING:
    from llmops.statistics.series import Floats, Values

MOST_LABELS = 1000
"""Times as many labels as there are, beyond which no interval is worth it."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """A judge's verdicts on items that people have labelled."""

    true_positives: int
    """People and the judge say yes."""
    false_negatives: int
    """People say yes, the judge says no."""
    true_negatives: int
    false_positives: int

    @property
    def positives(self) -> int:
        """Items to which people say yes."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """Items to which people say no."""
        return self.true_negatives + self.false_positives

    @classmethod
    def count(cls, labels: Sequence[bool], verdicts: Sequence[bool], weights: Sequence[float] | None = None) -> "Confusion":
        """From people's labels and the judge's verdicts on the same items.

        Args:
            labels: people's.
            verdicts: the judge's, in the same order.
            weights: 1 / probability with which each item was chosen to be labelled; None: all alike. Each kind of label
                then counts as its effective number of items, (sum of weights)^2 / sum of squares (Kish 1965).

        Raises:
            ValueError: unequal lengths.
        """
        if len(labels) != len(verdicts):
            raise ValueError(f"needs a verdict for each label, found {len(verdicts)} for {len(labels)}")
        given = [1.0] * len(labels) if weights is None else weights
        counts: list[int] = []
        for kind in (True, False):
            chosen = [(bool(v) is kind, w) for label, v, w in zip(labels, verdicts, given, strict=True) if bool(label) is kind]
            total = sum(weight for _, weight in chosen)
            effective = round(total**2 / sum(weight**2 for _, weight in chosen)) if chosen else 0
            right = round(effective * sum(weight for agrees, weight in chosen if agrees) / total) if chosen else 0
            counts += [right, effective - right]
        return cls(*counts)

    def times(self, factor: int) -> "Confusion":
        """The same shares from `factor` times as many labels."""
        return Confusion(
            self.true_positives * factor,
            self.false_negatives * factor,
            self.true_negatives * factor,
            self.false_positives * factor,
        )


@dataclass(frozen=True, slots=True)
class CorrectedRate:
    """A rate as the judge sees it and as people would."""

    judged: Estimate
    corrected: Estimate | None
    """None when the judge tells too little to correct its rate; `reason` says why."""
    sensitivity: Estimate | None
    """Share of people's yes that the judge finds; None without such an item."""
    specificity: Estimate | None
    """Share of people's no that the judge finds; None without such an item."""
    reason: str = ""


def correct_rate(said_yes: int, n: int, confusion: Confusion, *, confidence: float = 0.95) -> CorrectedRate:
    """The rate that people would find, from a judge's rate and its errors on labelled items.

    The estimate is (p + specificity - 1) / (sensitivity + specificity - 1), clipped to 0..1 (Rogan and Gladen 1978). The
    interval carries the uncertainty of all three figures (Lang and Reiczigel 2014).

    Args:
        said_yes: items without a label to which the judge says yes.
        n: items without a label.
        confusion: the judge on labelled items, drawn independently of the others.
        confidence: two-sided.

    Returns:
        The rates. `corrected` is None, with a reason, when labels of one kind are missing or when sensitivity +
        specificity cannot be told from 1: such a judge answers independently of the truth.

    Raises:
        ValueError: not 0 <= said_yes <= n, or no items.
    """
    judged = wilson(said_yes, n, confidence)
    sensitivity, specificity = (
        wilson(right, of, confidence) if of else None
        for right, of in ((confusion.true_positives, confusion.positives), (confusion.true_negatives, confusion.negatives))
    )
    if sensitivity is None or specificity is None:
        kind = "yes" if sensitivity is None else "no"
        return CorrectedRate(judged, None, sensitivity, specificity, f"no labelled item is a {kind!r}")
    z = normal_critical(confidence)
    # One success and one failure are added to each error rate, z^2 / 2 of each to the judge's rate.
    se, se_n = (confusion.true_positives + 1) / (confusion.positives + 2), confusion.positives + 2
    sp, sp_n = (confusion.true_negatives + 1) / (confusion.negatives + 2), confusion.negatives + 2
    se_variance, sp_variance = se * (1 - se) / se_n, sp * (1 - sp) / sp_n
    youden = se + sp - 1
    if youden <= z * sqrt(se_variance + sp_variance):
        reason = f"sensitivity + specificity is {1 + youden:.2f}, which cannot be told from 1: the judge may be guessing"
        return CorrectedRate(judged, None, sensitivity, specificity, reason)
    p_n = n + z**2
    p = (said_yes + z**2 / 2) / p_n
    centre = (p + sp - 1) / youden
    shift = 2 * z**2 * (centre * se_variance - (1 - centre) * sp_variance)
    error = sqrt(p * (1 - p) / p_n + centre**2 * se_variance + (1 - centre) ** 2 * sp_variance) / youden
    value = (said_yes / n + specificity.value - 1) / (sensitivity.value + specificity.value - 1)
    low, high = (min(1.0, max(0.0, centre + shift + side * z * error)) for side in (-1, 1))
    value = min(high, max(low, min(1.0, max(0.0, value))))
    return CorrectedRate(judged, Estimate(value, low, high, n, "Rogan-Gladen"), sensitivity, specificity)


def labels_to_halve(said_yes: int, n: int, confusion: Confusion) -> int | None:
    """Further labels that would halve the corrected interval, were they like the labels so far.

    Args:
        said_yes: as `correct_rate`.
        n: as `correct_rate`.
        confusion: as `correct_rate`.

    Returns:
        The number; None when the rate cannot be corrected, or when no number of labels would do: then most of the
        uncertainty comes from too few judged items.
    """

    def width(factor: int) -> float | None:
        found = correct_rate(said_yes, n, confusion.times(factor)).corrected
        return None if found is None or found.low is None or found.high is None else found.high - found.low

    now = width(1)
    if now is None:
        return None

    def enough(factor: int) -> bool:
        then = width(factor)
        return then is not None and then <= now / 2

    if not enough(MOST_LABELS):
        return None
    low, high = 1, MOST_LABELS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return (high - 1) * (confusion.positives + confusion.negatives)


def prediction_powered_mean(
    labels: "Values", predicted: "Values", unlabelled: "Values", *, confidence: float = 0.95
) -> Estimate | None:
    """The mean that people would give, from few labels and many predictions (Angelopoulos et al. 2023).

    Weighs the predictions by how well they follow the labels, as PPI++ does (Angelopoulos, Duchi, Zrnic 2023), so that a
    useless judge costs nothing. The interval uses Student's t on labels - 1, a little wider than the published normal one.

    Args:
        labels: people's values.
        predicted: the judge's values on the same items, in the same order.
        unlabelled: the judge's values on the other items.
        confidence: two-sided.

    Returns:
        The estimate, n the number of labels; None with fewer than two labels or two unlabelled items. Its ends are None
        when the data do not vary.

    Raises:
        ValueError: labels and predictions on labelled items differ in number.
    """
    import numpy as np

    known, guessed, others = array_of(labels), array_of(predicted), array_of(unlabelled)
    if len(known) != len(guessed):
        raise ValueError(f"needs a prediction for each label, found {len(guessed)} for {len(known)}")
    if len(known) < 2 or len(others) < 2:
        return None
    weight = _weight(known, guessed, others)
    value = float(weight * others.mean() + (known - weight * guessed).mean())
    variance = weight**2 * np.var(others, ddof=1) / len(others) + np.var(known - weight * guessed, ddof=1) / len(known)
    if variance == 0:
        return Estimate(value, None, None, len(known), "not estimable: all values equal")
    half = t_critical(confidence, len(known) - 1) * sqrt(variance)
    return Estimate(value, value - half, value + half, len(known), "prediction-powered")


def _weight(known: "Floats", guessed: "Floats", others: "Floats") -> float:
    import numpy as np

    spread = float(np.var(np.concatenate([guessed, others]), ddof=1))
    if spread == 0:
        return 0.0
    together = float(np.cov(known, guessed, ddof=1)[0, 1])
    return min(1.0, max(0.0, together / (spread * (1 + len(known) / len(others)))))
