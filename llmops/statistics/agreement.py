"""How well raters agree."""

from collections import Counter
from collections.abc import Hashable, Sequence
from math import sqrt
from typing import Literal

from llmops.statistics.intervals import Estimate
from llmops.statistics.series import ROUNDING, normal_critical


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable], *, confidence: float = 0.95) -> Estimate | None:
    """Agreement of two raters beyond chance (Cohen 1960), with the large-sample interval of Fleiss, Cohen, Everitt (1969).

    Args:
        first: one rater's category for each item.
        second: the other's, in the same order.
        confidence: two-sided.

    Returns:
        The estimate; None without items, or when both raters use one and the same category throughout, where kappa is
        not defined. Its ends are None where the large-sample variance is 0, which is no certainty: the raters agree on
        all items or on none, or one of them uses a single category.

    Raises:
        ValueError: the raters did not rate equally many items.
    """
    if len(first) != len(second):
        raise ValueError(f"raters need equally many items, found {len(first)} and {len(second)}")
    n = len(first)
    if not n or len({*first, *second}) == 1:
        return None
    rows, columns = ({key: count / n for key, count in Counter(side).items()} for side in (first, second))
    cells = {key: count / n for key, count in Counter(zip(first, second, strict=True)).items()}
    observed = sum(share for (a, b), share in cells.items() if a == b)
    expected = sum(share * columns.get(key, 0.0) for key, share in rows.items())
    kappa = (observed - expected) / (1 - expected)
    same = sum(
        share * (1 - (rows.get(a, 0.0) + columns.get(a, 0.0)) * (1 - kappa)) ** 2 for (a, b), share in cells.items() if a == b
    )
    mixed = sum(share * (columns.get(a, 0.0) + rows.get(b, 0.0)) ** 2 for (a, b), share in cells.items() if a != b)
    chance = kappa - expected * (1 - kappa)
    variance = (same + (1 - kappa) ** 2 * mixed - chance**2) / (n * (1 - expected) ** 2)
    if variance <= ROUNDING:
        return Estimate(kappa, None, None, n, "not estimable: no variance")
    half = normal_critical(confidence) * sqrt(variance)
    return Estimate(kappa, max(-1.0, kappa - half), min(1.0, kappa + half), n, "Cohen's kappa")


def krippendorff_alpha(units: Sequence[Sequence[float | None]], level: Literal["nominal", "interval"]) -> float | None:
    """Agreement of any number of raters, with gaps (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

    Args:
        units: for each item the ratings it got, None where a rater gave none; categories as numbers.
        level: how far apart two ratings are: differing or not, or the square of their difference.

    Returns:
        1 for perfect agreement, 0 for chance; None when no item has two ratings, or all ratings are equal.
    """
    pairable = [rated for rated in ([r for r in unit if r is not None] for unit in units) if len(rated) > 1]
    ratings = [rating for rated in pairable for rating in rated]
    if not pairable or min(ratings) == max(ratings):
        return None
    expected = _disagreement(ratings, level)
    observed = sum(_disagreement(rated, level) / (len(rated) - 1) for rated in pairable)
    return 1 - (len(ratings) - 1) * observed / expected


def _disagreement(ratings: Sequence[float], level: Literal["nominal", "interval"]) -> float:
    """Sum of the squared distances over all ordered pairs."""
    n = len(ratings)
    if level == "nominal":
        return float(n * n - sum(count * count for count in Counter(ratings).values()))
    mean = sum(ratings) / n if n else 0.0
    return 2 * n * sum((rating - mean) ** 2 for rating in ratings)
