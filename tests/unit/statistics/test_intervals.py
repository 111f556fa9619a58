"""Single estimates: agreement with published examples, statsmodels and scipy, and their coverage."""

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.proportion import proportion_confint

from llmops.statistics.intervals import (
    Estimate,
    exact_proportion,
    mean_interval,
    proportion_interval,
    quantile,
    quantile_interval,
    values_needed,
    wilson,
)

SIMULATED = 2_000


def ends(estimate: Estimate | None) -> tuple[float, float]:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_table_of_newcombe_1998(successes: int, n: int, low: float, high: float) -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    assert ends(wilson(successes, n)) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 7), (80, 80), (9_999, 10_000)])
def test_wilson_agrees_with_statsmodels(successes: int, n: int, confidence: float) -> None:
    expected = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    assert ends(wilson(successes, n, confidence)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [10, 37, 80])
def test_wilson_covers_as_often_as_the_inverted_score_test_enumerated(n: int) -> None:
    # Wilson holds p exactly when the score test does not refuse p, so both sums run over the same outcomes.
    outcomes = np.arange(n + 1)
    intervals = [ends(wilson(int(k), n)) for k in outcomes]
    for p in np.linspace(0.013, 0.987, 40):
        chances = stats.binom.pmf(outcomes, n, p)
        covered = sum(chance for (low, high), chance in zip(intervals, chances, strict=True) if low <= p <= high)
        kept = np.abs(outcomes / n - p) <= stats.norm.ppf(0.975) * np.sqrt(p * (1 - p) / n)
        assert covered == pytest.approx(chances[kept].sum(), abs=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (3, 7), (80, 80), (9_990, 10_000)])
def test_exact_ends_agree_with_statsmodels(successes: int, n: int, confidence: float) -> None:
    expected = proportion_confint(successes, n, alpha=1 - confidence, method="beta")
    found = exact_proportion([1.0] * successes + [0.0] * (n - successes), confidence=confidence)
    assert ends(found) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [5, 22, 134])
def test_an_exact_end_errs_no_more_often_than_it_may_at_any_rate(n: int) -> None:
    intervals = [ends(exact_proportion([1.0] * k + [0.0] * (n - k), confidence=0.9)) for k in range(n + 1)]
    for p in np.linspace(0.001, 0.999, 400):
        chances = stats.binom.pmf(np.arange(n + 1), n, p)
        for wrong in ([low > p for low, _ in intervals], [high < p for _, high in intervals]):
            assert chances[wrong].sum() <= 0.05 + 1e-9


def test_an_estimate_is_the_same_to_the_last_digit_in_whatever_order_the_values_come() -> None:
    random = np.random.default_rng(0)
    cases, values = np.repeat(np.arange(4), 5), random.random(20)
    found = set()
    for _ in range(100):
        order = random.permutation(20)
        found.add(mean_interval(values[order], cases[order]))
    assert len(found) == 1


def test_no_values_give_no_estimate() -> None:
    assert proportion_interval([]) is None
    assert mean_interval([]) is None
    assert quantile_interval([], 0.5) is None


@pytest.mark.parametrize("values", [[0.5], [2.0]])
def test_a_proportion_refuses_what_is_not_yes_or_no(values: list[float]) -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        proportion_interval(values)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_missing_value_is_refused_and_not_averaged(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval([0.5, bad])


def test_series_and_clusters_must_be_equally_long() -> None:
    with pytest.raises(ValueError, match="a case for each value, found 1 for 2"):
        mean_interval([0.5, 0.6], [1])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_must_be_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson(1, 2, confidence)


def test_a_mean_without_skewness_is_student_t() -> None:
    values = [1.2, 0.4, 2.0, 2.8, 1.0, 2.2]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    found = mean_interval(values, confidence=0.9)
    assert ends(found) == pytest.approx((expected.low, expected.high))
    assert found is not None
    assert (found.n, found.method) == (6, "t, skewness-adjusted")


def test_a_mean_with_repeats_has_the_clustered_error_of_statsmodels() -> None:
    generator = np.random.default_rng(5)
    half = generator.integers(0, 13, 45)
    change = generator.normal(size=45) + generator.normal(size=13)[half]
    values, clusters = 2 + np.concatenate([change, -change]), np.concatenate([half, half + 13])
    fitted: Any = OLS(values, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    found = mean_interval(values, clusters)
    assert ends(found) == pytest.approx(tuple(fitted.conf_int()[0]))
    assert found is not None
    assert found.n == len(set(clusters.tolist()))


@pytest.mark.parametrize("cases", [20, 100])
def test_an_upper_end_of_a_skewed_mean_is_seldom_too_low(cases: int) -> None:
    """As of latencies and tokens, where a few are long."""
    generator, runs, below = np.random.default_rng(cases), 2_000, 0
    for values in generator.exponential(1.0, size=(runs, cases)):
        below += ends(mean_interval(values, confidence=0.9))[1] < 1.0
    assert below / runs <= {20: 0.095, 100: 0.07}[cases]  # Student's t alone: 0.11 and 0.08, where 0.05 is meant


def test_repeats_that_always_agree_count_once() -> None:
    once = mean_interval([1.0, 2.0, 4.0, 7.0])
    thrice = mean_interval([1.0, 2.0, 4.0, 7.0] * 3, [0, 1, 2, 3] * 3)
    assert ends(once) == pytest.approx(ends(thrice))


def test_one_case_and_equal_values_have_no_interval_unless_bounds_are_known() -> None:
    assert mean_interval([3.0]) == Estimate(3.0, None, None, 1, "not estimable: one case")
    assert mean_interval([3.0, 3.0]) == Estimate(3.0, None, None, 2, "not estimable: all values equal")
    low, high = ends(mean_interval([0.9] * 20, bounds=(0, 1)))
    assert low < 0.75
    assert 0.9 < high < 1


@pytest.mark.parametrize("value", [0.1, 0.35, 0.7, 1e-6, 1e9 / 7])
def test_equal_values_are_equal_whatever_their_sum_rounds_to(value: float) -> None:
    for n in range(2, 60):
        found = mean_interval([value] * n)
        assert found == Estimate(value, None, None, n, "not estimable: all values equal")
        repeated = mean_interval([value, 3 * value, 3 * value, value] * n, [case // 2 for case in range(4 * n)])
        assert found is not None
        assert repeated is not None
        assert (repeated.low, repeated.n) == (None, 2 * n)


def test_a_bounded_mean_near_its_bound_is_a_score_interval_in_its_units() -> None:
    # Eight of forty points lost on a scale from 1 to 5: the share 0.95 of 40 cases is under 10 failures.
    values = [5.0] * 36 + [3.0] * 4
    found = mean_interval(values, bounds=(1, 5))
    assert found is not None
    assert found.method == "Wilson for a bounded mean"
    expected = wilson(38, 40)
    assert ends(found) == pytest.approx(tuple(1 + 4 * end for end in ends(expected)))
    middling = mean_interval([1.0, 2.0, 4.0, 5.0] * 20, bounds=(1, 5))
    assert middling is not None
    assert middling.method == "t, skewness-adjusted"


def test_a_value_outside_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="within 0 to 1"):
        mean_interval([0.5, 1.5], bounds=(0, 1))
    with pytest.raises(ValueError, match="within 0 to inf"):
        mean_interval([-0.5, 1.5], bounds=(0, inf))


def clustered(rate: float, cases: int, repeats: int, correlation: float, seed: int) -> np.ndarray[Any, Any]:
    """0-1 values of shape (SIMULATED, cases, repeats) with the given intra-case correlation (beta-binomial)."""
    generator = np.random.default_rng(seed)
    spread = 1 / correlation - 1
    of_case = generator.beta(rate * spread, (1 - rate) * spread, size=(SIMULATED, cases, 1))
    return (generator.random((SIMULATED, cases, repeats)) < of_case).astype(float)


@pytest.mark.parametrize(("rate", "cases"), [(0.5, 40), (0.8, 80), (0.95, 240)])
def test_clustered_proportions_cover_where_ten_of_each_are_expected(rate: float, cases: int) -> None:
    numbers = np.repeat(np.arange(cases), 5)
    hits = 0
    for sample in clustered(rate, cases, 5, 0.6, seed=cases):
        low, high = ends(proportion_interval(sample.ravel(), numbers))
        hits += low <= rate <= high
    assert 0.93 <= hits / SIMULATED <= 0.97


def test_clustered_proportions_outside_that_range_count_each_case_once() -> None:
    numbers = np.repeat(np.arange(40), 5)
    hits = fallbacks = 0
    for sample in clustered(0.97, 40, 5, 0.6, seed=7):
        found = proportion_interval(sample.ravel(), numbers)
        assert found is not None
        fallbacks += found.method == "Wilson, each case once"
        low, high = ends(found)
        hits += low <= 0.97 <= high
    assert hits / SIMULATED >= 0.93
    assert fallbacks / SIMULATED >= 0.98
    # Without a failure the estimated variance would be 0 and the interval a point.
    perfect = proportion_interval(np.ones(200), numbers)
    assert ends(perfect) == pytest.approx(ends(wilson(40, 40)))


@pytest.mark.parametrize(
    ("rate", "cases", "correlation"), [(0.5, 20, 0.6), (0.9, 100, 0.6), (0.95, 100, 0.9), (0.98, 100, 0.6)]
)
def test_exact_ends_with_repeats_err_no_more_often_than_they_may(rate: float, cases: int, correlation: float) -> None:
    numbers = np.repeat(np.arange(cases), 5)
    samples = clustered(rate, cases, 5, correlation, seed=cases)[:500]  # as cases of their own, they err three times as often
    found = [ends(exact_proportion(sample.ravel(), numbers, confidence=0.9)) for sample in samples]
    assert np.mean([low > rate for low, _ in found]) <= 0.06
    assert np.mean([high < rate for _, high in found]) <= 0.06


def test_clustered_means_cover() -> None:
    generator = np.random.default_rng(11)
    cases, repeats = 30, 5
    of_case = generator.gamma(4.0, 1.0, size=(SIMULATED, cases, 1))
    values = of_case + generator.normal(size=(SIMULATED, cases, repeats))
    numbers = np.repeat(np.arange(cases), repeats)
    found = (ends(mean_interval(sample.ravel(), numbers)) for sample in values)
    assert 0.93 <= np.mean([low <= 4.0 <= high for low, high in found]) <= 0.97


@pytest.mark.parametrize(("q", "n"), [(0.5, 40), (0.95, 150), (0.99, 500)])
def test_the_bounds_of_a_quantile_are_exact_binomial_ranks(q: float, n: int) -> None:
    low, high = ends(quantile_interval(np.arange(1, n + 1), q, confidence=0.9))
    assert stats.binom.cdf(low - 1, n, q) <= 0.05 < stats.binom.cdf(low, n, q)
    assert stats.binom.sf(high - 1, n, q) <= 0.05 < stats.binom.sf(high - 2, n, q)


def test_p99_has_an_upper_bound_from_299_values() -> None:
    assert values_needed(0.99, confidence=0.9) == 299
    enough = quantile_interval(range(299), 0.99, confidence=0.9)
    too_few = quantile_interval(range(298), 0.99, confidence=0.9)
    assert enough is not None
    assert enough.high == 298
    assert too_few is not None
    assert too_few.high is None
    assert too_few.low is not None
    assert "not estimable" in too_few.method


@pytest.mark.parametrize(
    ("q", "cases", "correlation"), [(0.95, 60, 1.0), (0.95, 60, 0.6), (0.95, 120, 0.6), (0.5, 60, 1.0), (0.5, 20, 0.3)]
)
def test_clustered_quantiles_err_no_more_often_than_they_say(q: float, cases: int, correlation: float) -> None:
    generator = np.random.default_rng(int(100 * (q + correlation)) + cases)
    truth, numbers, simulated = stats.norm.ppf(q), np.repeat(np.arange(cases), 5), 800
    of_case = generator.normal(size=(simulated, cases, 1)) * correlation**0.5
    values = of_case + generator.normal(size=(simulated, cases, 5)) * (1 - correlation) ** 0.5
    found = [ends(quantile_interval(sample.ravel(), q, numbers, confidence=0.9)) for sample in values]
    assert np.mean([low > truth for low, _ in found]) <= 0.07
    assert np.mean([high < truth for _, high in found]) <= 0.07


def test_repeats_that_are_alike_bound_a_quantile_as_their_cases_do() -> None:
    draw = np.random.default_rng(1).normal(size=80)
    once, repeated = (
        quantile_interval(np.repeat(draw, times), 0.95, np.repeat(np.arange(80), times), confidence=0.9) for times in (1, 7)
    )
    assert ends(once) == ends(repeated)
    assert repeated is not None
    assert (repeated.n, repeated.method) == (80, "order statistics, each case once")
    few = quantile_interval(np.repeat(draw[:50], 7), 0.95, np.repeat(np.arange(50), 7), confidence=0.9)
    assert few is not None
    assert few.high is None


def test_a_quantile_is_that_of_numpy_in_any_order() -> None:
    found = quantile_interval([5.0, 1.0, 4.0, 2.0], 0.95)
    assert found is not None
    assert found.value == np.quantile([1.0, 2.0, 4.0, 5.0], 0.95)
    assert (found.low, found.high) == (4.0, None)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.5, 0.99))
def test_wilson_holds_its_estimate_and_mirrors(successes: int, failures: int, confidence: float) -> None:
    n = successes + failures
    low, high = ends(wilson(successes, n, confidence))
    assert 0 <= low <= successes / n <= high <= 1
    mirrored_low, mirrored_high = ends(wilson(failures, n, confidence))
    assert (1 - mirrored_high, 1 - mirrored_low) == pytest.approx((low, high))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.data())
def test_a_bounded_mean_stays_in_bounds_and_widens_with_confidence(values: list[float], data: st.DataObject) -> None:
    clusters = data.draw(st.lists(st.integers(0, 8), min_size=len(values), max_size=len(values)))
    found = [ends(mean_interval(values, clusters, bounds=(0, 1), confidence=c)) for c in (0.5, 0.8, 0.9, 0.99)]
    for (low, high), (wider_low, wider_high) in pairwise(found):
        assert 0 <= wider_low <= low + 1e-9
        assert high - 1e-9 <= wider_high <= 1


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=30), st.floats(0.5, 0.99))
def test_an_open_bound_cuts_an_end_and_changes_nothing_else(values: list[float], confidence: float) -> None:
    assume(not {*values} <= {0.0, 1.0})
    free = mean_interval(values, confidence=confidence)
    cut = mean_interval(values, bounds=(0, inf), confidence=confidence)
    assert free is not None
    assert cut == (free if free.low is None else replace(free, low=max(0.0, free.low)))


def test_amounts_that_happen_to_be_nothing_or_one_are_no_rate() -> None:
    free, dollars = mean_interval([0.0] * 8), mean_interval([0.0] * 8, bounds=(0, inf))
    assert free is not None
    assert free.method == "Wilson"
    assert dollars is not None
    assert (dollars.value, dollars.low, dollars.high) == (0, None, None)


@settings(max_examples=200)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_a_quantile_is_numpys(values: list[float], q: float) -> None:
    assert quantile(values, q) == pytest.approx(np.quantile(values, q), abs=1e-6)
    assert quantile([], q) is None


def test_cases_are_told_apart_by_name_as_by_number() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.25]
    by_name = mean_interval(values, ["b", "a", "b", "c", "a", "c"])
    assert by_name is not None
    assert by_name == mean_interval(values, [1, 0, 1, 2, 0, 2])
    assert by_name.n == 3
    assert by_name.interval == (by_name.low, by_name.high)
    assert mean_interval([2.0], ["a"]).interval is None  # type: ignore[union-attr]
