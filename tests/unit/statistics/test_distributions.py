"""Student's t and the binomial against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmops.statistics.distributions import binomial_reach, t_quantile


@given(st.floats(1e-5, 1 - 1e-5), st.integers(1, 3_000))
def test_a_quantile_is_scipys(p: float, degrees: int) -> None:
    assert t_quantile(p, degrees) == pytest.approx(stats.t.ppf(p, degrees), rel=1e-10, abs=1e-12)


def test_the_table_of_fisher_and_yates() -> None:
    # Two-sided 5 %: 12.706, 4.303, 2.228, 2.042, 1.980.
    found = [t_quantile(0.975, degrees) for degrees in (1, 2, 10, 30, 120)]
    assert found == pytest.approx([12.706, 4.303, 2.228, 2.042, 1.980], abs=5e-4)


@pytest.mark.parametrize(("p", "degrees"), [(0.0, 3), (1.0, 3), (0.5, 0)])
def test_what_is_out_of_range_is_refused(p: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="degree"):
        t_quantile(p, degrees)


@given(st.integers(1, 5_000), st.floats(0.001, 0.999), st.sampled_from([0.005, 0.025, 0.05, 0.1]))
def test_a_reach_is_as_far_as_scipys_distribution_function_allows(n: int, q: float, tail: float) -> None:
    reach = binomial_reach(n, q, tail)
    assert reach == 0 or stats.binom.cdf(reach - 1, n, q) <= tail * (1 + 1e-9)
    assert stats.binom.cdf(reach, n, q) > tail * (1 - 1e-9)


def test_equal_tails_are_reached_exactly() -> None:
    assert binomial_reach(6, 0.5, 1 / 64) == 1  # P(B <= 0) is 1/64
    assert binomial_reach(6, 0.5, 0.015) == 0
