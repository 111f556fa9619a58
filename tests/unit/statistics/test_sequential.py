"""The sequential test holds its error under continuous looking and stops early."""

import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.statistics.sequential import decide_sequentially, log_evidence

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
def test_a_decision_names_the_case_that_decided(mean: float, verdict: str) -> None:
    sample = differences(mean, seed=5)[0]
    found = decide_sequentially(sample, MARGIN)
    assert found.verdict == verdict
    assert decide_sequentially(sample[: found.cases], MARGIN).verdict == verdict
    assert decide_sequentially(sample[: found.cases - 1], MARGIN).verdict == "inconclusive"
    assert max(found.evidence_for, found.evidence_against) >= 20
    assert decide_sequentially(sample, MARGIN, confidence=0.99).cases > found.cases


def test_no_case_decides_nothing() -> None:
    assert decide_sequentially([], MARGIN).verdict == "inconclusive"
    assert decide_sequentially([], MARGIN).cases == 0


@pytest.mark.parametrize(("sample", "margin"), [([1.5], 0.05), ([0.5], 1.0), ([0.5], -0.1), ([float("nan")], 0.1)])
def test_what_cannot_be_bet_on_is_refused(sample: list[float], margin: float) -> None:
    with pytest.raises(ValueError, match="must"):
        decide_sequentially(sample, margin)
