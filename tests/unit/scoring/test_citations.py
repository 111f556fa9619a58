import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.retrieval import Hit
from llmops.scoring.citations import citations

HITS = [
    Hit("The timeout of a call is 60 seconds.", "docs/calls.md", "Timeouts"),
    Hit("Retries are bounded: four further attempts.", "docs/retries.md"),
    Hit("A label is a movable name for a version.", "docs/labels.md"),
]


def named(text: str) -> list[tuple[str, int | None]]:
    return [(each.label, each.hit) for each in citations(text, HITS)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The timeout is 60 seconds [1].", [("1", 0)]),
        ("The timeout is 60 seconds. [1]", [("1", 0)]),
        ("Both hold [1][3].", [("1", 0), ("3", 2)]),
        ("Both hold [1, 3].", [("1", 0), ("3", 2)]),
        ("All hold [1-3].", [("1", 0), ("2", 1), ("3", 2)]),
        ("All hold [1\u20132; 3].", [("1", 0), ("2", 1), ("3", 2)]),
        ("It holds[2].", [("2", 1)]),
        ("Nothing there [4] or [0].", [("4", None), ("0", None)]),
        ("Far too much [1-999999].", [("1-999999", None)]),
        ("Backwards [3-1].", [("3-1", None)]),
        ("See [docs/calls.md].", [("docs/calls.md", 0)]),
        ("See [calls.md] and [docs/gone.md].", [("calls.md", 0), ("docs/gone.md", None)]),
        ("See [docs/calls.md#timeouts].", [("docs/calls.md#timeouts", 0)]),
        ("Since 1998[1], café[2], 退款[3]。", [("1", 0), ("2", 1), ("3", 2)]),
        ("It holds [Passage 1], [Source: 2] and [^3].", [("1", 0), ("2", 1), ("3", 2)]),
        ("It holds【1】 and 【2†source】.", [("1", 0), ("2", 1)]),
        ("A [link](1.md), `items[1]`, an [aside], [x] and [TODO: more].", []),
        ("```\nvalues[1]\n```", []),
        ("", []),
    ],
)
def test_markers(text: str, expected: list[tuple[str, int | None]]) -> None:
    assert named(text) == expected


def test_a_span_is_where_the_marker_stands() -> None:
    text = "`a[1]` The timeout is 60 seconds [1]."
    (found,) = citations(text, HITS)
    assert text[found.start : found.end] == "[1]"
    assert found.start > 10


def test_support_is_of_the_sentence_and_the_passages_it_cites() -> None:
    text = "The timeout of calls is 60 seconds [1]. Labels are movable names [2]. There are bounded retries. [2]"
    assert [each.support for each in citations(text, HITS)] == [1.0, 0.0, 1.0]


def test_a_list_of_sources_claims_nothing() -> None:
    assert [each.support for each in citations("Nonsense [1].\n\nSources: [1], [2]", HITS)] == [0.0, 1.0, 1.0]
    text = "Nonsense [1].\n\n## References\n[1] A page on calls\n[4] Another"
    assert [(each.hit, each.support) for each in citations(text, HITS)] == [(0, 0.0), (0, 1.0), (None, 0.0)]


def test_text_without_spaces_is_held_against_its_passages() -> None:
    hits = [
        Hit("退款将在退货后14天内完成。", "a.md"),
        Hit("商店九点开门。", "b.md"),
    ]
    right = "退款将在14天内完成[1]。商店九点开门。[2]"
    assert [each.support > 0.7 for each in citations(right, hits)] == [True, True]
    assert [each.support < 0.3 for each in citations(right.replace("[1]", "[2]"), hits)] == [True, False]


def test_several_passages_support_together() -> None:
    (first, second) = citations("Timeout is 60 seconds and retries are bounded [1][2].", HITS)
    assert first.support == second.support == 1.0
    (alone,) = citations("Timeout is 60 seconds and retries are bounded [2].", HITS)
    assert 0 < alone.support < 0.5


def test_a_name_stands_for_all_passages_of_the_source() -> None:
    hits = [Hit("Apples are red.", "a.md"), Hit("Pears are green.", "a.md")]
    assert [each.support for each in citations("Pears are green [a.md].", hits)] == [1.0]


@given(st.text(max_size=200), st.integers(0, 3))
def test_any_text(text: str, count: int) -> None:
    for each in citations(text, HITS[:count]):
        assert 0 <= each.support <= 1
        assert text[each.start] == "["
        assert text[each.end - 1] == "]"
        assert each.hit is None or each.hit < count


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_numbers_point_to_hits_that_exist(numbers: list[int]) -> None:
    text = "It is so " + "".join(f"[{number}]" for number in numbers) + "."
    assert [each.hit for each in citations(text, HITS)] == [number - 1 if number <= 3 else None for number in numbers]


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize("piece", ["[1]", "[", "a.", ".", "`", "[1,", "[a/", "\n", "[1-"])
def test_hostile_text_comes_to_an_end(piece: str) -> None:
    assert len(citations(piece * 50_000, HITS)) == (50_000 if piece == "[1]" else 0)  # in quadratic time: an hour


@pytest.mark.usefixtures("ends")
def test_many_citations_of_a_long_passage_are_read_in_no_time() -> None:
    passage = Hit(" ".join(f"word{number}" for number in range(40_000)), source="a.md")
    found = citations("It says word7 [1]. " * 10_000, [passage])
    assert (len(found), found[-1].hit) == (10_000, 0)
