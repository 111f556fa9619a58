import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.retrieval import Hit
from llmops.scoring.ranking import collapsed, covers, graded_metrics, outside, parse_unit, ranking_metrics, slug


def hit(source: str, heading: str = "", start: int = 0, end: int = 100, *, given: bool = False) -> Hit:
    return Hit("text", source, heading, start, end, given=given)


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("Where a prompt stands", "where-a-prompt-stands"),
        ("What's new? (2.0)", "whats-new-20"),
        ("`llmops eval --json`", "llmops-eval---json"),
        ("Cost & quality", "cost--quality"),
        ("max_tokens", "max_tokens"),
        ("Größe der Blöcke", "größe-der-blöcke"),
        ("See [the gate](gate.md#x)", "see-the-gate"),
    ],
)
def test_slugs_are_those_of_github(heading: str, expected: str) -> None:
    assert slug(heading) == expected


@given(st.text(max_size=60))
def test_a_slug_has_no_space_and_is_stable(heading: str) -> None:
    once = slug(heading)
    assert " " not in once
    assert slug(once) == once


@given(
    st.lists(
        st.text("abc XYßüहि'?->", min_size=1, max_size=12).filter(lambda title: title.strip(" >")), min_size=1, max_size=4
    ),
    st.data(),
)
def test_any_heading_of_the_path_matches(headings: list[str], data: st.DataObject) -> None:
    headings = [title.strip(" >") for title in headings]
    chosen = data.draw(st.sampled_from(headings))
    assert covers(hit("a.md", " > ".join(headings)), parse_unit(f"a.md#{slug(chosen)}"))


@pytest.mark.parametrize(
    ("found", "relevant", "expected"),
    [
        (hit("docs/a.md"), "docs/a.md", True),
        (hit("docs/a.md"), "./docs/a.md", True),
        (hit("docs/a.md"), "docs/b.md", False),
        (hit("docs/a.md", "Top > The Gate"), "docs/a.md#the-gate", True),
        (hit("docs/a.md", "Top > The Gate"), "docs/a.md#The-Gate", True),
        (hit("docs/a.md", "Top > The Gate"), "docs/a.md#gate", False),
        (hit("docs/a.md", "Top > The Gate"), "docs/b.md#the-gate", False),
        (hit("docs/a.md", start=50, end=60), "docs/a.md:0-51", True),
        (hit("docs/a.md", start=50, end=60), "docs/a.md:0-50", False),
        (hit("docs/a.md", start=50, end=60), "docs/a.md:60-61", False),
        (hit("docs/a.md", start=50, end=60), "docs/a.md:55-56", True),
        (Hit("text", "docs/a.md"), "docs/a.md:0-9", False),
        (hit("docs/a.md", "Die Größe"), "docs/a.md#die-größe", True),
        (hit("docs/a.md", "हिन्दी भाषा"), "docs/a.md#हिन्दी-भाषा", True),
        (hit("docs/a.md", "Orders > File > Export"), "docs/a.md#file--export", True),
        (hit("docs/a.md", "Orders > File > Export"), "docs/a.md#orders", True),
        (hit("docs/C# notes.md", "Setup"), "docs/C# notes.md#setup", True),
        (hit("docs/C# notes.md", "Setup"), "docs/C# notes.md", True),
        (hit("docs/C# notes.md", "Setup"), "docs/C# notes.md#teardown", False),
        (hit("doc#7"), "doc#7", True),
        (hit("urn:1-2"), "urn:1-2", True),
    ],
)
def test_where_a_hit_stands(found: Hit, relevant: str, expected: bool) -> None:
    assert covers(found, parse_unit(relevant)) is expected


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(ValueError, match="empty span"):
        parse_unit("a.md:9-9")


def test_labels_outside_of_the_documents() -> None:
    labels = ["a.md", "./a.md#x", "a.md:0-9", "b.md", "doc#1", "b.md", "doc#2"]
    stray = outside(map(parse_unit, labels), ["./a.md", "doc#1"])
    assert [unit.text for unit in stray] == ["b.md", "doc#2"]


def test_hits_collapse_to_the_first_per_unit() -> None:
    units = [parse_unit("a.md#one"), parse_unit("a.md#two"), parse_unit("b.md")]
    hits = [
        hit("c.md"),
        hit("b.md", given=True),
        hit("a.md", "One"),
        hit("a.md", "One > Detail"),
        hit("c.md"),
        hit("a.md", "One > Two"),
        hit("b.md"),
    ]
    assert collapsed(hits, units) == [(), (0,), (), (1,), (2,)]


def test_the_figures_of_a_worked_example() -> None:
    # 3 relevant units; ranks: 1 no, 2 unit 0, 3 no, 4 unit 1, 5 no. Unit 2 is never found.
    got = ranking_metrics([(), (0,), (), (1,), ()], 3, [1, 3, 5])
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert got == pytest.approx(
        {
            "mrr": 1 / 2,
            "map": (1 / 2 + 2 / 4 + 0) / 3,
            "recall@1": 0,
            "recall@3": 1 / 3,
            "recall@5": 2 / 3,
            "precision@1": 0,
            "precision@3": 1 / 3,
            "precision@5": 2 / 5,
            "ndcg@1": 0,
            "ndcg@3": (1 / math.log2(3)) / ideal,
            "ndcg@5": (1 / math.log2(3) + 1 / math.log2(5)) / ideal,
            "hit@1": 0,
            "hit@3": 1,
            "hit@5": 1,
        }
    )


def test_a_hit_that_covers_two_units_finds_both_at_its_rank() -> None:
    got = ranking_metrics([(0, 1), (), (2,)], 3, [1, 3])
    assert got["recall@1"] == pytest.approx(2 / 3)
    assert got["recall@3"] == pytest.approx(1)
    assert got["precision@3"] == pytest.approx(2 / 3)
    assert got["ndcg@1"] == pytest.approx(1)
    assert got["ndcg@3"] == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3) + 1 / 2))


def test_no_hit_at_all_is_zero_everywhere() -> None:
    assert set(ranking_metrics([], 2, [1, 5]).values()) == {0.0}
    assert set(ranking_metrics([(), ()], 2, [1, 5]).values()) == {0.0}


rankings = st.lists(st.booleans(), max_size=12).map(
    lambda marks: [(sum(marks[:rank]),) if mark else () for rank, mark in enumerate(marks)]
)


@given(rankings, st.integers(0, 5))
def test_bounds_and_monotony(ranking: list[tuple[int, ...]], missed: int) -> None:
    relevant = max(1, sum(map(len, ranking)) + missed)
    got = ranking_metrics(ranking, relevant, [1, 2, 5, 10])
    assert all(0 <= value <= 1 + 1e-9 for value in got.values())
    for lower, higher in ((1, 2), (2, 5), (5, 10)):
        assert got[f"recall@{lower}"] <= got[f"recall@{higher}"] + 1e-9
        assert got[f"hit@{lower}"] <= got[f"hit@{higher}"]
    for k in (1, 2, 5, 10):
        found = sum(len(units) for units in ranking[:k])
        assert got[f"recall@{k}"] == pytest.approx(found / relevant)
        assert got[f"precision@{k}"] == pytest.approx(found / k)
        assert got[f"hit@{k}"] == (found > 0)


@given(st.integers(1, 6))
def test_a_perfect_ranking_has_an_ndcg_of_one(relevant: int) -> None:
    got = ranking_metrics([(unit,) for unit in range(relevant)], relevant, [1, 3, 10])
    assert got["ndcg@1"] == got["ndcg@3"] == got["ndcg@10"] == pytest.approx(1)
    assert got["mrr"] == 1


def test_graded_judgements_count_as_gains_and_a_document_once() -> None:
    got = graded_metrics(["b", "a", "a", "c"], {"a": 3, "c": 1, "d": 0}, [2])
    ideal = 3 + 1 / math.log2(3)
    assert got == pytest.approx(
        {
            "ndcg@2": (3 / math.log2(3)) / ideal,
            "recall@2": 1 / 2,
            "precision@2": 1 / 2,
            "hit@2": 1.0,
            "mrr": 1 / 2,
            "map": (1 / 2 + 2 / 3) / 2,
        }
    )
    assert set(graded_metrics([], {"a": 1}, [5]).values()) == {0.0}
