"""A judge's figures corrected by labels: values, coverage, and when no correction is possible."""

import numpy as np
import pytest

from llmops.statistics.calibration import Confusion, Judged, correct_rate, prediction_powered_mean
from llmops.statistics.intervals import Estimate, wilson
from llmops.statistics.thresholds import chances


def test_the_corrected_rate_is_that_of_rogan_and_gladen() -> None:
    # Sensitivity 0.9, specificity 0.8, judged 0.45: (0.45 + 0.8 - 1) / 0.7.
    found, reason = correct_rate(450, 1000, Confusion(90, 10, 80, 20))
    judged = wilson(450, 1000)
    assert not reason
    assert found is not None
    assert found.value == pytest.approx(0.25 / 0.7)
    assert found.interval is not None
    assert judged.interval is not None
    assert found.interval[0] < 0.25 / 0.7 < found.interval[1]
    assert found.interval[1] - found.interval[0] > (judged.interval[1] - judged.interval[0]) / 0.7


def test_more_labels_narrow_the_corrected_interval() -> None:
    def width(factor: int) -> float:
        found, _ = correct_rate(450, 1000, Confusion(18 * factor, 2 * factor, 16 * factor, 4 * factor))
        assert found is not None
        assert found.interval is not None
        return found.interval[1] - found.interval[0]

    assert width(1) > width(5) > width(50)


@pytest.mark.parametrize(("rate", "sensitivity", "specificity"), [(0.3, 0.9, 0.8), (0.1, 0.85, 0.95), (0.8, 0.95, 0.7)])
def test_the_corrected_interval_covers(rate: float, sensitivity: float, specificity: float) -> None:
    generator = np.random.default_rng(21)
    judged_rate = rate * sensitivity + (1 - rate) * (1 - specificity)
    covered = []
    for _ in range(2_000):
        right = int(generator.binomial(60, sensitivity)), int(generator.binomial(60, specificity))
        said_yes = int(generator.binomial(400, judged_rate))
        found, _ = correct_rate(said_yes, 400, Confusion(right[0], 60 - right[0], right[1], 60 - right[1]))
        assert found is not None
        assert found.interval is not None
        covered.append(found.interval[0] <= rate <= found.interval[1])
    assert 0.93 <= np.mean(covered) <= 0.975


@pytest.mark.parametrize("confusion", [Confusion(50, 50, 50, 50), Confusion(6, 4, 6, 4), Confusion(45, 55, 45, 55)])
def test_a_judge_that_may_be_guessing_is_not_corrected(confusion: Confusion) -> None:
    found, reason = correct_rate(40, 100, confusion)
    assert found is None
    assert "cannot be told from 1" in reason


def test_a_judge_that_says_the_opposite_is_not_called_a_guess() -> None:
    found, reason = correct_rate(40, 100, Confusion(2, 48, 3, 47))
    assert found is None
    assert "below 1: judge and people contradict each other" in reason


def test_labels_of_one_kind_do_not_calibrate() -> None:
    found, reason = correct_rate(40, 100, Confusion(20, 1, 0, 0))
    assert found is None
    assert "'no'" in reason


def test_a_corrected_rate_stays_between_0_and_1() -> None:
    found, _ = correct_rate(2, 100, Confusion(90, 10, 80, 20))
    assert found is not None
    assert found.value == found.low == 0.0


def test_a_confusion_is_counted_from_labels_and_verdicts() -> None:
    labels, verdicts = [True, True, False, False, False], [True, False, False, False, True]
    assert Confusion.count(labels, verdicts) == Confusion(1, 1, 2, 1)
    with pytest.raises(ValueError, match="found 1 for 2"):
        Confusion.count([True, False], [True])


def test_prediction_powered_means_cover_and_are_narrower_than_labels_alone() -> None:
    generator = np.random.default_rng(22)
    covered, widths, alone = [], [], []
    for _ in range(1_000):
        truth = generator.beta(4, 2, size=560)
        judge = np.clip(truth + 0.15 + generator.normal(0, 0.05, size=560), 0, 2)
        found = prediction_powered_mean(truth[:60].tolist(), Judged(judge[:60].tolist()), Judged(judge[60:].tolist()))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= 4 / 6 <= found.high)
        widths.append(found.high - found.low)
        alone.append(2 * 2.001 * truth[:60].std(ddof=1) / 60**0.5)
    assert 0.93 <= np.mean(covered) <= 0.97
    assert np.mean(widths) < 0.6 * np.mean(alone)


def test_a_judge_that_guesses_costs_next_to_nothing() -> None:
    generator = np.random.default_rng(23)
    truth, judge = generator.random(100), generator.random(600)
    found = prediction_powered_mean(truth.tolist(), Judged(judge[:100].tolist()), Judged(judge[100:].tolist()))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low < 1.05 * 2 * 1.984 * truth.std(ddof=1) / 10


def covers(found: Estimate | None, truth: float) -> bool:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def test_labels_that_were_picked_for_doubt_count_by_their_chance() -> None:
    generator = np.random.default_rng(24)
    n, covered, others, bias = 2_000, [], [], []
    for _ in range(300):
        judge = generator.choice([1.0, 2.0, 3.0, 4.0, 5.0], size=n, p=[0.05, 0.05, 0.2, 0.2, 0.5])
        people = judge - (np.abs(judge - 2.5) < 1) + generator.normal(0, 0.2, n)  # too kind to middling answers
        chance = np.array(chances(np.exp(-np.abs(judge - 3.0)).tolist(), 80))
        picked = generator.random(n) < chance
        labelled = Judged(judge[picked].tolist(), weights=(1 / chance[picked]).tolist())
        found = prediction_powered_mean(people[picked].tolist(), labelled, Judged(judge[~picked].tolist()), confidence=0.9)
        assert found is not None
        covered.append(covers(found, 3.8))
        others.append(covers(found, people[~picked].mean()))
        bias.append(found.value - 3.8)
    assert 0.87 <= np.mean(covered) <= 0.95
    assert 0.87 <= np.mean(others) <= 0.96
    assert abs(np.mean(bias)) < 0.02


@pytest.mark.parametrize("same_cases", [False, True])
def test_repeats_of_a_case_are_no_further_answers(same_cases: bool) -> None:
    generator = np.random.default_rng(25)
    cases = np.repeat(np.arange(60), 5)
    covered = []
    for _ in range(400):
        truth = generator.normal(3, 1, size=120)
        judge = truth + generator.normal(0, 0.1, size=120)
        labels, names = (truth[:60], np.arange(60)) if same_cases else (truth[60:], np.arange(60, 120))
        guesses = judge[names] + generator.normal(0, 0.1, size=60)
        labelled = Judged(guesses.tolist(), names.tolist())
        found = prediction_powered_mean(
            labels.tolist(), labelled, Judged(judge[cases].tolist(), cases.tolist()), confidence=0.9
        )
        covered.append(covers(found, 3))
    assert 0.86 <= np.mean(covered) <= 0.94


def test_too_little_is_no_estimate() -> None:
    assert prediction_powered_mean([1.0], Judged([1.0]), Judged([0.5, 0.2])) is None
    assert prediction_powered_mean([1.0, 2.0], Judged([1.0, 2.0], ["a", "a"]), Judged([0.5, 0.2])) is None
    assert prediction_powered_mean([1.0, 2.0], Judged([1.0, 2.0]), Judged([0.5, 0.2], [7, 7])) is None
    constant = prediction_powered_mean([1.0, 1.0], Judged([1.0, 1.0]), Judged([1.0, 1.0]))
    assert constant is not None
    assert (constant.value, constant.low) == (1.0, None)
    with pytest.raises(ValueError, match="found 1 for 2"):
        prediction_powered_mean([1.0, 0.0], Judged([1.0]), Judged([1.0]))
