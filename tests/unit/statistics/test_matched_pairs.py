"""Tests of paired proportions against published examples, statsmodels and exact enumeration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from llmops.statistics.matched_pairs import (
    exact_interval,
    exact_p,
    mcnemar_mid_p,
    score_bounds,
    score_statistic,
    tango,
)


def test_the_airway_trial_of_fagerland_2013() -> None:
    # Fagerland, Lydersen, Laake (2013), BMC Medical Research Methodology 13:91, table 1 (Bentur et al. 2009): of 21 children
    # 1 and 7 changed. Mid-p 0.039. Tango's interval from the same authors (2014), Statistics in Medicine 33.
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.039, abs=5e-4)
    assert tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_the_contact_lens_trial_of_tango_1998() -> None:
    # Tango (1998), Statistics in Medicine 17, 891-908, section 4: 43 of 44 pairs agree, 1 is lost; margin 0.1, Z = 1.709.
    assert score_statistic(*np.array([0.0, 1.0, 44.0, -0.1])) == pytest.approx(1.709, abs=5e-4)
    assert tango(0, 1, 44, 0.9)[0] == pytest.approx(-0.096, abs=5e-4)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (0, 5), (3, 4), (12, 30), (500, 480), (4000, 6000)])
def test_the_mid_p_value_is_mcnemars_exact_one_with_half_of_the_observed_outcome(wins: int, losses: int) -> None:
    if not wins + losses:
        assert mcnemar_mid_p(0, 0) == 1.0
        return
    exact = mcnemar([[50, wins], [losses, 50]], exact=True).pvalue
    half = stats.binom.pmf(min(wins, losses), wins + losses, 0.5)
    assert mcnemar_mid_p(wins, losses) == pytest.approx(exact - half, rel=1e-8)


def test_eighty_cases_bound_the_difference_at_three_points_without_a_flip() -> None:
    z2 = stats.norm.ppf(0.95) ** 2
    assert tango(0, 0, 80, 0.9)[0] == pytest.approx(-z2 / (80 + z2))
    assert tango(0, 0, 80, 0.9)[0] == pytest.approx(-0.033, abs=5e-4)
    assert tango(0, 1, 80, 0.9)[0] == pytest.approx(-0.054, abs=5e-4)


def outcomes(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    wins, losses = (axis.ravel() for axis in np.indices((n + 1, n + 1)))
    possible = wins + losses <= n
    return wins[possible].astype(float), losses[possible].astype(float)


@pytest.mark.parametrize(("n", "margin"), [(40, 0.08), (80, 0.05), (80, 0.08), (120, 0.05), (200, 0.05)])
def test_the_score_test_passes_at_the_margin_about_as_often_as_it_may(n: int, margin: float) -> None:
    wins, losses = outcomes(n)
    low, _ = score_bounds(wins, losses, np.float64(n), stats.norm.ppf(0.95))  # type: ignore[arg-type]
    passed = low > -margin
    rates = []
    for losing in np.linspace(margin, 0.3, 30):
        counts = np.column_stack([wins, losses, n - wins - losses])
        chances = stats.multinomial.pmf(counts[passed], n, [losing - margin, losing, 1 - 2 * losing + margin])
        rates.append(chances.sum())
    assert np.mean(rates) <= 0.0505
    # The score test is asymptotic: at its worst rate of flips it exceeds 5 % by less than one point.
    assert max(rates) <= 0.06


@pytest.mark.parametrize(("n", "margin"), [(12, 0.2), (20, 0.15)])
def test_the_exact_test_never_passes_more_often_than_it_may(n: int, margin: float) -> None:
    wins, losses = outcomes(n)
    passed = np.array([exact_p(int(b), int(c), n, -margin) <= 0.05 for b, c in zip(wins, losses, strict=True)])
    for losing in np.linspace(margin, (1 + margin) / 2, 37):
        counts = np.column_stack([wins, losses, n - wins - losses])[passed]
        chances = stats.multinomial.pmf(counts, n, [losing - margin, losing, max(0.0, 1 - 2 * losing + margin)])
        assert chances.sum() <= 0.05 + 1e-6


def test_without_flips_the_exact_bound_is_the_binomial_one() -> None:
    # All other differences put the least probability on "no flip" when every flip is a loss: (1 - d)^n = tail.
    low, high = exact_interval(0, 0, 10, 0.9)
    assert low == pytest.approx(-(1 - 0.05**0.1), abs=1e-4)
    assert high == -low


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 40), st.floats(0.5, 0.99))
def test_score_intervals_hold_the_difference_stay_in_range_and_swap(wins: int, losses: int, ties: int, level: float) -> None:
    n = wins + losses + ties
    low, high = tango(wins, losses, n, level)
    assert -1 <= low <= (wins - losses) / n <= high <= 1
    swapped_low, swapped_high = tango(losses, wins, n, level)
    assert (-swapped_high, -swapped_low) == pytest.approx((low, high), abs=1e-9)
    wider_low, wider_high = tango(wins, losses, n, (1 + level) / 2)
    assert wider_low <= low
    assert high <= wider_high


@pytest.mark.parametrize(("wins", "losses", "n"), [(2, 2, 3), (-1, 0, 3), (0, 0, 0)])
def test_impossible_counts_are_refused(wins: int, losses: int, n: int) -> None:
    for function in (tango, exact_interval):
        with pytest.raises(ValueError, match="wins"):
            function(wins, losses, n)
