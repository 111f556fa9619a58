"""Agreement and calibration error against published examples and statsmodels."""

from typing import Literal

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa as reference_kappa

from llmops.statistics.agreement import cohens_kappa, krippendorff_alpha

GAP = None
KRIPPENDORFF = [
    # Krippendorff (2011), example C: four observers, twelve units.
    (1, 1, GAP, 1),
    (2, 2, 3, 2),
    (3, 3, 3, 3),
    (3, 3, 3, 3),
    (2, 2, 2, 2),
    (1, 2, 3, 4),
    (4, 4, 4, 4),
    (1, 1, 2, 1),
    (2, 2, 2, 2),
    (GAP, 5, 5, 5),
    (GAP, GAP, 1, 1),
    (GAP, 3, GAP, GAP),
]


def test_krippendorffs_own_example() -> None:
    assert krippendorff_alpha(KRIPPENDORFF, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert krippendorff_alpha(KRIPPENDORFF, "interval") == pytest.approx(0.849, abs=5e-4)


def test_alpha_of_equal_or_single_ratings_is_not_defined() -> None:
    assert krippendorff_alpha([(1, None), (2,)], "nominal") is None
    assert krippendorff_alpha([(1, 1), (1, 1)], "interval") is None
    assert krippendorff_alpha([], "interval") is None
    assert krippendorff_alpha([(1, 1), (2, 2)], "nominal") == 1.0


@pytest.mark.parametrize("table", [[[20, 5], [10, 15]], [[44, 5, 1], [7, 20, 3], [9, 5, 6]]])
def test_kappa_agrees_with_statsmodels(table: list[list[int]]) -> None:
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    first, second = zip(*pairs, strict=True)
    expected = reference_kappa(np.array(table))
    found = cohens_kappa(first, second)
    assert found is not None
    assert found.value == pytest.approx(expected.kappa)
    assert (found.low, found.high) == pytest.approx((expected.kappa_low, expected.kappa_upp))


@pytest.mark.parametrize("level", ["nominal", "interval"])
def test_equal_weights_change_nothing(level: Literal["nominal", "interval"]) -> None:
    weights = [0.3] * len(KRIPPENDORFF)
    assert krippendorff_alpha(KRIPPENDORFF, level, weights) == pytest.approx(krippendorff_alpha(KRIPPENDORFF, level))
    first, second = [0, 1, 1, 0, 1], [0, 1, 0, 0, 1]
    weighted, plain = cohens_kappa(first, second, [0.3] * 5), cohens_kappa(first, second)
    assert weighted is not None
    assert plain is not None
    assert (weighted.value, weighted.low, weighted.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_items_that_were_picked_for_doubt_count_by_the_inverse_of_their_chance() -> None:
    generator = np.random.default_rng(3)
    values = generator.random(4000)
    people, judge = generator.random(4000) < 1 / (1 + np.exp(-12 * (values - 0.5))), values >= 0.5
    chance = np.where(np.abs(values - 0.5) < 0.1, 0.8, 0.2)  # where the judge errs most
    picked = generator.random(4000) < chance
    some, theirs, weights = people[picked].tolist(), judge[picked].tolist(), (1 / chance[picked]).tolist()
    pairs = list(zip(map(float, some), map(float, theirs), strict=True))
    whole = list(zip(people.astype(float).tolist(), judge.astype(float).tolist(), strict=True))
    true, plain, weighted = (
        cohens_kappa(*each) for each in ((people.tolist(), judge.tolist()), (some, theirs), (some, theirs, weights))
    )
    assert true is not None
    assert plain is not None
    assert weighted is not None
    assert plain.value < true.value - 0.1
    assert weighted.value == pytest.approx(true.value, abs=0.04)
    assert weighted.interval is not None
    assert weighted.interval[0] < true.value < weighted.interval[1]
    alpha = krippendorff_alpha(pairs, "nominal", weights)
    assert alpha == pytest.approx(krippendorff_alpha(whole, "nominal"), abs=0.04)
    assert alpha == pytest.approx(weighted.value, abs=0.01)  # of two raters who say yes equally often


def test_kappa_without_variation_is_not_defined() -> None:
    assert cohens_kappa(["yes"] * 4, ["yes"] * 4) is None
    assert cohens_kappa([], []) is None
    with pytest.raises(ValueError, match="found 1 and 2"):
        cohens_kappa([1], [1, 2])


@pytest.mark.parametrize("value", [0.1, 0.7, 1 / 3])
@pytest.mark.parametrize("items", [2, 3, 5, 7, 11])
def test_alpha_of_equal_ratings_is_none_whatever_their_sum_rounds_to(value: float, items: int) -> None:
    assert krippendorff_alpha([(value,) * 3] * items, "interval") is None


@pytest.mark.parametrize(
    ("first", "second", "kappa"),
    [([1, 0] * 5, [1, 0] * 5, 1.0), ([1, 0] * 5, [0, 1] * 5, -1.0), ([1] * 10, [1, 0] * 5, 0.0)],
)
def test_a_kappa_without_variance_is_not_certain(first: list[int], second: list[int], kappa: float) -> None:
    found = cohens_kappa(first, second)
    assert found is not None
    assert found.value == pytest.approx(kappa)
    assert (found.low, found.high) == (None, None)
