"""Several looks at one question: against published boundaries, against scipy, and how often a gate passes at its margin."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmops.statistics.gate import interval_confidence, judge_relative
from llmops.statistics.looks import crossing, look_confidence
from llmops.statistics.paired import paired_difference


@pytest.mark.parametrize(("looks", "boundary"), [(2, 2.178), (3, 2.289), (4, 2.361), (5, 2.413), (10, 2.555)])
def test_the_boundaries_of_pocock(looks: int, boundary: float) -> None:
    # Jennison and Turnbull 2000, table 2.1: two-sided at 0.05, so that each side takes half but for crossings of both.
    found = NormalDist().inv_cdf(look_confidence(0.975, tuple(range(1, looks + 1))))
    assert found == pytest.approx(boundary, abs=0.002)


@pytest.mark.parametrize("sizes", [(1, 2), (2, 3, 4, 5), (1, 4, 20), (3, 50)])
def test_the_probability_of_an_error_is_that_of_scipy(sizes: tuple[int, ...]) -> None:
    correlation = [[(min(a, b) / max(a, b)) ** 0.5 for b in sizes] for a in sizes]
    expected = 1 - stats.multivariate_normal(cov=correlation, abseps=1e-7, releps=1e-7).cdf([1.9] * len(sizes))
    assert crossing(1.9, sizes) == pytest.approx(float(expected), abs=2e-5)


@settings(max_examples=20)
@given(st.floats(0.51, 0.999), st.integers(1, 5), st.integers(0, 9))
def test_a_look_is_surer_than_all_together_and_no_surer_than_bonferroni_asks(confidence: float, first: int, more: int) -> None:
    sizes = tuple(range(first, first + more + 1))
    found = look_confidence(confidence, sizes)
    assert confidence - 1e-9 <= found <= 1 - (1 - confidence) / len(sizes) + 1e-9


def test_one_look_is_as_sure_as_it_is_and_nonsense_is_refused() -> None:
    assert look_confidence(0.95, (5,)) == 0.95
    for sizes in ((), (0, 1), (2, 2), (3, 1)):
        with pytest.raises(ValueError, match="ascending"):
            look_confidence(0.95, sizes)
    with pytest.raises(ValueError, match="confidence"):
        look_confidence(1.0, (1, 2))


def test_a_gate_that_looks_five_times_passes_at_its_margin_no_more_often_than_it_may() -> None:
    generator = np.random.default_rng(5)
    runs, cases, margin = 400, 150, 0.1
    confidence = interval_confidence(look_confidence(0.95, (1, 2, 3, 4, 5)))
    passed = {0.9: 0, confidence: 0}
    for _ in range(runs):
        rates = generator.beta(4, 2, size=cases)
        before = generator.random((cases, 5)) < rates[:, None]
        after = generator.random((cases, 5)) < np.clip(rates - margin, 0, 1)[:, None]
        margin_now = float(np.mean(rates - np.clip(rates - margin, 0, 1)))  # a rate below the margin loses less than that
        for level in passed:
            for looks in (1, 2, 3, 4, 5):
                sides = (side[:, :looks].astype(float).ravel() for side in (before, after))
                found = paired_difference(*sides, clusters=np.repeat(np.arange(cases), looks), confidence=level)
                verdict = judge_relative(found, margin_now)
                if verdict != "inconclusive":
                    passed[level] += verdict == "pass"
                    break
    assert passed[confidence] / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert passed[0.9] > 1.5 * passed[confidence]
