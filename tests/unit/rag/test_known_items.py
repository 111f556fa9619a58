"""Known-item queries come from rare prose, lack their rarest word, and point at the exact sentence."""

import pytest

from llmops.domain.retrieval import Document
from llmops.rag.known_items import BLANK, known_items

LIGHT = "The lamp of the old tower is turned by a small clock mechanism."
WATER = "The lamp of the old tower is turned by the water of the river."
TWICE = "This page is part of the manual and may be copied by everybody."


def _documents(*texts: str) -> list[Document]:
    return [Document(f"docs/{number}.md", text) for number, text in enumerate(texts)]


def test_the_rarest_longest_word_is_left_out_and_the_place_is_exact() -> None:
    documents = _documents(f"# Tower\n\n{LIGHT}\n", f"{WATER}\n")
    found = {each.document: each for each in known_items(documents, 0)}
    light = found["docs/0.md"]
    assert light.question == LIGHT.replace("mechanism", BLANK)
    assert light.answer == "mechanism"
    assert light.relevant == f"docs/0.md:9-{9 + len(LIGHT)}"
    assert documents[0].text[light.start : light.end] == LIGHT


@pytest.mark.parametrize(
    "text",
    [
        f"{TWICE}\n\n{LIGHT} {TWICE}",
        "Too short to stand alone.",
        "word " * 40 + "word.",
        "The whole table is described at https://example.test/table for everybody to read.",
        "| The | row | of | a | table | is | not | a | sentence | to | ask. |",
        "```\nprint one two three four five six seven eight nine.\n```",
        "Nine words that hold an invisible \u202e character are skipped here.",
        "Nine words that hold an escape \x1b[31m character are skipped here.",
        "f(a1, b2) == {c3: d4} and x != y or 10 >= 9 and z <= 8 while 7.",
    ],
)
def test_what_cannot_be_a_query_is_left_out(text: str) -> None:
    assert [each.document for each in known_items(_documents(text), 0)] == (["docs/0.md"] if LIGHT in text else [])
    assert all(TWICE.split()[-1] not in each.question for each in known_items(_documents(text), 0))


def test_of_each_document_the_rarer_half_is_drawn_in_turn_by_the_seed() -> None:
    common = [f"The tower of the town has a door on side number {word}." for word in ("one", "two", "three", "four")]
    documents = _documents(" ".join([LIGHT, *common]), WATER, "An entirely unrelated remark about seven herring boats.")
    drawn = list(known_items(documents, 1))
    assert {each.document for each in drawn[:3]} == {"docs/0.md", "docs/1.md", "docs/2.md"}
    assert len([each for each in drawn if each.document == "docs/0.md"]) == 3
    assert any(each.answer == "mechanism" for each in drawn)
    assert drawn == list(known_items(list(reversed(documents)), 1))
    orders = {tuple(each.document for each in known_items(documents, seed)) for seed in range(8)}
    assert len(orders) > 1


def test_markup_and_line_breaks_are_not_part_of_a_query() -> None:
    (found,) = known_items(_documents("Ask the **keeper**\nfor the [harbour map](map.md) before you leave `port`."), 0)
    assert found.question == "Ask the keeper for the ____ map before you leave port."
