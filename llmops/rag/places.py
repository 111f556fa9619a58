"""Labels by heading as labels by span, which hold whatever the chunker."""

from collections.abc import Mapping, Sequence

from llmops.domain.retrieval import Document
from llmops.rag.markdown import markdown_sections
from llmops.scoring.ranking import parse_unit, slug


def spanned(units: Sequence[str], documents: Mapping[str, Document]) -> tuple[str, ...]:
    """The units with `path#heading` as `path:start-end`: the heading's section with those below it.

    As on GitHub the first heading with that anchor is meant. What is not found stays as it is.
    """
    return tuple(_spanned(text, documents) for text in units)


def _spanned(text: str, documents: Mapping[str, Document]) -> str:
    unit = parse_unit(text)
    document = documents.get(unit.path)
    if unit.slug is None or document is None:
        return text
    start = end = None
    path: tuple[str, ...] = ()
    for section in markdown_sections(document.text):
        if start is None and section.headings and slug(section.headings[-1]) == unit.slug:
            start, end, path = section.start, section.end, section.headings
        elif start is not None and len(section.headings) > len(path) and section.headings[: len(path)] == path:
            end = section.end
        elif start is not None:
            break
    return text if start is None else f"{unit.path}:{start}-{end}"
