"""What the places of a document are called: by Markdown's headings, in source code by its classes and functions."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import PurePosixPath

from llmops.domain.retrieval import Document
from llmops.rag.code import code_sections
from llmops.rag.markdown import markdown_sections

SOURCE = re.compile(
    r"\.(?:[ch]pp|c|cc|cxx|h|hh|cs|[cm]?jsx?|[cm]?tsx?|dart|go|java|jl|kt|lua|php|p[lm]|py[ix]?|rb|rs|scala|sh|swift|tcl|zig)"
)
"""Endings of source code, whatever it is cut by."""
PROSE = re.compile(r"\.(?:docx|ipynb|x?html?|markdown|mdx?|pdf|rst|txt)")
"""Endings of what is no source code, though the `code` chunker cuts it."""


class Outline:
    """The sections of a document, whatever it is cut by."""

    def __init__(self, document: Document, kind: str) -> None:
        """Find them.

        Args:
            document: named by a path, or by an id that says nothing about its kind.
            kind: of the chunker; `code` takes such a document for source code.
        """
        self._text = document.text
        ending = PurePosixPath(document.id).suffix.lower()
        source = not PROSE.fullmatch(ending) if kind == "code" else SOURCE.fullmatch(ending)
        self._sections = list((code_sections if source else markdown_sections)(document.text))
        self._starts = [section.start for section in self._sections]

    def reached(self, start: int, end: int) -> Iterator[tuple[str, ...]]:
        """The heading path of the first character of a passage, then those of the sections of which it holds some text.

        The heading alone at the end of a passage is no text of its section, where the section has some.
        """
        first = bisect_right(self._starts, start)
        yield self._sections[first - 1].headings
        for section in self._sections[first : bisect_left(self._starts, end)]:
            if section.body < end or not self._text[section.body : section.end].strip():
                yield section.headings
