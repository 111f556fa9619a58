"""Configurations against the first one: figures as scipy has them, adjusted by hand."""

import pytest
from scipy import stats

from llmops.domain.measures import Measured
from llmops.workflows.rag_eval import Ranked
from llmops.workflows.retrieval_differences import against_first, direction

QUERIES = 12
BASE = [0.2 + 0.05 * n for n in range(QUERIES)]


def moved(by: float, spread: float) -> list[float]:
    """The base with changes that lie evenly about `by`, so that they have no skewness."""
    return [value + by + spread * (n - (QUERIES - 1) / 2) for n, value in enumerate(BASE)]


def ranked(name: str, **scores: list[float]) -> Ranked:
    return Ranked(Measured(name, QUERIES, 4, 4, {}, {}), scores)


def test_a_pair_has_the_interval_and_the_test_of_scipy() -> None:
    after = moved(-0.05, 0.01)
    (found,) = against_first([ranked("default", ndcg=BASE), ranked("bm25", ndcg=after)])
    expected = stats.ttest_rel(after, BASE)
    interval = expected.confidence_interval(0.95)
    assert (found.name, found.against, found.metric, found.queries) == ("bm25", "default", "ndcg", QUERIES)
    assert found.difference == pytest.approx(-0.05)
    assert found.interval == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.wins, found.losses, found.verdict) == (1, 11, "worse")


def test_several_p_values_are_adjusted_metric_by_metric() -> None:
    clear, slight = moved(0.05, 0.01), moved(0.021, 0.009)
    raw = [stats.ttest_rel(each, BASE).pvalue for each in (clear, slight)]
    assert raw[0] < raw[1] < 0.05
    third = moved(0.0, 0.01)
    sides = [ranked("a", ndcg=BASE, mrr=BASE)] + [
        ranked(name, ndcg=each, mrr=clear) for name, each in zip("bcd", (clear, slight, third), strict=True)
    ]
    found = against_first(sides)
    assert [(each.name, each.metric) for each in found] == [(name, metric) for name in "bcd" for metric in ("ndcg", "mrr")]
    ndcg = [each for each in found if each.metric == "ndcg"]
    assert [each.p_value for each in ndcg] == pytest.approx([3 * raw[0], 2 * raw[1], 1.0])
    # The interval of the second leaves out 0; among three such differences that is no news.
    assert ndcg[1].interval is not None
    assert ndcg[1].interval[0] > 0
    assert 2 * raw[1] > 0.05
    assert [each.verdict for each in ndcg] == ["better", "not told apart", "not told apart"]
    (alone,) = against_first([ranked("a", ndcg=BASE), ranked("c", ndcg=slight)])
    assert alone.verdict == "better"


def test_the_same_configuration_twice_is_not_told_apart() -> None:
    (found,) = against_first([ranked("bm25", hit=[1.0, 0.0] * 6), ranked("bm25", hit=[1.0, 0.0] * 6)])
    assert (found.difference, found.wins, found.losses, found.verdict) == (0.0, 0, 0, "not told apart")


def test_a_single_configuration_has_no_difference() -> None:
    assert against_first([ranked("default", ndcg=BASE)]) == ()
    assert against_first([ranked("default"), ranked("bm25")]) == ()


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        ((0.01, 0.2), "better"),
        ((-0.2, -0.01), "worse"),
        ((0.0, 0.2), "not told apart"),
        ((-0.2, 0.0), "not told apart"),
        (None, "not told apart"),
    ],
)
def test_a_direction_is_told_where_the_interval_leaves_out_0(interval: tuple[float, float] | None, told: str) -> None:
    assert direction(interval) == told
