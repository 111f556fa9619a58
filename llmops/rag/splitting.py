"""The places where a text may be cut: paragraphs, sentences and tokens, as spans that leave out nothing but blanks."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal

from llmops.domain.ports import Tokenizer
from llmops.domain.records import record
from llmops.scoring.sentences import split_sentences

SEGMENT = 50_000
"""Characters that are tokenized in one call: a tokenizer needs a hundred bytes or more per token."""
LONGEST_TOKEN = 100
"""Characters; a longer one is a word that the tokenizer gave up on, which may go on for pages."""

_blank_line = re.compile(r"\n[ \t]*\n\s*")
_fence = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


@record
class Piece:
    """A span that is not cut further."""

    start: int
    end: int
    tokens: int
    ends: Literal["token", "sentence", "block"] = "token"
    """What ends with it; a line of code counts as a sentence."""


class TokenMap:
    """The tokens of a stretch of text."""

    def __init__(self, tokenizer: Tokenizer, text: str, start: int, end: int) -> None:
        self._text = text
        self._starts: list[int] = []
        for at, until in _segments(text, start, end):
            for first, last in tokenizer.offsets(text[at:until]):
                self._starts += range(at + first, at + last, LONGEST_TOKEN)

    def count(self, start: int, end: int) -> int:
        """Tokens that begin in the span; at least 1, so that no text is free."""
        return max(1, bisect_left(self._starts, end) - bisect_left(self._starts, start))

    def pieces(self, start: int, end: int, run: int = 1) -> list[Piece]:
        """The span cut at every token, or every `run` tokens, each piece reaching up to the next, blanks left out."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        cuts = sorted({start, *self._starts[first:last]})[::run]
        found: list[Piece] = []
        for begin, until in zip(cuts, [*cuts[1:], end], strict=True):
            span = stripped(self._text, begin, until)
            if span:
                found.append(Piece(*span, self.count(*span) if run > 1 else 1))
        return found


def stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The span without the blanks at its ends; None when nothing is left."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    right = len(part.rstrip())
    return (start + left, start + right) if left < right else None


def paragraphs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans between blank lines; a fenced block is one paragraph."""
    found: list[tuple[int, int]] = []
    for begin, until, fenced in _fenced(text, start, end):
        cuts = [begin, until] if fenced else [begin, *(m.end() for m in _blank_line.finditer(text, begin, until)), until]
        for span in zip(cuts, cuts[1:], strict=False):
            whole = stripped(text, *span)
            if whole:
                found.append(whole)
    return found


def sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Sentences of a span; what no sentence holds is added to the one before it."""
    spans = [(start + sentence.start, start + sentence.end) for sentence in split_sentences(text[start:end])]
    starts = [start, *(begin for begin, _ in spans[1:])]
    tiles = zip(starts, [*starts[1:], end], strict=True)
    return [span for tile in tiles if (span := stripped(text, *tile))]


def _fenced(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """The span in order, with True for what stands between fences."""
    at = start
    opened: re.Match[str] | None = None
    for marker in _fence.finditer(text, start, end):
        if opened is None:
            yield at, marker.start(), False
            at, opened = marker.start(), marker
        elif marker[1].startswith(opened[1]):
            after = text.find("\n", marker.end(), end)
            after = end if after < 0 else after
            yield at, after, True
            at, opened = after, None
    yield at, end, opened is not None


def _segments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Consecutive spans that a tokenizer takes in one call, cut at a blank where there is one."""
    while end - start > SEGMENT:
        cut = text.rfind("\n", start + 1, start + SEGMENT)
        if cut < 0:
            cut = text.rfind(" ", start + 1, start + SEGMENT)
        cut = start + SEGMENT if cut < 0 else cut
        yield start, cut
        start = cut
    yield start, end
