"""A marked span stands in its sentence, on one line, however long or hostile the answer."""

from dataclasses import replace

import pytest

from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.reporting.marks import failing_spans, marks

ANSWER = "The library is old. On Saturdays it closes at 7 pm in winter. It is free."


def span(text: str, output: str = ANSWER) -> Span:
    start = output.index(text)
    return Span(start, start + len(text), "number differs", "It closes at 4 pm.", "hours.md")


def test_the_sentence_is_cut_at_the_span() -> None:
    (mark,) = marks(ANSWER, (span("7"),), 80)
    assert (mark.before, mark.found, mark.after) == ("On Saturdays it closes at ", "7", " pm in winter.")


def test_a_span_over_two_sentences_is_marked_in_its_first() -> None:
    (mark,) = marks(ANSWER, (span("winter. It is free."),), 80)
    assert (mark.found, mark.after) == ("winter.", "")


@pytest.mark.parametrize("width", [10, 20, 40])
def test_a_long_sentence_keeps_the_span_and_stays_in_its_width(width: int) -> None:
    output = f"{'before ' * 40}1066{' after' * 40}."
    (mark,) = marks(output, (span("1066", output),), width)
    assert mark.found == "1066"
    assert len(mark.before + mark.found + mark.after) <= width
    assert mark.before.startswith("…")
    assert mark.after.endswith("…")


@pytest.mark.parametrize("place", [(0, 0), (5, 1000), (900, 1000), (19, 20)])
def test_a_span_outside_of_every_sentence_does_not_break(place: tuple[int, int]) -> None:
    (mark,) = marks(ANSWER, (Span(*place, "not found"),), 30)
    assert len(mark.before + mark.found + mark.after) <= 30


def test_a_stretch_longer_than_the_line_is_cut_once() -> None:
    output = f"First of all {'very ' * 20}long. It is free."
    (mark,) = marks(output, (span("very " * 20, output),), 40)
    assert (mark.before, len(mark.found), mark.found.count("…"), mark.after) == ("", 40, 1, "")


def test_hostile_text_is_one_harmless_line() -> None:
    output = "The limit\nis \x1b[31m40 today."
    (mark,) = marks(output, (span("40", output),), 80)
    assert (mark.before.replace(" ", ""), mark.found) == ("Thelimitis", "40")


def test_only_what_failed_is_marked() -> None:
    bad = EvaluatorResult("scored", 0.9, False, "", (span("7"),))
    good = replace(bad, passed=True)
    result = CellResult(0, "c1", "answer", "small", 0, "scored", ANSWER, None, {"hallucination": bad, "toxicity": good})
    assert failing_spans(result) == (span("7"),)
    assert [mark.found for mark in marks(ANSWER, failing_spans(result), 40)] == ["7"]


def test_a_span_within_a_key_shows_no_part_of_it() -> None:
    output = f"The key is sk-{'a1' * 20} today."
    (mark,) = marks(output, (span("a1a1a1", output),), 80)
    assert (mark.before, mark.found, mark.after) == ("The key is ***", "***", "*** today.")
