"""pass@k, pass^k and flaky cases."""

from itertools import combinations

import pytest

from llmops.statistics.passk import Flaky, flaky_cases, over_tries, pass_at_k, pass_hat_k


@pytest.mark.parametrize(("repeats", "passed"), [(5, 0), (5, 2), (7, 6), (6, 6)])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_both_are_the_share_of_all_choices_of_k_repeats(repeats: int, passed: int, k: int) -> None:
    results = [True] * passed + [False] * (repeats - passed)
    choices = list(combinations(results, k))
    assert pass_at_k(repeats, passed, k) == pytest.approx(sum(map(any, choices)) / len(choices))
    assert pass_hat_k(repeats, passed, k) == pytest.approx(sum(map(all, choices)) / len(choices))


def test_a_suite_has_both_with_intervals_over_its_cases() -> None:
    results = {i: [True, i % 2 == 0, True] for i in range(20)} | {99: [True]}
    once, every = over_tries(results, 2), over_tries(results, 2, every=True)
    assert once is not None
    assert every is not None
    assert once.value == 1.0
    assert every.value == pytest.approx((10 * 1 + 10 / 3) / 20)
    assert every.n == 20
    assert every.low is not None
    assert 0 < every.low < every.value
    assert over_tries({99: [True]}, 2) is None


def test_flaky_cases_come_most_undecided_first() -> None:
    results = {"always": [True, True], "mostly": [True, True, True, False], "never": [False], "coin": [True, False]}
    assert flaky_cases(results) == (Flaky("coin", 1, 2), Flaky("mostly", 3, 4))


@pytest.mark.parametrize(("repeats", "passed", "k"), [(3, 4, 1), (3, 1, 4), (3, 1, 0), (3, -1, 1)])
def test_impossible_counts_are_refused(repeats: int, passed: int, k: int) -> None:
    for function in (pass_at_k, pass_hat_k):
        with pytest.raises(ValueError, match="k = "):
            function(repeats, passed, k)
