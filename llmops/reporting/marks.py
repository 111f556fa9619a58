"""The sentence in which a detector's span stands, cut to a line: what is before the mark, under it and after it."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmops.domain.runs import CellResult
from llmops.domain.scores import Span
from llmops.reporting.safe import safe
from llmops.scoring.sentences import split_sentences

MOST = 3
"""Marks of one case, at most."""


@dataclass(frozen=True, slots=True)
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
        found = _line(output[span.start : max(span.start, min(span.end, end))], width)
        room = max(0, width - len(found))
        before, after = _line(output[start : span.start]), _line(output[span.end : end])
        left = max(room // 2, room - len(after))
        before = before if len(before) <= left else f"…{before[len(before) - max(0, left - 1) :]}"
        right = room - min(len(before), room)
        after = after if len(after) <= right else f"{after[: max(0, right - 1)]}…"
        yield Mark(span, before, found, after)


def failing_spans(result: CellResult) -> tuple[Span, ...]:
    """The spans of all evaluators that the case did not pass."""
    return tuple(span for each in result.evaluations.values() if each.passed is False for span in each.spans)


def _line(text: str, width: int | None = None) -> str:
    flat = safe(text).replace("\n", " ").replace("\t", " ")
    return flat if width is None or len(flat) <= width else f"{flat[: max(0, width - 1)]}…"
