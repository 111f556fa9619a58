"""Power against exact enumeration and against the bounds it is derived from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmops.statistics.intervals import exact_proportion
from llmops.statistics.matched_pairs import tango
from llmops.statistics.power import cases_for_drop, cases_to_reach, cases_to_show, detectable_drop, reachable_margin

Z = float(stats.norm.ppf(0.95))


def chance(n: int, winning: float, losing: float) -> float:
    """Exact probability that a drop is found."""
    most = int(n * (winning + losing) + 8 * (n * (winning + losing)) ** 0.5) + 3
    wins, losses = (axis.ravel().astype(float) for axis in np.indices((most, most)))
    possible = wins + losses <= n
    wins, losses = wins[possible], losses[possible]
    with np.errstate(invalid="ignore"):
        decided = (losses - wins) / np.sqrt(wins + losses) > Z
    counts = np.column_stack([wins, losses, n - wins - losses])[decided]
    return float(stats.multinomial.pmf(counts, n, [winning, losing, 1 - winning - losing]).sum())


def test_eighty_cases_reach_three_points_and_with_one_loss_five() -> None:
    assert reachable_margin(80) == pytest.approx(0.0327, abs=5e-5)
    assert reachable_margin(80, 1) == pytest.approx(0.0541, abs=5e-5)


@pytest.mark.parametrize("margin", [0.01, 0.033, 0.05, 0.2])
def test_the_number_of_cases_for_a_margin_is_the_smallest(margin: float) -> None:
    n = cases_to_reach(margin)
    assert -tango(0, 0, n, 0.9)[0] <= margin < -tango(0, 0, n - 1, 0.9)[0]


@pytest.mark.parametrize(("n", "discordance"), [(200, 0.2), (400, 0.15), (1000, 0.05)])
def test_the_detectable_drop_is_detected_with_the_power_promised(n: int, discordance: float) -> None:
    drop = detectable_drop(n, discordance)
    assert drop is not None
    assert chance(n, (discordance - drop) / 2, (discordance + drop) / 2) == pytest.approx(0.8, abs=0.04)
    assert cases_for_drop(drop, discordance) == n


def test_every_case_may_flip() -> None:
    drop = detectable_drop(40, 1.0)
    assert drop is not None
    assert cases_for_drop(drop, 1.0) == 40
    assert detectable_drop(2, 1.0) is None


def test_ten_cases_with_few_flips_show_nothing() -> None:
    assert detectable_drop(10, 0.1) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: detectable_drop(0, 0.1),
        lambda: detectable_drop(80, 0.0),
        lambda: detectable_drop(80, 1.1),
        lambda: cases_for_drop(0.2, 0.1),
        lambda: cases_to_reach(1.5),
        lambda: reachable_margin(0),
    ],
)
def test_impossible_questions_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match="found"):
        call()


@given(st.floats(0.02, 0.97), st.floats(0.6, 0.99))
def test_no_fewer_cases_show_a_rate_when_all_of_them_pass(rate: float, confidence: float) -> None:
    def low(cases: int) -> float:
        found = exact_proportion([1.0] * cases, confidence=2 * confidence - 1)
        assert found is not None
        assert found.low is not None
        return found.low

    needed = cases_to_show(rate, confidence=confidence)
    assert low(needed) >= rate - 1e-9
    assert needed == 1 or low(needed - 1) < rate


def test_fifty_nine_cases_show_a_rate_of_95_percent() -> None:
    assert cases_to_show(0.95) == 59
    with pytest.raises(ValueError, match="between 0 and 1"):
        cases_to_show(1.0)
