"""The sequential test holds its error under continuous looking and stops early."""

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.interval_coverage import log_evidence
from llmops.statistics.sequential import SequentialTest

RUNS, CASES, MARGIN, DISCORDANCE = 2_000, 2_000, 0.05, 0.15
LIMIT = np.log(1 / 0.05)


def differences(mean: float, seed: int) -> NDArray[np.float64]:
    """Flips of shape (RUNS, CASES) with 15 % discordance and the given mean."""
    drawn = np.random.default_rng(seed).random((RUNS, CASES))
    wins = drawn < (DISCORDANCE + mean) / 2
    return wins.astype(float) - (~wins & (drawn < DISCORDANCE))


def first(crossed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cases until the first crossing; one more than there are where it never comes."""
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, CASES + 1)


def test_error_is_held_when_looking_after_every_case() -> None:
    for_it, against = log_evidence(differences(-MARGIN, seed=1), MARGIN)
    assert (for_it >= LIMIT).any(axis=1).mean() <= 0.05
    assert (against >= LIMIT).any(axis=1).mean() <= 0.05


def test_a_drop_of_twice_the_margin_is_found_with_less_than_half_the_cases() -> None:
    for_it, against = log_evidence(differences(-2 * MARGIN, seed=2), MARGIN)
    stopped = first(against >= LIMIT)
    assert np.median(stopped) <= CASES / 2
    assert (for_it >= LIMIT).any(axis=1).mean() <= 0.05


def test_a_harmless_change_is_passed_early() -> None:
    for_it, _ = log_evidence(differences(0.0, seed=3), MARGIN)
    assert np.median(first(for_it >= LIMIT)) <= CASES / 2


def test_wealth_is_a_fair_game_at_the_margin() -> None:
    # The e-value has mean 1 under the hypothesis, whatever the number of cases.
    for path in log_evidence(differences(-MARGIN, seed=4)[:, :40], MARGIN):
        assert np.exp(path[:, -1]).mean() == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("mean", "verdict"), [(0.0, "pass"), (-0.1, "fail")])
def test_a_decision_is_made_at_the_case_where_the_evidence_crosses_and_stays(mean: float, verdict: str) -> None:
    sample = differences(mean, seed=5)[0]
    asked = SequentialTest(MARGIN)
    for difference in sample:
        asked.add(float(difference))
    for_it, against = log_evidence(sample, MARGIN)
    crossed = (for_it if verdict == "pass" else against) >= LIMIT
    assert (asked.verdict, asked.cases) == (verdict, int(crossed.argmax()) + 1)


def test_a_missing_value_speaks_for_neither_side() -> None:
    asked = SequentialTest(MARGIN)
    assert {asked.add(-1.0, 1.0) for _ in range(2_000)} == {"inconclusive"}
    assert SequentialTest(MARGIN).verdict == "inconclusive"


@pytest.mark.parametrize(("worst", "best", "margin"), [(1.5, None, 0.05), (0.5, 0.4, 0.1), (0.5, None, 1.0), (0.5, None, -0.1)])
def test_what_cannot_be_bet_on_is_refused(worst: float, best: float | None, margin: float) -> None:
    with pytest.raises(ValueError, match="must"):
        SequentialTest(margin).add(worst, best)
