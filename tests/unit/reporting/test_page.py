"""What a page shows of answers: marks, differences, and no more cases than a browser can take."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_terminal_report import REPORT

from llmops.domain.reports import EvaluatorSummary, Flip, Metric
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.reporting import page
from llmops.reporting.outputs import CaseOutputs
from llmops.reporting.page import to_html


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(-3, 45), st.integers(-3, 45)), max_size=6))
def test_marks_never_change_the_answer(text: str, places: list[tuple[int, int]]) -> None:
    spans = [Span(start, end, "not found") for start, end in places]
    assert "".join(piece for _, piece in page._marked(text, spans)) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_differences_never_change_the_answers(before: str, after: str) -> None:
    shown = page._flip(Flip("c", "p", "t", 0, True, ("x",), "", before, after))
    assert "".join(text for _, text in shown.before) == before
    assert "".join(text for _, text in shown.after) == after
    assert "".join(text for kind, text in shown.before if not kind) == "".join(text for kind, text in shown.after if not kind)


def case(number: int, *, passed: bool) -> CaseOutputs:
    evaluation = EvaluatorResult("scored", 1.0, passed)
    result = CellResult(number, f"c{number}", "answer", "small", 0, "scored", "an answer", None, {"contains": evaluation})
    return CaseOutputs(f"c{number}", (), {}, (result,), f"question {number}?")


def test_cases_that_passed_give_way_to_those_that_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_CASES", 6)

    def cases() -> Iterator[CaseOutputs]:
        return (case(number, passed=number % 2 == 0) for number in range(10))

    text = "".join(to_html([(REPORT, cases)]))
    assert re.findall(r"question (\d)\?", text) == ["0", "1", "3", "5", "7", "9"]
    assert "4 further cases are left out, those that passed first" in text


def test_only_a_case_that_was_judged_and_passed_is_hidden_among_those_that_did_not() -> None:
    good = case(0, passed=True)
    unmeasured = EvaluatorResult("unmeasured", reason="no fact")
    beside = replace(good.results[0], evaluations={**good.results[0].evaluations, "refusal": unmeasured})
    alone, broken = (
        replace(good.results[0], evaluations={"contains": each}) for each in (unmeasured, EvaluatorResult("failed", reason="x"))
    )
    mixed = replace(beside, evaluations={**beside.evaluations, "judge": EvaluatorResult("failed", reason="x")})
    shown = [replace(good, results=(result,)) for result in (good.results[0], beside, alone, broken, mixed)]
    text = "".join(to_html([(REPORT, lambda: iter(shown))]))
    assert re.findall(r'class="case (\w+)"', text) == ["fine", "fine", "bad", "bad", "bad"]
    assert re.findall(r'class="chip \w+">(.)', text) == ["✓", "✓", "·", "!", "!"]


def test_values_are_told_with_their_units() -> None:
    found = {"cost": 0.0000268, "tokens": 1034.0, "contains": 1.0, "of one case": 0.25}
    metrics = {"cost": "USD", "tokens": "tokens", "contains": ""}
    summaries = tuple(
        EvaluatorSummary(name, name, 1, 0, 0, 0, 0, (Metric(f"{name}.mean", 1.0, None, None, 1, unit, "t"),))
        for name, unit in metrics.items()
    )
    measured = replace(REPORT, groups=(replace(REPORT.groups[0], evaluators=summaries),))
    evaluations = {name: EvaluatorResult("scored", value) for name, value in found.items()}
    good = case(0, passed=True)
    shown = replace(good, results=(replace(good.results[0], evaluations=evaluations),))
    text = "".join(to_html([(measured, lambda: iter([shown]))]))
    assert re.findall(r'class="figure">([^<]*)', text)[-4:] == ["$0.000027", "1,034 tokens", "1", "0.25"]


def test_what_is_said_of_a_marked_part_can_be_read_without_a_mouse() -> None:
    spans = Span(0, 2, "unclear"), Span(3, 9, "not found", "There is <no> answer.", "docs/a.md")
    good = case(0, passed=False).results[0]
    result = replace(good, evaluations={"hallucination": EvaluatorResult("scored", 0.9, False, "", spans)})
    text = "".join(to_html([(REPORT, lambda: iter([replace(case(0, passed=False), results=(result,))]))]))
    told = "<li>“an”: unclear</li><li>“answer”: not found; nearest (docs/a.md): There is &lt;no&gt; answer.</li>"
    assert text.count(f'<ul class="soft">{told}</ul>') == 1
    assert "<ul" not in "".join(to_html([(REPORT, lambda: iter([case(0, passed=False)]))]))


def test_tables_and_filter_are_named_and_reached_by_keyboard() -> None:
    text = "".join(to_html([(REPORT, lambda: iter([case(0, passed=True)]))]))
    for name in ("gate", "figures"):
        assert f'<div class="wide" role="region" aria-label="{name}" tabindex="0"><table>' in text
    assert '<div class="filter" role="radiogroup" aria-label="cases to show">' in text
    assert re.search(r"\.cells td {[^}]*overflow-wrap: anywhere;", text)


def test_the_verdict_may_stand_below_a_suite_that_fills_the_line() -> None:
    text = "".join(to_html([(REPORT, lambda: iter(()))]))
    assert re.search(rf"<h1>{REPORT.suite}\s<span class=\"badge ", text)
    assert re.search(r"h1 {[^}]*overflow-wrap: anywhere;", text)


def test_a_long_case_id_breaks_instead_of_widening_the_page() -> None:
    text = "".join(to_html([(REPORT, lambda: iter(()))]))
    assert re.search(r"summary {[^}]*overflow-wrap: anywhere;", text)


def test_a_page_says_how_many_flips_it_leaves_out() -> None:
    flips = tuple(Flip(f"c{number}", "p", "t", 0, True, ("x",), "", "before", "after") for number in range(3))
    flipped = replace(REPORT, baseline="run-b", flips=flips, broken=250, mended=3)
    text = "".join(to_html([(flipped, lambda: iter(()))]))
    assert "250 broken and 3 mended against run run-b" in text
    assert "250 further cells flipped; critical ones come first, then broken ones" in text
    assert "further cell" not in "".join(to_html([(replace(flipped, broken=3, mended=0), lambda: iter(()))]))


def test_a_text_stands_in_the_direction_of_its_own_script() -> None:
    answered = case(0, passed=True)
    shown = replace(answered, question="מה השעה?", results=(replace(answered.results[0], output="السعر 5 يورو.\nfive euros"),))
    text = "".join(to_html([(REPORT, lambda: iter([shown]))]))
    assert "<bdi>מה השעה?</bdi>" in text
    assert '<div class="answer">السعر 5 يورو.\nfive euros</div>' in text
    assert re.search(r"\.answer, \.text \{[^}]*unicode-bidi: plaintext;", text)
