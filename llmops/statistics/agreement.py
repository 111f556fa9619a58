"""How well raters agree."""

from collections.abc import Hashable, Sequence
from math import sqrt
from operator import mul
from typing import Any, Literal

from llmops.statistics.intervals import Estimate
from llmops.statistics.series import ROUNDING, normal_critical

Level = Literal["nominal", "interval"]


def cohens_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    weights: Sequence[float] | None = None,
) -> Estimate | None:
    """Agreement of two raters beyond chance (Cohen 1960), with the 95 % interval of Fleiss, Cohen, Everitt (1969).

    Args:
        first: one rater's category for each item.
        second: the other's, in the same order.
        weights: of the items, which are worth their effective number (Kish 1965); None: all alike.

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
    given = [1.0] * n if weights is None else weights
    rows, columns = _shares(first, given), _shares(second, given)
    cells = _shares(list(zip(first, second, strict=True)), given)
    observed = sum(share for (a, b), share in cells.items() if a == b)
    expected = sum(share * columns.get(key, 0.0) for key, share in rows.items())
    kappa = (observed - expected) / (1 - expected)
    same = sum(
        share * (1 - (rows.get(a, 0.0) + columns.get(a, 0.0)) * (1 - kappa)) ** 2 for (a, b), share in cells.items() if a == b
    )
    mixed = sum(share * (columns.get(a, 0.0) + rows.get(b, 0.0)) ** 2 for (a, b), share in cells.items() if a != b)
    chance = kappa - expected * (1 - kappa)
    variance = (same + (1 - kappa) ** 2 * mixed - chance**2) / (_worth(given) * (1 - expected) ** 2)
    if variance <= ROUNDING:
        return Estimate(kappa, None, None, n, "not estimable: no variance")
    half = normal_critical(0.95) * sqrt(variance)
    return Estimate(kappa, max(-1.0, kappa - half), min(1.0, kappa + half), n, "Cohen's kappa")


def krippendorff_alpha(
    units: Sequence[Sequence[float | None]], level: Level, weights: Sequence[float] | None = None
) -> float | None:
    """Agreement of any number of raters, with gaps (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability").

    Args:
        units: for each item the ratings it got, None where a rater gave none; categories as numbers.
        level: how far apart two ratings are: differing or not, or the square of their difference.
        weights: of the items, which are worth their effective number (Kish 1965); None: all alike.

    Returns:
        1 for perfect agreement, 0 for chance; None when no item has two ratings, or all ratings are equal.
    """
    given = [1.0] * len(units) if weights is None else weights
    rated = zip(([rating for rating in unit if rating is not None] for unit in units), given, strict=True)
    pairable = [(own, weight) for own, weight in rated if len(own) > 1]
    ratings = [rating for own, _ in pairable for rating in own]
    if not pairable or min(ratings) == max(ratings):
        return None
    weighing = [weight for own, weight in pairable for _ in own]
    scale = _worth([weight for _, weight in pairable]) / sum(weight for _, weight in pairable)
    observed = sum(weight * _disagreement(own, [1.0] * len(own), level) / (len(own) - 1) for own, weight in pairable)
    return 1 - (scale * sum(weighing) - 1) * observed / (scale * _disagreement(ratings, weighing, level))


def _shares(keys: Sequence[Hashable], weights: Sequence[float]) -> dict[Any, float]:
    found: dict[Any, float] = {}
    for key, weight in zip(keys, weights, strict=True):
        found[key] = found.get(key, 0.0) + weight
    total = sum(weights)
    return {key: weight / total for key, weight in found.items()}


def _worth(weights: Sequence[float]) -> float:
    return sum(weights) ** 2 / sum(weight**2 for weight in weights)


def _disagreement(ratings: Sequence[float], weights: Sequence[float], level: Level) -> float:
    """Sum of the squared distances over all ordered pairs."""
    total = sum(weights)
    if level == "nominal":
        return total * total * (1 - sum(share * share for share in _shares(ratings, weights).values()))
    mean: float = sum(map(mul, ratings, weights)) / total
    return 2 * total * sum(weight * (rating - mean) ** 2 for rating, weight in zip(ratings, weights, strict=True))
