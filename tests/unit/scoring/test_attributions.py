import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.attributions import without_attributions

SOURCES = ("docs/ferry.md", "https://a.test/times?day=1", "Handbook", "doc7", "24", "given")
CLAIM = "The ferry leaves at 9:15."


@pytest.mark.parametrize(
    "aside",
    [
        "(docs/ferry.md)",
        "[docs/ferry.md]",
        "(Source: `docs/ferry.md#times`)",
        "(see ferry.md and https://a.test/times?day=1)",
        "[Source: ferry.md:3-8]",
        "\nSource: docs/ferry.md",
        "\n\n**Sources:**\n- docs/ferry.md\n- https://a.test/times?day=1",
        "\n\n## References\n[1] ferry.md, page 3",
        "\n\nSources: [1], [2]",
        "(Handbook)",
        "[doc7]",
        "(see the Handbook, page 3)",
        "\nSource: Handbook",
    ],
)
def test_where_the_answer_names_its_sources_it_claims_nothing(aside: str) -> None:
    assert without_attributions(f"{CLAIM} {aside}", SOURCES).strip() == CLAIM


@pytest.mark.parametrize(
    "text",
    [
        "(docs/bus.md)",
        "Source: docs/bus.md",
        "Edit docs/ferry.mdx.",
        "The Handbook is given to each of them.",
        "The sources of the river lie in the north.",
        "It stands in mydocs/ferry.md.",
        "A ticket (24 euros) costs 24 euros in doc7.",
    ],
)
def test_what_is_no_known_source_stays(text: str) -> None:
    assert without_attributions(text, SOURCES) == text


def test_a_name_inside_a_sentence_goes_and_the_sentence_stays() -> None:
    found = without_attributions("According to docs/ferry.md, [it](ferry.md) leaves at 9:15.", SOURCES)

    assert found.split() == ["According", "to", ",", "it", "leaves", "at", "9:15."]


@pytest.mark.parametrize("sources", [(), ("given",), ("contexts[0]", "contexts[1]")])
def test_where_nobody_knows_the_sources_a_line_that_names_one_is_believed(sources: tuple[str, ...]) -> None:
    assert without_attributions(f"{CLAIM}\nSource: Times, page 3", sources).strip() == CLAIM
    assert without_attributions(f"{CLAIM} (Times, page 3)", sources) == f"{CLAIM} (Times, page 3)"


@given(
    st.text() | st.lists(st.sampled_from(["docs/ferry.md", "(", ")", "Source:", "\n", " ", "see", "[", "]", "x1"])).map("".join)
)
def test_nothing_moves(answer: str) -> None:
    found = without_attributions(answer, SOURCES)

    assert len(found) == len(answer)
    assert all(after in (before, " ") for before, after in zip(answer, found, strict=True))
