"""The sentence in which a detector's span stands, cut to a line: what is before the mark, under it and after it."""

from collections.abc import Iterator

from llmops.domain.records import record
from llmops.domain.runs import CellResult
from llmops.domain.scores import Span
from llmops.reporting.safe import safe
from llmops.scoring.sentences import split_sentences
from llmops.settings.secrets import masked_parts

MOST = 3
"""Marks of one case, at most."""


@record
class Mark:
    """One marked stretch; all texts are harmless and without line breaks."""

    span: Span
    before: str
    found: str
    after: str


def marks(output: str, spans: tuple[Span, ...], width: int) -> Iterator[Mark]:
    """The first spans of an answer in their sentences, each at most `width` characters."""
    sentences = split_sentences(output) if spans else []
    for span in spans[:MOST]:
        holding = next((s for s in sentences if s.start <= span.start < s.end), None)
        start, end = (holding.start, holding.end) if holding else (span.start, span.end)
        last = max(span.start, min(span.end, end))
        before, found, after = map(_line, masked_parts(output, (start, span.start, last, max(last, end))))
        found = _cut(found, width)
        room = max(0, width - len(found))
        left = max(room // 2, room - len(after))
        before = before if len(before) <= left else f"…{before[len(before) - left + 1 :]}" if left else ""
        right = room - min(len(before), room)
        yield Mark(span, before, found, _cut(after, right))


def failing_spans(result: CellResult) -> tuple[Span, ...]:
    """The spans of all evaluators that the case did not pass."""
    return tuple(span for each in result.evaluations.values() if each.passed is False for span in each.spans)


def _line(text: str) -> str:
    return safe(text).replace("\n", " ").replace("\t", " ")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…" if width else ""
