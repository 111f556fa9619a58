"""Span metrics against examples worked by hand, and against sets of characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.retrieval import Hit
from llmops.scoring.ranking import parse_unit
from llmops.scoring.spans import span_metrics


def hit(source: str, start: int, end: int, *, given: bool = False) -> Hit:
    return Hit("text", source, "", start, end, given=given)


def test_an_example_worked_by_hand() -> None:
    # Wanted: 10 characters of a.md and 30 of b.md, 40 in all.
    units = [parse_unit("a.md:100-110"), parse_unit("b.md:0-30")]
    hits = [
        hit("given", 0, 500, given=True),
        hit("a.md", 95, 145),  # 50 characters, 10 of them wanted
        hit("c.md", 0, 50),  # 50, none wanted
        hit("b.md", 20, 70),  # 50, 10 of them wanted
        hit("b.md", 15, 65),  # 50, 15 of them wanted, 10 of which stood in the hit before
    ]
    found = span_metrics(hits, units, [1, 3, 4, 9])
    assert found["span_recall@1"] == pytest.approx(10 / 40)
    assert found["span_precision@1"] == pytest.approx(10 / 50)
    assert found["span_iou@1"] == pytest.approx(10 / (50 + 30))
    assert found["span_recall@3"] == pytest.approx(20 / 40)
    assert found["span_precision@3"] == pytest.approx(20 / 150)
    assert found["span_iou@3"] == pytest.approx(20 / (150 + 20))
    assert found["span_recall@4"] == found["span_recall@9"] == pytest.approx(25 / 40)
    assert found["span_precision@4"] == pytest.approx(25 / 200)
    assert found["span_iou@4"] == pytest.approx(25 / (200 + 15))


def test_what_is_no_span_is_not_measured() -> None:
    assert span_metrics([hit("a.md", 0, 9)], [parse_unit("a.md:0-9"), parse_unit("a.md#part")], [5]) == {}
    assert span_metrics([hit("a.md", 0, 9)], [parse_unit("a.md")], [5]) == {}


def test_without_hits_nothing_is_found() -> None:
    assert set(span_metrics([], [parse_unit("a.md:0-9")], [5]).values()) == {0.0}


span = st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 20), st.integers(1, 12)).map(lambda s: (s[0], s[1], s[1] + s[2]))


@given(st.lists(span, max_size=5), st.lists(span, min_size=1, max_size=4))
def test_they_are_those_of_sets_of_characters(
    retrieved: list[tuple[str, int, int]], wanted: list[tuple[str, int, int]]
) -> None:
    found = span_metrics([hit(*each) for each in retrieved], [parse_unit(f"{p}:{s}-{e}") for p, s, e in wanted], [5])
    gold = {(path, at) for path, start, end in wanted for at in range(start, end)}
    all_retrieved = [(path, at) for path, start, end in retrieved for at in range(start, end)]
    both = gold & set(all_retrieved)
    assert found["span_recall@5"] == pytest.approx(len(both) / len(gold))
    assert found["span_precision@5"] == pytest.approx(len(both) / max(1, len(all_retrieved)))
    assert found["span_iou@5"] == pytest.approx(len(both) / (len(all_retrieved) + len(gold - both)))
