"""Finds when the values of the same cases changed, over runs in the order of time."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from llmops.domain.records import record
from llmops.statistics.bootstrap import SEED
from llmops.statistics.distributions import binomial_bounds

if TYPE_CHECKING:
    from llmops.statistics.series import Floats

SHUFFLES = 999
"""Of the runs of each case: the smallest p-value is 0.001."""
RESAMPLES = 500
POWER = 0.8
STEPS = 60
"""To the smallest change that would be found, each nearer to it."""


@record
class ChangePoint:
    """A change between two neighbouring runs."""

    at: int
    """0-based number of the first run after it."""
    earliest: int
    latest: int
    """Between these numbers that run lies, at the confidence that was asked for."""


@record
class Series:
    """What is known of one series of values, held against all that are looked at together."""

    p_value: float
    """Of no change at all, adjusted for every run at which it could have been and for every series."""
    changes: tuple[ChangePoint, ...]
    """In the order of time; empty when the p-value is not small enough."""
    smallest: float | None
    """Change of the mean in the last run that would be found 4 times in 5, alike in every case unless it is a rate.

    None: with so few values there is none.
    """


def find_changes(
    series: "Sequence[Floats]",
    *,
    rates: Sequence[bool],
    confidence: float = 0.95,
    seed: int = SEED,
    done: Callable[[int], None] = lambda _: None,
) -> list[Series]:
    """Test every series for a change of its mean between two runs, wherever that may be.

    While nothing changes, the values of a case are as likely in any order of its runs. So the largest standardised CUSUM
    statistic (Page 1954) over all runs is held against those after each case's values were shuffled over its runs, with
    the largest over all series (the single-step maxT of Westfall and Young 1993, which bounds the chance of any false
    claim). Further changes are looked for on both sides of one that was found (binary segmentation, Vostrikova 1981).

    Args:
        series: for each the values of shape (cases, runs), repeats averaged; NaN where a case has none in a run.
        rates: whether the values of a series are shares of 1.
        confidence: 1 minus the chance of claiming a change in any series when there is none.
        seed: of the shuffles.
        done: told how many series were shuffled.
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    found = [cusum(each) for each in series]
    largest = np.zeros(SHUFFLES)
    for number, each in enumerate(series, start=1):
        largest = np.maximum(largest, _shuffled_maxima(each, generator))
        done(number)
    critical = float(np.sort(largest)[::-1][int((1 - confidence) * (SHUFFLES + 1)) - 1])
    return [
        Series(
            (1 + int((largest >= each.max(initial=0.0)).sum())) / (SHUFFLES + 1),
            tuple(_located(values, *place, confidence, generator) for place in _segments(values, critical)),
            _smallest(values, critical, confidence, rate=rate),
        )
        for values, each, rate in zip(series, found, rates, strict=True)
    ]


def cusum(values: "Floats") -> "Floats":
    """For each run but the first how far the values from it on differ from those before, in standard deviations.

    The sum over the cases of their deviations from their own means, over its standard deviation when each case's values
    come in any order.

    Args:
        values: shape (cases, runs); NaN where there is none.

    Returns:
        Shape (runs - 1,); 0 where nothing varies.
    """
    sums, variances = _by_case(values)
    return _standardised(sums.sum(axis=0), variances.sum(axis=0))


def _standardised(sums: "Floats", variances: "Floats") -> "Floats":
    import numpy as np

    deviations = np.sqrt(variances)
    found: Floats = np.divide(np.abs(sums), deviations, out=np.zeros_like(deviations), where=deviations > 0)
    return np.round(found, 9)  # so that sums of the same deviations in another order are equal


def _centred(values: "Floats") -> "tuple[Floats, Floats]":
    """Deviations from each case's mean, 0 where there is no value; and how many values each case has, shape (cases, 1)."""
    import numpy as np

    present = ~np.isnan(values)
    counts = present.sum(axis=1, keepdims=True).astype(float)
    filled = np.where(present, values, 0.0)
    deviations = np.where(present, filled - filled.sum(axis=1, keepdims=True) / np.maximum(counts, 1), 0.0)
    deviations[np.abs(deviations).max(axis=1, initial=0.0) < 1e-12] = 0.0  # equal values that rounding tells apart
    return deviations, counts


def _by_case(values: "Floats") -> "tuple[Floats, Floats]":
    """For each case and each run but the first the sum of its deviations from that run on, and the sum's variance.

    Of m of a case's K values without replacement: m v (K - m) / (K - 1), with their variance v over K (Cochran 1977).
    """
    import numpy as np

    deviations, counts = _centred(values)
    before = np.cumsum(~np.isnan(values), axis=1)[:, :-1]
    after = counts - before
    variance = (deviations**2).sum(axis=1, keepdims=True) / np.maximum(counts, 1)
    return -np.cumsum(deviations, axis=1)[:, :-1], variance * after * before / np.maximum(counts - 1, 1)


def _shuffled_maxima(values: "Floats", generator: "object") -> "Floats":
    """The largest statistic after each shuffle; a case's values keep to the runs in which it has any. Shape (SHUFFLES,)."""
    import numpy as np

    assert isinstance(generator, np.random.Generator)
    deviations, counts = _centred(values)
    variances = _by_case(values)[1].sum(axis=0)
    maxima = np.zeros(SHUFFLES)
    rows = np.flatnonzero(deviations.any(axis=1))
    if not len(rows):
        return maxima
    rows = rows[np.argsort(counts[rows, 0], kind="stable")]  # so that those with equally many values stand together
    present = ~np.isnan(values[rows])
    before = np.cumsum(present, axis=1)[:, :-1]
    packed = np.take_along_axis(deviations[rows], np.argsort(~present, axis=1, kind="stable"), axis=1)
    lengths, starts = np.unique(counts[rows, 0].astype(int), return_index=True)
    blocks = [packed[start:end, :length] for length, start, end in zip(lengths, starts, [*starts[1:], len(rows)], strict=True)]
    sums = np.zeros((len(rows), values.shape[1] + 1))
    for number in range(SHUFFLES):
        for block in blocks:
            generator.permuted(block, axis=1, out=block)
        np.cumsum(packed, axis=1, out=sums[:, 1:])
        total: Floats = np.take_along_axis(sums, before, axis=1).sum(axis=0)
        maxima[number] = _standardised(total, variances).max(initial=0.0)
    return maxima


def _segments(values: "Floats", critical: float, first: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Each change with the runs between its neighbours: their first, the first after the change, and their end."""
    end = values.shape[1] if end is None else end
    found = cusum(values[:, first:end])
    if not found.size or found.max() <= critical:
        return
    at = end - 1 - int(found[::-1].argmax())  # of equal ones the last: those before it have no values
    before, after = list(_segments(values, critical, first, at)), list(_segments(values, critical, at, end))
    yield from before
    yield (before[-1][1] if before else first), at, (after[0][1] if after else end)
    yield from after


def _located(values: "Floats", first: int, at: int, end: int, confidence: float, generator: "object") -> ChangePoint:
    """A change with the runs at which most samples of the cases, drawn with replacement, have it."""
    import numpy as np

    assert isinstance(generator, np.random.Generator)
    sums, variances = _by_case(values[:, first:end])
    cases = len(sums)
    weights = generator.multinomial(cases, np.full(cases, 1 / cases), size=RESAMPLES)
    drawn = _standardised(weights @ sums, weights @ variances).argmax(axis=1)
    votes = np.bincount(drawn, minlength=end - first - 1)
    low = high = at - first - 1
    while votes[low : high + 1].sum() < confidence * RESAMPLES:
        below = votes[low - 1] if low > 0 else -1
        above = votes[high + 1] if high + 1 < len(votes) else -1
        low, high = (low - 1, high) if below >= above else (low, high + 1)
    return ChangePoint(at, first + 1 + low, first + 1 + high)


def _smallest(values: "Floats", critical: float, confidence: float, *, rate: bool) -> float | None:
    """The change d of the last run for which d A = critical sqrt(V + d G) + z sqrt(V + d H), or what fewer flips cannot show.

    A is what a change adds to the sum and V its variance so far. Where a rate changes by flips, d G is what they add to the
    variance over all orders, and d H to that over all samples. Were n cases to flip and nothing else to vary, 2 in K^n orders
    of their K values would be as far from steady: that has to be little enough.
    """
    import numpy as np

    counts = (~np.isnan(values)).sum(axis=1)
    last = ~np.isnan(values[:, -1]) & (counts > 1)
    cases = int(last.sum())
    needed = ceil(log(2 / (1 - confidence)) / float(np.log(counts[last]).mean()) - 1e-9) if cases else 1
    if needed > cases:
        return None
    shares = (counts[last] - 1) / counts[last]
    moved, base = float(shares.sum()), float(_by_case(values)[1][:, -1].sum())
    z = NormalDist().inv_cdf(POWER)
    if not rate:
        return (critical + z) * sqrt(base) / moved
    shuffled, sampled = float((shares / counts[last]).sum()), float((shares**2).sum())
    found = 1.0
    for _ in range(STEPS):
        found = (critical * sqrt(base + found * shuffled) + z * sqrt(base + found * sampled)) / moved
        if found > 1:
            return None
    return max(found, binomial_bounds(needed - 1, cases, 1 - POWER)[1])
