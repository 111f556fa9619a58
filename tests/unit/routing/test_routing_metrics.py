"""The figures of routers agree with hand-worked examples, with the known values of trivial routers, and in any order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.routing.metrics import aiq, apgr, apgr_over_cost, call_performance_threshold, curve

WEAK, STRONG = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
FREE = np.zeros(4)


def drawn(score: list[float], weights: list[float] | None = None):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return curve(np.array(score), (WEAK, FREE + 1), (STRONG, FREE + 3), None if weights is None else np.array(weights))


def test_a_curve_worked_by_hand() -> None:
    found = drawn([4, 3, 2, 1])  # gains 1, 0, 1, -1 in this order; from 2/4 to 3/4
    assert found.share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.quality.tolist() == [0.5, 0.75, 0.75, 1.0, 0.75]
    assert found.cost.tolist() == [1, 1.5, 2, 2.5, 3]
    # PGR 0, 1, 1, 2, 1 at these shares: trapezoids (0.5 + 1 + 1.5 + 1.5) / 4
    assert apgr(found) == pytest.approx(1.125)
    assert apgr_over_cost(found) == pytest.approx(1.125)
    assert call_performance_threshold(found, 0.5) == pytest.approx(0.125)
    assert call_performance_threshold(found, 1.5) == pytest.approx(0.625)
    assert call_performance_threshold(found, 2.5) is None


def test_a_router_without_an_opinion_is_the_diagonal() -> None:
    found = drawn([7, 7, 7, 7])
    assert apgr(found) == pytest.approx(0.5)
    assert call_performance_threshold(found, 0.8) == pytest.approx(0.8)


def test_a_random_router_recovers_half_of_the_gap_as_routellm_reports() -> None:
    draw = np.random.default_rng(0)
    weak, strong = (draw.random(4000) < 0.4).astype(float), (draw.random(4000) < 0.7).astype(float)
    areas: list[float] = []
    half: list[float] = []
    most: list[float] = []
    for _ in range(200):
        found = curve(draw.random(4000), (weak, weak), (strong, strong))
        areas.append(apgr(found) or 0.0)
        half.append(call_performance_threshold(found, 0.5) or 0.0)
        most.append(call_performance_threshold(found, 0.8) or 0.0)
    assert np.mean(areas) == pytest.approx(0.5, abs=0.005)
    assert np.mean(half) == pytest.approx(0.5, abs=0.02)
    assert np.mean(most) == pytest.approx(0.8, abs=0.02)


def test_an_oracle_recovers_more_than_the_gap_and_equal_models_have_none() -> None:
    best = apgr(drawn((STRONG - WEAK).tolist()))
    assert best is not None
    assert best > 1
    same = curve(np.arange(4.0), (WEAK, FREE), (WEAK, FREE))
    assert apgr(same) is None
    assert call_performance_threshold(same, 0.5) is None


def test_a_strong_model_that_is_worse_leaves_no_gap_to_recover() -> None:
    found = curve(np.arange(4.0), (STRONG, FREE), (WEAK, FREE))
    assert (apgr(found), apgr_over_cost(found), call_performance_threshold(found, 0.5)) == (None, None, None)


def test_weights_count_requests() -> None:
    twice = curve(np.array([4, 4, 3, 2, 1.0]), (WEAK[[0, 0, 1, 2, 3]], FREE[[0] * 5]), (STRONG[[0, 0, 1, 2, 3]], FREE[[0] * 5]))
    assert apgr(drawn([4, 3, 2, 1], [2, 1, 1, 1])) == pytest.approx(apgr(twice))


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), min_size=2, max_size=30), st.randoms())
def test_the_order_of_requests_does_not_matter(rows: list[tuple[int, bool, bool]], random: object) -> None:
    def area(items: list[tuple[int, bool, bool]]) -> float | None:
        score, weak, strong = (np.array(column, float) for column in zip(*items, strict=True))
        return apgr(curve(score, (weak, weak), (strong, strong)))

    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert area(shuffled) == pytest.approx(area(rows))


def test_the_area_under_a_hull_worked_by_hand() -> None:
    # The point (2, 0.4) lies under the line from (1, 0.5) to (3, 0.9); after (3, 0.9) quality never rises.
    points = [(1.0, 0.5), (2.0, 0.4), (3.0, 0.9), (5.0, 0.8)]
    assert aiq(points, 1.0, 5.0) == pytest.approx((2 * 0.7 + 2 * 0.9) / 4)
    assert aiq([(2.0, 0.6)], 1.0, 5.0) == pytest.approx(0.6)
    assert aiq([], 1.0, 5.0) is None
    assert aiq(points, 2.0, 2.0) is None
