"""Splits text into sentences with exact character offsets; Markdown lists, tables and code lines are kept apart."""

import re

from llmops.domain.records import record

_shortened = """
    e.g i.e etc vs cf mr mrs ms dr prof st no fig approx inc ltd jr sr dept est al jan feb mar apr jun jul aug sep oct nov dec
"""
_abbreviations = frozenset(_shortened.split())
_end = re.compile(r"(?<![.!?…؟।])[.!?…؟।]+[\"'”’)\]]*(?=\s|$)|[。！？]+[\"'”’」』）)\]]*")
"""Of a sentence; scripts that are written without spaces have none after it."""
_list_number = re.compile(r"\d{1,3}\.")
_inked = re.compile(r"[^\n]")
_seen = re.compile(r"\S")
_block = re.compile(r"^\s*(?:[-*+]\s|\d+[.)]\s|#{1,6}\s|\||>|```|~~~)")


@record
class Sentence:
    """A sentence of a text."""

    start: int
    """First character, 0-based."""
    end: int
    """One past the last character."""
    text: str


def blank(text: str) -> str:
    """As many spaces; line breaks stay, so that offsets and lines of what is around do, too."""
    return _inked.sub(" ", text)


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of `text`, in order; each list item, table row and heading is at least one of its own."""
    found: list[Sentence] = []
    start = at = 0
    for line in text.splitlines(keepends=True):
        if not line.strip() or _block.match(line):
            _add(found, text, start, at)
            start = at
        at += len(line)
    _add(found, text, start, at)
    return found


def worded_sentences(text: str) -> list[Sentence]:
    """The sentences that say something: no rule of a table, no end of a fence, and no number of a list without its item."""
    found: list[Sentence] = []
    for each in split_sentences(text):
        if found and _list_number.fullmatch(found[-1].text):
            start = found.pop().start
            found.append(Sentence(start, each.end, text[start : each.end]))
        elif any(map(str.isalnum, each.text)):
            found.append(each)
    return found


def _add(found: list[Sentence], text: str, start: int, end: int) -> None:
    """Split one paragraph."""
    at = start
    for match in _end.finditer(text, start, end):
        if match[0] == "." and _goes_on(text, at, match.start(), match.end(), end):
            continue
        _append(found, text, at, match.end())
        at = match.end()
    _append(found, text, at, end)


def _goes_on(text: str, start: int, dot: int, after: int, end: int) -> bool:
    """Whether a full stop belongs to an abbreviation or an initial."""
    word = text[max(start, dot - 20) : dot].split()
    last = word[-1].lstrip("(\"'").lower() if word else ""
    if last in _abbreviations or (len(last) == 1 and last.isalpha() and last != "i"):
        return True
    following = _seen.search(text, after, end)
    return following is not None and following[0].islower()


def _append(found: list[Sentence], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        found.append(Sentence(start, end, text[start:end]))
