"""Corrects a judge's figures by what human labels say about the judge, and carries that uncertainty along."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from math import fsum, sqrt

from llmops.domain.records import record
from llmops.statistics.intervals import EQUAL, Estimate
from llmops.statistics.series import ROUNDING, finite, normal_critical, t_critical

MOST_LABELS = 1000
"""Times as many labels as there are, beyond which no interval is worth it."""


@record
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
            effective = round(total**2 / sum(weight**2 for _, weight in chosen)) if total else 0
            right = round(effective * sum(weight for agrees, weight in chosen if agrees) / total) if total else 0
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


def correct_rate(said_yes: int, n: int, confusion: Confusion, *, confidence: float = 0.95) -> tuple[Estimate | None, str]:
    """The rate that people would find, from a judge's rate and its errors on labelled items.

    The estimate is (p + specificity - 1) / (sensitivity + specificity - 1), clipped to 0..1 (Rogan and Gladen 1978). The
    interval carries the uncertainty of all three figures (Lang and Reiczigel 2014).

    Args:
        said_yes: items without a label to which the judge says yes.
        n: items without a label.
        confusion: the judge on labelled items, drawn independently of the others.
        confidence: two-sided.

    Returns:
        The rate, or None and the reason: labels of one kind are missing, sensitivity + specificity cannot be told from 1, as
        such a judge answers independently of the truth, or they are below 1.

    Raises:
        ValueError: not 0 <= said_yes <= n, or no items.
    """
    if n <= 0 or not 0 <= said_yes <= n:
        raise ValueError(f"needs 0 <= said_yes <= n and n > 0, found {said_yes} of {n}")
    if not confusion.positives or not confusion.negatives:
        return None, f"no labelled item is a {'no' if confusion.positives else 'yes'!r}"
    z = normal_critical(confidence)
    # One success and one failure are added to each error rate, z^2 / 2 of each to the judge's rate.
    se, se_n = (confusion.true_positives + 1) / (confusion.positives + 2), confusion.positives + 2
    sp, sp_n = (confusion.true_negatives + 1) / (confusion.negatives + 2), confusion.negatives + 2
    se_variance, sp_variance = se * (1 - se) / se_n, sp * (1 - sp) / sp_n
    youden = se + sp - 1
    if youden <= z * sqrt(se_variance + sp_variance):
        reason = f"sensitivity + specificity is {1 + youden:.2f}, "
        if youden < -z * sqrt(se_variance + sp_variance):
            return None, reason + "below 1: judge and people contradict each other, as when one says yes to what is bad"
        return None, reason + "which cannot be told from 1: the judge may be guessing"
    p_n = n + z**2
    p = (said_yes + z**2 / 2) / p_n
    centre = (p + sp - 1) / youden
    shift = 2 * z**2 * (centre * se_variance - (1 - centre) * sp_variance)
    error = sqrt(p * (1 - p) / p_n + centre**2 * se_variance + (1 - centre) ** 2 * sp_variance) / youden
    sensitivity, specificity = confusion.true_positives / confusion.positives, confusion.true_negatives / confusion.negatives
    value = (said_yes / n + specificity - 1) / (sensitivity + specificity - 1)
    low, high = (min(1.0, max(0.0, centre + shift + side * z * error)) for side in (-1, 1))
    value = min(high, max(low, min(1.0, max(0.0, value))))
    return Estimate(value, low, high, n, "Rogan-Gladen"), ""


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
        found, _ = correct_rate(said_yes, n, confusion.times(factor))
        return None if found is None or found.interval is None else found.interval[1] - found.interval[0]

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


@record
class Judged:
    """A judge's values, and what tells how much each of them says."""

    values: Sequence[float]
    cases: Sequence[Hashable] | None = None
    """The case of each value, whose repeats are no further evidence; None: each has its own."""
    weights: Sequence[float] | None = None
    """1 / probability with which each item was chosen, up to a common factor; None: all alike."""


def prediction_powered_mean(
    labels: Sequence[float], predicted: Judged, unlabelled: Judged, *, confidence: float = 0.95
) -> Estimate | None:
    """The mean that people would give, from few labels and many predictions (Angelopoulos et al. 2023).

    Weighs the predictions by how well they follow the labels, as PPI++ does (Angelopoulos, Duchi, Zrnic 2023), so that a
    useless judge costs nothing. Labels that were not all equally likely count by the inverse of their chance (Hajek 1971;
    for prediction-powered inference Zrnic and Candes 2024). The variance sums up case by case, over both kinds of items
    where a case has some of each. Where most answers have a label, the others are no sample of all of them, and the estimate
    lies between the two means. The interval uses Student's t on labelled cases - 1, as many as their weights are worth
    (Kish 1965), a little wider than the published normal one.

    Args:
        labels: people's values.
        predicted: the judge's on the same items, in the same order.
        unlabelled: the judge's on the other items.
        confidence: two-sided.

    Returns:
        The estimate, n the number of labelled cases; None when the labels or the other items are of fewer than two cases.
        Its ends are None when the data do not vary.

    Raises:
        ValueError: labels and predictions on labelled items differ in number.
    """
    if len(labels) != len(predicted.values):
        raise ValueError(f"needs a prediction for each label, found {len(predicted.values)} for {len(labels)}")
    known = replace(predicted, values=labels)
    people, guesses, rest = (_ByCase.of(each) for each in (known, predicted, unlabelled))
    if people is None or guesses is None or rest is None:
        return None
    cases = {*people.shares, *rest.shares}
    gap = {case: guesses.shares.get(case, 0.0) - rest.shares.get(case, 0.0) for case in cases}
    spread = fsum(each**2 for each in gap.values())
    together = fsum(share * gap[case] for case, share in people.shares.items())
    scale = max(map(abs, (*labels, *predicted.values, *unlabelled.values)))
    weight = 0.0 if sqrt(spread) <= ROUNDING * scale else min(1.0, max(0.0, together / spread))
    value = people.mean - weight * (guesses.mean - rest.mean)
    error = sqrt(fsum((people.shares.get(case, 0.0) - weight * gap[case]) ** 2 for case in cases))
    n = len(people.shares)
    if error <= ROUNDING * scale:
        return Estimate(value, None, None, n, EQUAL)
    half = t_critical(confidence, max(1, int(people.worth + ROUNDING) - 1)) * error
    return Estimate(value, value - half, value + half, n, "prediction-powered")


@record
class _ByCase:
    """A weighted mean, and what each case adds to its error."""

    mean: float
    shares: Mapping[Hashable, float]
    """The squares add up to the variance of the mean, G / (G - 1) corrected."""
    worth: float
    """Kish's effective number of cases."""

    @classmethod
    def of(cls, judged: Judged) -> "_ByCase | None":
        """Sum up case by case, exactly, so that the order does not matter; None with fewer than two cases."""
        values = finite(judged.values)
        names = range(len(values)) if judged.cases is None else judged.cases
        weights = [1.0] * len(values) if judged.weights is None else judged.weights
        members: dict[Hashable, list[tuple[float, float]]] = {}
        for name, weight, value in zip(names, weights, values, strict=True):
            members.setdefault(name, []).append((weight, value))
        if len(members) < 2:
            return None
        total = fsum(weights)
        mean = fsum(weight * value for weight, value in zip(weights, values, strict=True)) / total
        corrected = total * sqrt((len(members) - 1) / len(members))
        shares = {name: fsum(w * (value - mean) for w, value in own) / corrected for name, own in members.items()}
        worth = total**2 / fsum(fsum(w for w, _ in own) ** 2 for own in members.values())
        return cls(mean, shares, worth)
