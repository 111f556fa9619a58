"""Resamples cases to bound a difference of quantiles."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmops.statistics.series import check_confidence

if TYPE_CHECKING:
    from llmops.statistics.series import Floats, Indices

SEED = 20240607
"""Fixed, so that the same data give the same interval."""
RESAMPLES = 1_000
CHUNK = 2_000_000
"""Numbers held at once, so that memory does not grow with the number of cases."""


def quantile_difference(
    baseline: "Floats", candidate: "Floats", q: float, *, case_index: "Indices", confidence: float
) -> tuple[float, float]:
    """The percentile interval of the difference between two quantiles, pairs of one case resampled together (Efron 1981).

    Args:
        baseline: one value per cell, shape (cells,).
        candidate: of the same cells, in the same order.
        q: share of values below.
        case_index: 0-based number of each cell's case, shape (cells,), integers.
        confidence: two-sided.
    """
    import numpy as np

    check_confidence(confidence)
    cases = int(case_index.max()) + 1
    sides = [(np.sort(side), case_index[np.argsort(side, kind="stable")]) for side in (baseline, candidate)]
    differences = []
    for drawn in _draws(cases, len(baseline)):
        offsets = np.arange(len(drawn))[:, None] * cases
        weights = np.bincount((drawn + offsets).ravel(), minlength=cases * len(drawn)).reshape(len(drawn), cases)
        before, after = (_weighted_quantile(ordered, weights[:, index], q) for ordered, index in sides)
        differences.append(after - before)
    low, high = np.quantile(np.concatenate(differences), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _weighted_quantile(ordered: "Floats", weights: "Indices", q: float) -> "Floats":
    """For each row of `weights` the first value at which the summed weight reaches the share q."""
    import numpy as np

    reached = np.cumsum(weights, axis=1)
    found: Floats = ordered[np.argmax(reached >= q * reached[:, -1:], axis=1)]
    return found


def _draws(cases: int, cells: int) -> "Iterator[Indices]":
    """Case numbers drawn with replacement, shape (some, cases), until there are `RESAMPLES` rows."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    rows = max(1, CHUNK // max(cases, cells))
    for start in range(0, RESAMPLES, rows):
        yield generator.integers(0, cases, size=(min(rows, RESAMPLES - start), cases))
