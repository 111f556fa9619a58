"""Picks a judge's threshold from labels, and says honestly how good it is: never from the labels that picked it."""

import random
from collections.abc import Sequence
from math import inf

from llmops.domain.records import record
from llmops.statistics.calibration import Confusion

FOLDS = 5
SEED = 5


def best_threshold(labels: Sequence[bool], values: Sequence[float], weights: Sequence[float] | None = None) -> float | None:
    """The least value that should count as a yes: it has the largest sensitivity + specificity (Youden 1950).

    Args:
        labels: people's.
        values: the judge's, higher for yes.
        weights: of the items; None: all alike.

    Returns:
        Half way between two values of the judge; None when the labels are all of one kind or the values all equal.
    """
    given = [1.0] * len(labels) if weights is None else weights
    rows = sorted(zip(values, labels, given, strict=True))
    yes = sum(weight for _, label, weight in rows if label)
    no = sum(weight for _, label, weight in rows if not label)
    if not yes or not no:
        return None
    best: tuple[float, float] | None = None
    below_yes = below_no = 0.0
    for (value, label, weight), (following, _, _) in zip(rows, rows[1:], strict=False):
        below_yes += weight * label
        below_no += weight * (not label)
        quality = 1 - below_yes / yes + below_no / no
        if following > value and (best is None or quality > best[0]):
            best = quality, (value + following) / 2
    return None if best is None else best[1]


@record
class CrossFitted:
    """Thresholds that were picked from labels, and their errors on labels that did not pick them."""

    thresholds: tuple[float, ...]
    """One for each fold, picked from the other folds."""
    confusion: Confusion
    """Each item's verdict is that of its fold's threshold."""

    def said_yes(self, values: Sequence[float]) -> float:
        """Share of items without a label to which the judge says yes, as the mean over the thresholds.

        The errors in `confusion` are those of all these thresholds together, so the rate that they correct has to be, too.
        """
        return sum(value >= threshold for threshold in self.thresholds for value in values) / (
            len(self.thresholds) * len(values)
        )


def cross_fitted(labels: Sequence[bool], values: Sequence[float], weights: Sequence[float] | None = None) -> CrossFitted | None:
    """The errors of a threshold that is picked from labels, each counted on labels that did not pick it.

    The items are dealt into five folds, each kind of label evenly; the threshold for one comes from the other four.

    Returns:
        None when some fold's threshold cannot be picked: too few labels of one kind.
    """
    given = [1.0] * len(labels) if weights is None else list(weights)
    folds = _dealt(labels)
    thresholds: list[float] = []
    for fold in range(FOLDS):
        others = [number for number in range(len(labels)) if folds[number] != fold]
        threshold = best_threshold([labels[n] for n in others], [values[n] for n in others], [given[n] for n in others])
        if threshold is None:
            return None
        thresholds.append(threshold)
    verdicts = [value >= thresholds[fold] for value, fold in zip(values, folds, strict=True)]
    return CrossFitted(tuple(thresholds), Confusion.count(labels, verdicts, weights))


def odds(chance: float) -> float:
    """What takes the place of the chance of a picked item when those that were not picked are meant, without it.

    Weighed by (1 - chance) / chance, the picked items stand for the others (Horvitz and Thompson 1952, applied to what a
    sample leaves): doubt has taken away what the judge is unsure of, and among the rest it errs less.
    """
    return chance / (1 - chance) if chance < 1 else inf


def chances(uncertainty: Sequence[float], wanted: float) -> list[float]:
    """Probability with which each item should be labelled: half of it even, half by how unsure the judge is.

    The even half keeps every item's chance, and with it the weights 1 / chance, bounded (Zrnic and Candès 2024).

    Args:
        uncertainty: of each item, 0 or more.
        wanted: expected number of labels, which the chances sum up to; from the number of items on each has a chance of 1.
    """
    total, n = sum(uncertainty), len(uncertainty)
    if wanted >= n:
        return [1.0] * n
    shares = [0.5 / n + 0.5 * (each / total if total else 1 / n) for each in uncertainty]
    rest, left = 1.0, wanted
    for share in sorted(shares, reverse=True):
        if share * left < rest:
            break
        # Its chance would be above 1: what is too much is left to the others.
        rest, left = rest - share, left - 1
    return [min(1.0, share * left / rest) for share in shares]


def pooled_weights(picked: Sequence[float | None]) -> list[float]:
    """Weights of labels from two samples of the same answers: those that were picked for doubt, and those that were not.

    The picked ones count among themselves by the inverse of their chance, and together as their effective number (Kish
    1965): the two samples are averaged by what each can tell, so that a few labels of a small chance cannot outweigh all
    others.

    Args:
        picked: the chance with which each item was picked, up to a common factor; infinite for one that tells nothing of
            the others; None: it was not picked for doubt.
    """
    inverse = [1 / chance for chance in picked if chance is not None]
    scale = sum(inverse) / sum(weight**2 for weight in inverse) if any(inverse) else 1.0
    return [1.0 if chance is None else scale / chance for chance in picked]


def _dealt(labels: Sequence[bool]) -> list[int]:
    order = list(range(len(labels)))
    random.Random(SEED).shuffle(order)
    folds = [0] * len(labels)
    seen = {True: 0, False: 0}
    for number in order:
        folds[number] = seen[bool(labels[number])] % FOLDS
        seen[bool(labels[number])] += 1
    return folds
