"""Paired comparisons: against scipy and statsmodels, their coverage, and how often a gate passes at its margin."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.api import OLS

from llmops.statistics.gate import interval_confidence, judge_relative
from llmops.statistics.matched_pairs import exact_interval, mcnemar_mid_p, tango
from llmops.statistics.paired import PairedDifference, paired_difference, paired_quantile_difference

RUNS = 2_000
SIMULATION_ERROR = 3 * (0.05 * 0.95 / RUNS) ** 0.5


def compared(*args: Any, **kwargs: Any) -> PairedDifference:  # noqa: ANN401 -- the arguments of the function compared
    found = paired_difference(*args, **kwargs)
    assert found is not None
    return found


def ends(found: PairedDifference | None) -> tuple[float, float]:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def flips(wins: int, losses: int, passed: int, failed: int) -> tuple[list[int], list[int]]:
    return [0] * wins + [1] * losses + [1] * passed + [0] * failed, [1] * wins + [0] * losses + [1] * passed + [0] * failed


def test_yes_or_no_results_get_the_score_interval_and_mid_p() -> None:
    found = compared(*flips(4, 9, 70, 17), confidence=0.9)
    low, high = tango(4, 9, 100, 0.9)
    expected = PairedDifference(-0.05, low, high, 100, 4, 9, 87, mcnemar_mid_p(4, 9), "Tango's score interval")
    assert found == expected


def test_few_cases_get_the_exact_interval() -> None:
    found = compared(*flips(1, 7, 10, 3))
    assert found.method == "exact unconditional"
    assert ends(found) == exact_interval(1, 7, 21)


def test_an_observed_difference_of_zero_is_not_a_known_one() -> None:
    same = [1.0] * 70 + [0.0] * 10
    assert ends(compared(same, same, confidence=0.9)) == pytest.approx((-0.0327, 0.0327), abs=1e-4)
    assert compared(same, same, unchanged=True) == PairedDifference(0.0, 0.0, 0.0, 80, 0, 0, 80, 1.0, "unchanged")
    with pytest.raises(ValueError, match="differ although nothing changed"):
        paired_difference([1.0, 0.0], [1.0, 1.0], unchanged=True)


def test_repeats_that_always_agree_widen_nothing_and_narrow_nothing() -> None:
    # Tango's interval without repeats and the skewness-adjusted one with them agree to the first order.
    before, after = flips(20, 12, 200, 40)
    once = compared(before, after)
    five_times = compared(before * 5, after * 5, clusters=list(range(272)) * 5)
    assert (five_times.n, five_times.wins, five_times.losses, five_times.ties) == (272, 20, 12, 240)
    assert ends(five_times) == pytest.approx(ends(once), abs=0.002)


def test_independent_repeats_narrow_the_interval() -> None:
    generator = np.random.default_rng(3)
    before, after = (generator.random((2, 200 * 5)) < 0.8).astype(float)
    clusters = np.repeat(np.arange(200), 5)
    low, high = ends(compared(before, after, clusters=clusters))
    first_low, first_high = ends(compared(before[::5], after[::5]))
    assert (high - low) == pytest.approx((first_high - first_low) / 5**0.5, rel=0.2)


def mirrored(half: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Without skewness, about 0."""
    return np.concatenate([half, -half])


def test_means_without_skewness_are_compared_by_the_paired_t_test() -> None:
    generator = np.random.default_rng(1)
    before = generator.normal(size=24)
    after = before + 0.2 + mirrored(generator.normal(0, 0.5, size=12))
    found = compared(before, after, confidence=0.9)
    expected = stats.ttest_rel(after, before)
    assert ends(found) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.method == "paired t, skewness-adjusted"


def test_means_with_repeats_have_the_clustered_error_of_statsmodels() -> None:
    generator = np.random.default_rng(2)
    clusters = np.repeat(np.arange(20), 4)
    before = generator.normal(size=80)
    changes = generator.normal(size=10)[clusters[:40]] + generator.normal(size=40)
    after = before + 0.3 + mirrored(changes)
    fitted: Any = OLS(after - before, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = compared(before, after, clusters=clusters)
    assert ends(found) == pytest.approx(tuple(fitted.conf_int()[0]))
    assert found.p_value == pytest.approx(fitted.pvalues[0])


@pytest.mark.parametrize("cases", [30, 80])
def test_an_end_beyond_the_long_tail_errs_seldom(cases: int) -> None:
    generator = np.random.default_rng(cases)
    above = below = 0
    runs = 2_000
    for _ in range(runs):
        low, high = ends(compared(np.zeros(cases), generator.gamma(2.0, 1.0, size=cases) - 1.0, confidence=0.9))
        below += low > 1.0
        above += high < 1.0
    assert below / runs <= 0.06
    assert above / runs <= 0.07  # Student's t alone errs in a tenth of the runs with 30 cases


def test_a_rare_loss_among_small_changes_is_seldom_overlooked() -> None:
    generator = np.random.default_rng(11)
    above, runs = 0, 500
    for _ in range(runs):
        change = np.where(generator.random(100) < 0.1, -1.0, generator.normal(0.0, 0.01, 100))
        low, _ = ends(compared(np.full(100, 0.9), 0.9 + change, bounds=(-1, 2), confidence=0.9))
        above += low > -0.1
    assert above / runs <= 0.07


def test_paired_t_covers() -> None:
    generator = np.random.default_rng(8)
    changes = np.clip(generator.normal(-0.03, 0.1, size=(RUNS, 40)), -1, 1)
    found = [ends(compared(np.full(40, 0.5), 0.5 + change, bounds=(-1, 2))) for change in changes]
    assert 0.93 <= np.mean([low <= -0.03 <= high for low, high in found]) <= 0.97


def test_few_changes_of_a_bounded_score_count_at_most_as_flips() -> None:
    before = np.full(80, 0.9)
    after = before.copy()
    after[:4] = 0.4
    found = compared(before, after, bounds=(0, 1))
    assert found.method == "score, bounded gains"
    assert ends(found) == pytest.approx(tango(0, 2.0, 80))
    low, high = ends(compared(before, before, bounds=(0, 1)))
    assert (low, high) == pytest.approx(tango(0, 0, 80))


def test_few_changes_of_an_unbounded_metric_have_no_interval() -> None:
    after = np.zeros(80)
    after[:3] = 500
    found = compared(np.zeros(80), after)
    assert (found.low, found.high) == (None, None)
    assert "too few cases differ" in found.method
    assert compared([1.5], [2.5]).method == "not estimable: one case"
    assert compared(range(8), range(1, 9)).method == "not estimable: all cases differ by the same amount"
    assert compared(range(8), range(8)).method == "not estimable: too few cases differ"


def test_few_changes_cover_by_the_score_interval() -> None:
    # Four losses of up to a whole point are expected among 80 cases: a t interval would cover far too seldom.
    generator = np.random.default_rng(9)
    covered = []
    for _ in range(RUNS):
        changes = -1.0 * (generator.random(80) < 0.05) * generator.random(80)
        low, high = ends(compared(np.ones(80), 1 + changes, bounds=(0, 1)))
        covered.append(low <= -0.025 <= high)
    assert np.mean(covered) >= 0.93


def test_quantiles_are_compared_by_resampling_cases() -> None:
    generator = np.random.default_rng(10)
    before = generator.lognormal(size=400)
    slower = before * 1.5
    found = paired_quantile_difference(before, slower, 0.95, confidence=0.9)
    low, high = ends(found)
    assert found is not None
    assert found.difference == pytest.approx(0.5 * np.quantile(before, 0.95))
    assert 0 < low <= found.difference <= high
    repeated = paired_quantile_difference(np.tile(before, 2), np.tile(slower, 2), 0.95, clusters=np.tile(np.arange(400), 2))
    assert repeated is not None
    assert repeated.n == 400
    assert ends(repeated)[1] - ends(repeated)[0] > (high - low) * 0.9


def test_a_quantile_that_was_hardly_seen_is_not_compared() -> None:
    found = paired_quantile_difference([1.0] * 298, [2.0] * 298, 0.99, confidence=0.9)
    assert found is not None
    assert (found.difference, found.low, found.high) == (1.0, None, None)
    assert "299" in found.method


def test_the_difference_of_quantiles_covers() -> None:
    generator = np.random.default_rng(12)
    true = stats.lognorm.ppf(0.9, 0.5) * 0.2
    covered = []
    for _ in range(300):
        before = generator.lognormal(sigma=0.5, size=150)
        after = 1.2 * generator.lognormal(sigma=0.5, size=150)
        low, high = ends(paired_quantile_difference(before, after, 0.9))
        covered.append(low <= true <= high)
    assert 0.91 <= np.mean(covered) <= 0.985


def test_sides_must_pair() -> None:
    assert paired_difference([], []) is None
    with pytest.raises(ValueError, match="found 2 and 1"):
        paired_difference([1, 0], [1])


def paired_runs(
    cases: int, repeats: int, drop: float, breaks: bool, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Results of a baseline (85 %) and a candidate (85 % - drop), shape (RUNS, cases x repeats), intra-case correlation 0.6.

    The drop either lowers every case's chance, or breaks some cases altogether.
    """
    generator = np.random.default_rng(seed)
    spread = 1 / 0.6 - 1
    chance = generator.beta(0.85 * spread, 0.15 * spread, size=(RUNS, cases, 1))
    kept = generator.random(chance.shape) >= drop / 0.85 if breaks else 1 - drop / 0.85
    before = generator.random((RUNS, cases, repeats)) < chance
    after = generator.random((RUNS, cases, repeats)) < chance * kept
    return before.reshape(RUNS, -1).astype(float), after.reshape(RUNS, -1).astype(float)


def counted(before: NDArray[np.float64], after: NDArray[np.float64]) -> Iterator[tuple[tuple[list[int], list[int]], int]]:
    """Runs without repeats, and how often each came: how many cases flipped decides, not which."""
    flipped = Counter(zip((after > before).sum(axis=1), (after < before).sum(axis=1), strict=True))
    for (wins, losses), times in flipped.items():
        yield flips(wins, losses, before.shape[1] - wins - losses, 0), times


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize(
    ("cases", "repeats", "margin"), [(80, 1, 0.08), (80, 5, 0.08), (80, 5, 0.05), (400, 1, 0.05), (400, 5, 0.05)]
)
def test_the_gate_passes_at_its_margin_no_more_often_than_it_may(cases: int, repeats: int, margin: float, breaks: bool) -> None:
    numbers = np.repeat(np.arange(cases), repeats)
    confidence = interval_confidence(0.95)
    runs = paired_runs(cases, repeats, margin, breaks, seed=cases + repeats)
    passed = 0
    for sides, times in ((sides, 1) for sides in zip(*runs, strict=True)) if repeats > 1 else counted(*runs):
        found = paired_difference(*sides, clusters=numbers, confidence=confidence)
        passed += times * (judge_relative(found, margin) == "pass")
    assert passed / RUNS <= 0.05 + SIMULATION_ERROR


@pytest.mark.parametrize("breaks", [False, True])
def test_clustered_differences_cover(breaks: bool) -> None:
    numbers = np.repeat(np.arange(120), 5)
    runs = zip(*paired_runs(120, 5, 0.1, breaks, seed=77), strict=True)
    found = [ends(compared(before, after, clusters=numbers)) for before, after in runs]
    assert 0.93 <= np.mean([low <= -0.1 <= high for low, high in found]) <= 0.97


def test_clustered_differences_with_few_flips_count_each_case_once() -> None:
    before = np.ones(400)
    after = before.copy()
    after[:5] = 0
    found = compared(before, after, clusters=np.repeat(np.arange(80), 5))
    assert found.method == "Tango's score interval, each case once"
    assert ends(found) == pytest.approx(tango(0, 1, 80))
    assert (found.wins, found.losses) == (0, 1)


scores = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=25)


@settings(deadline=None, max_examples=60)
@given(scores)
def test_intervals_of_bounded_scores_stay_in_range_and_swap(rows: list[tuple[float, float, int]]) -> None:
    before, after, clusters = (list(column) for column in zip(*rows, strict=True))
    found = compared(before, after, clusters=clusters, bounds=(0, 1))
    low, high = ends(found)
    assert -1 <= low <= found.difference + 1e-12
    assert found.difference - 1e-12 <= high <= 1
    swapped = compared(after, before, clusters=clusters, bounds=(0, 1))
    assert (swapped.wins, swapped.losses) == (found.losses, found.wins)
    swapped_low, swapped_high = ends(swapped)
    assert (-swapped_high, -swapped_low) == pytest.approx((low, high), abs=1e-5)
