"""Finds the sections of a Markdown text by its headings, with exact character offsets."""

import re
from collections.abc import Iterator

from llmops.domain.records import record

_line = re.compile(r"[^\n]*\n?")
_atx = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_setext = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_fence = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_block = re.compile(r" {4}|\t| {0,3}(?:[>|]|(?:[-*+]|\d{1,9}[.)])(?:\s|$))")
_front_matter = re.compile(r"---[ \t]*\n(?:[^\n]*\n){0,200}?---[ \t]*(?:\n|$)")
_link = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_emphasis = re.compile(r"(\*\*|\*|`+)(.+?)\1")
_anchor = re.compile(r"\s*\{#[^{}]*\}$")

_mark = re.compile(r"( {0,3})(#{1,6}(?=[ \t]|$)|`{3}|~{3}|(?:=+|-+)[ \t]*$)")

MAX_TITLE = 300
"""Characters of an underlined heading; a longer paragraph above a line of dashes is a paragraph above a rule."""
NO_PARAGRAPH = -1
IN_BLOCK = -2
"""In a list, quote, table or indented code: what is underlined there is no heading."""


@record
class Section:
    """A stretch of a document under one heading, or of a class or function of source code."""

    start: int
    """First character of the heading line, 0-based."""
    body: int
    """First character after the heading."""
    end: int
    """One past the last character."""
    headings: tuple[str, ...]
    """Titles from the outermost heading to this one; empty before the first heading."""


def markdown_sections(text: str) -> Iterator[Section]:
    """The sections of a Markdown text, in order; together they are the whole text.

    ATX (`## Title`) and setext (underlined) headings count, save those in code fences, front matter, lists and quotes.
    """
    path: list[tuple[int, str]] = []
    start = body = 0
    for at, end, level, title in _headings(text):
        if at > start:
            yield Section(start, body, at, tuple(name for _, name in path))
        path = [*(entry for entry in path if entry[0] < level), (level, title)]
        start, body = at, end
    if start < len(text):
        yield Section(start, body, len(text), tuple(name for _, name in path))


def plain_line(line: str) -> str:
    """A line of text that is not Markdown, with a backslash before what would make it a heading or the end of one."""
    return _mark.sub(r"\1\\\2", line, count=1) if _mark.match(line) else line


def _headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Start, end (of the heading lines), level and title of each heading."""
    fence = ""
    paragraph = NO_PARAGRAPH
    at = _front_matter_end(text)
    while at < len(text):
        match = _line.match(text, at)
        end = match.end() if match else len(text)
        line = text[at:end].rstrip("\r\n")
        begin, at = at, end
        marker = _fence.match(line)
        if fence:
            if marker and marker[1].startswith(fence) and not line.strip(" \t" + fence[0]):
                fence = ""
            continue
        if marker:
            fence, paragraph = marker[1], NO_PARAGRAPH
            continue
        atx = _atx.match(line)
        setext = _setext.match(line) if paragraph >= 0 and begin - paragraph <= MAX_TITLE else None
        if atx:
            yield begin, end, len(atx[1]), _title(_without_closing(line[atx.end() :]))
        elif setext:
            yield paragraph, end, 1 if setext[1][0] == "=" else 2, _title(text[paragraph:begin])
        if atx or setext or not line.strip():
            paragraph = NO_PARAGRAPH
        elif _block.match(line) and not (paragraph >= 0 and line.startswith(("    ", "\t"))):
            paragraph = IN_BLOCK
        elif paragraph == NO_PARAGRAPH:
            paragraph = begin


def _front_matter_end(text: str) -> int:
    match = _front_matter.match(text)
    return match.end() if match else 0


def _without_closing(text: str) -> str:
    """An ATX heading's text without the number signs that may close it."""
    text = text.strip(" \t")
    bare = text.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else text


def _title(text: str) -> str:
    """A heading as it reads: links, emphasis and anchors without their marks."""
    text = _anchor.sub("", " ".join(text[: 2 * MAX_TITLE].split())[:MAX_TITLE])
    return _emphasis.sub(r"\2", _link.sub(r"\1", text)).strip()
