from llmops.domain.retrieval import Document
from llmops.rag.places import spanned

TEXT = "# Guide\n\nBefore.\n\n## Install it\n\nRun.\n\n### Windows\n\nOther.\n\n## Use\n\nAsk.\n\n## Use\n\nAgain.\n"
DOCUMENTS = {"a.md": Document("a.md", TEXT)}


def section(unit: str) -> str:
    (found,) = spanned([unit], DOCUMENTS)
    start, end = found.removeprefix("a.md:").split("-")
    return TEXT[int(start) : int(end)]


def test_a_heading_is_the_span_of_its_section_and_those_below() -> None:
    assert section("a.md#install-it") == "## Install it\n\nRun.\n\n### Windows\n\nOther.\n\n"
    assert section("./a.md#use") == "## Use\n\nAsk.\n\n"
    assert section("a.md#guide") == TEXT


def test_what_is_no_heading_stays() -> None:
    units = ("a.md", "a.md:3-9", "a.md#no-such", "b.md#use")
    assert spanned(units, DOCUMENTS) == units
