"""Thresholds picked from labels, their honest errors, and labels that are chosen with unequal chances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.statistics.calibration import Confusion, correct_rate, labels_to_halve
from llmops.statistics.thresholds import best_threshold, chances, cross_fitted, pooled_weights

LABELS = st.lists(st.tuples(st.booleans(), st.floats(-5, 5)), min_size=1, max_size=60)


def test_the_threshold_separates_what_can_be_separated() -> None:
    assert best_threshold([False, False, True, True], [0.1, 0.2, 0.8, 0.9]) == 0.5
    assert best_threshold([True, True], [0.1, 0.2]) is None
    assert best_threshold([True, False], [0.5, 0.5]) is None


@given(LABELS)
def test_no_other_threshold_has_a_larger_sensitivity_and_specificity(rows: list[tuple[bool, float]]) -> None:
    labels, values = [label for label, _ in rows], [value for _, value in rows]
    found = best_threshold(labels, values)
    if found is None:
        return

    def quality(threshold: float) -> float:
        confusion = Confusion.count(labels, [value >= threshold for value in values])
        return confusion.true_positives / confusion.positives + confusion.true_negatives / confusion.negatives

    others = [quality(value) for value in values if value > min(values)]
    assert quality(found) >= max(others) - 1e-12


def test_cross_fitting_sees_that_noise_is_noise() -> None:
    generator = np.random.default_rng(3)
    labels = (generator.random(200) < 0.5).tolist()
    values = generator.random(200).tolist()
    threshold = best_threshold(labels, values)
    assert threshold is not None
    picked = Confusion.count(labels, [value >= threshold for value in values])
    honest = cross_fitted(labels, values)
    assert honest is not None

    def youden(c: Confusion) -> float:
        return c.true_positives / c.positives + c.true_negatives / c.negatives - 1

    assert youden(honest.confusion) < youden(picked)
    assert correct_rate(100, 200, honest.confusion)[0] is None


@pytest.mark.parametrize("active", [False, True])
def test_the_corrected_rate_of_a_picked_threshold_covers(active: bool) -> None:
    generator = np.random.default_rng(4)
    held = []
    for _ in range(300):
        truth = generator.random(600 if active else 200) < 0.7
        values = generator.normal(np.where(truth, 2.0, 0.0))
        weights = None
        if active:
            chance = np.array(chances(np.exp(-np.abs(values - 1)).tolist(), 200))
            chosen = generator.random(600) < chance
            truth, values, weights = truth[chosen], values[chosen], (1 / chance[chosen]).tolist()
        found = cross_fitted(truth.tolist(), values.tolist(), weights)
        assert found is not None
        others = generator.normal(np.where(generator.random(500) < 0.7, 2.0, 0.0))
        corrected, _ = correct_rate(round(500 * found.said_yes(others.tolist())), 500, found.confusion)
        assert corrected is not None
        assert corrected.low is not None
        assert corrected.high is not None
        held.append(corrected.low <= 0.7 <= corrected.high)
    assert 0.92 <= np.mean(held) <= 0.99


@pytest.mark.parametrize("picked", [2, 40])
def test_labels_picked_for_doubt_beside_a_sample_cover_and_never_widen_the_interval(picked: int) -> None:
    # 600 answers, 80 of them labelled as they came, and some more picked near the limit: 0.4 are good.
    generator = np.random.default_rng(6)
    held, widths, alone = [], [], []
    for _ in range(500):
        truth = generator.random(600) < 0.4
        values = generator.normal(np.where(truth, 2.0, 0.0))
        chance = np.array(chances(np.exp(-np.abs(values - 1)).tolist(), picked))
        order = generator.random(600) / chance
        order[:80] = np.inf
        labelled = [*range(80), *np.argsort(order)[:picked].tolist()]
        weights = pooled_weights([None] * 80 + [float(chance[n]) for n in labelled[80:]])
        labels, verdicts = truth[labelled].tolist(), (values >= 1)[labelled].tolist()
        rest = np.delete(values >= 1, labelled)
        found, _ = correct_rate(int(rest.sum()), len(rest), Confusion.count(labels, verdicts, weights))
        sample, _ = correct_rate(int(rest.sum()), len(rest), Confusion.count(labels[:80], verdicts[:80]))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        assert sample is not None
        assert sample.low is not None
        assert sample.high is not None
        held.append(found.low <= 0.4 <= found.high)
        widths.append(found.high - found.low)
        alone.append(sample.high - sample.low)
    assert 0.93 <= np.mean(held) <= 0.98
    assert np.mean(widths) < np.mean(alone)


def test_two_samples_count_by_their_effective_numbers() -> None:
    assert pooled_weights([None, None, 0.25, 0.25]) == [1.0] * 4
    assert pooled_weights([0.5, 0.25]) == pytest.approx([0.6, 1.2])  # 2 : 4, worth 36 / 20 labels
    assert sum(pooled_weights([None, 0.5, 0.25])) == pytest.approx(1 + 36 / 20)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.1, 50))
def test_chances_are_probabilities_and_favour_the_unsure(uncertainty: list[float], wanted: float) -> None:
    found = chances(uncertainty, wanted)
    assert all(0 < each <= 1 for each in found)
    assert sum(found) == pytest.approx(min(wanted, len(uncertainty)))
    order = np.argsort(uncertainty)
    assert all(found[a] <= found[b] + 1e-12 for a, b in zip(order, order[1:], strict=False))


def test_whatever_the_doubt_all_are_picked_when_all_are_wanted() -> None:
    assert chances([0.1, 0.2, 9.0], 3) == [1.0] * 3
    assert chances([1.0, 1.0, 1.0, 100.0], 3) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1])


def test_that_many_further_labels_halve_the_interval() -> None:
    confusion = Confusion(27, 3, 16, 4)
    more = labels_to_halve(3000, 5000, confusion)
    assert more is not None
    assert more > 0

    def width(c: Confusion) -> float:
        found, _ = correct_rate(3000, 5000, c)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    factor = 1 + more // 50
    assert width(confusion.times(factor)) <= width(confusion) / 2 < width(confusion.times(factor - 1))
    assert labels_to_halve(6, 10, confusion) is None


def test_equal_weights_change_nothing_and_unequal_ones_cost_labels() -> None:
    labels, verdicts = [True] * 8 + [False] * 4, [True] * 6 + [False] * 5 + [True]
    plain = Confusion.count(labels, verdicts)
    assert Confusion.count(labels, verdicts, [2.5] * 12) == plain == Confusion(6, 2, 3, 1)
    uneven = Confusion.count(labels, verdicts, [1.0, 5.0] * 6)
    assert uneven.positives < plain.positives
