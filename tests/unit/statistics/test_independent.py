"""Differences of independent groups: a published example, statsmodels, and coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from llmops.statistics.independent import independent_difference
from llmops.statistics.intervals import Estimate, mean_interval, wilson


def test_newcombes_example() -> None:
    """Newcombe 1998, table II, column a: 56/70 against 48/80 by method 10."""
    found = independent_difference(wilson(48, 80), wilson(56, 70))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_statsmodels_agrees(n: int, m: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found = independent_difference(wilson(a, n), wilson(b, m))
    theirs = confint_proportions_2indep(b, m, a, n, method="newcomb", compare="diff")
    assert found.low == pytest.approx(theirs[0], abs=1e-9)
    assert found.high == pytest.approx(theirs[1], abs=1e-9)


def test_an_end_that_cannot_be_estimated_stays_so() -> None:
    assert independent_difference(Estimate(0.5, None, None, 1, ""), wilson(5, 10)).low is None


@pytest.mark.parametrize("clustered", [False, True])
def test_coverage(clustered: bool) -> None:
    """90 % intervals of a small and a large group of grades, alone or several from each user."""
    draw, held, rounds = np.random.default_rng(1), 0, 1000
    for _ in range(rounds):
        sides = []
        for users, rate in ((400, 0.9), (60, 0.8)):
            user = np.repeat(np.arange(users), 3 if clustered else 1)
            own = np.clip(draw.beta(rate * 8, (1 - rate) * 8, users), 0, 1)
            grades = (draw.random(len(user)) < own[user]).astype(float)
            sides.append(mean_interval(grades.tolist(), user.tolist(), bounds=(0, 1), confidence=0.9))
        assert sides[0] is not None
        assert sides[1] is not None
        found = independent_difference(sides[0], sides[1])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= -0.1 <= found.high
    assert 0.875 <= held / rounds <= 0.93
