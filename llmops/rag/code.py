"""Where source code may be cut, and what its lines belong to, by indentation and keywords: no parser per language."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from llmops.rag.markdown import Section
from llmops.rag.splitting import stripped

_line = re.compile(r"[^\n]*\n?")
_definition = re.compile(
    r"(?:export\s+|default\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+|abstract\s+|async\s+|pub(?:\([^)]*\))?\s+"
    r"|unsafe\s+|const\s+)*"
    r"(?:class|def|function\*?|func|fn|interface|struct|enum|trait|impl|module|namespace|type|sub|proc)\s+(?:\([^)]*\)\s*)?"
    r"(?P<name>[A-Za-z_$](?:[\w$.]|::)*)"
)
MAX_LINE = 500
"""Characters of a line in which a definition is looked for."""


def code_lines(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Spans of the lines that are not blank, with True where a block ends: before a blank line or a line of column 0."""
    found: list[tuple[int, int, int, bool]] = []
    at = start
    blank_before = False
    while at < end:
        match = _line.match(text, at, end)
        until = match.end() if match and match.end() > at else end
        span = stripped(text, at, until)
        if span is None:
            blank_before = True
        else:
            found.append((*span, span[0] - at, blank_before))
            blank_before = False
        at = until
    for (begin, until, _, _), following in zip_longest(found, found[1:]):
        closes = following is not None and text[following[0]] in ")]}"
        ends = following is None or ((following[3] or following[2] == 0) and not closes)
        yield begin, until, ends


def code_sections(text: str) -> Iterator[Section]:
    """The stretches of a source file that belong to one class or function each, in order; together they are the whole file."""
    path: list[tuple[int, str]] = []
    start = at = 0
    while at < len(text):
        match = _line.match(text, at)
        until = match.end() if match and match.end() > at else len(text)
        line = text[at : min(until, at + MAX_LINE)]
        bare = line.lstrip(" \t")
        if bare.strip() and bare[0] not in ")]}#/*@":
            indent = len(line) - len(bare)
            kept = [entry for entry in path if entry[0] < indent]
            definition = _definition.match(bare)
            if definition or len(kept) < len(path):
                if at > start:
                    yield Section(start, start, at, tuple(name for _, name in path))
                path = [*kept, (indent, definition["name"])] if definition else kept
                start = at
        at = until
    if start < len(text):
        yield Section(start, start, len(text), tuple(name for _, name in path))
