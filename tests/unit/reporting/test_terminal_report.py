"""The report in a terminal says what happened, at 80 columns and without colour."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from llmops.domain.reports import (
    Counts,
    EvaluatorSummary,
    Group,
    LatencySummary,
    Metric,
    Report,
    RuleVerdict,
    Spend,
    Timing,
)
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.reporting.terminal import print_report

RATE = Metric("contains.pass_rate", 0.5, 0.25, 0.75, 8, "%")
CONTAINS = EvaluatorSummary("contains", "contains", 8, 1, 2, 4, 8, (RATE,))
SPEND = Spend(100, 20, False, 0.002, 0.001, 11, 3)


def group(target: str, spend: Spend = SPEND) -> Group:
    return Group("answer", target, f"vendor/{target}", 11, 10, 1, (CONTAINS,), spend, LatencySummary(7, 3))


REPORT = Report(
    1, "0.1.0", "20260101-000000-abcd", "evals/s.yaml", "", "finished", "fail", 1, 0.9, None, (group("small"),),
    (RuleVerdict("contains.pass_rate >= 0.8", "answer", "small", "fail", 0.5, 0.27, 0.73, 8),),
    Counts(11, 8, 1, 2, 11, 8, 3, 11, 8), Timing("a", "b", 1.5),
)  # fmt: skip


def shown(report: Report, *, width: int = 80, quiet: bool = False) -> str:
    out = StringIO()
    print_report(Console(file=out, width=width, no_color=True), report, quiet=quiet)
    assert all(len(line) <= width for line in out.getvalue().splitlines())
    return out.getvalue()


def test_figures_counts_spend_and_verdict_are_told() -> None:
    text = shown(REPORT)
    for told in (
        "50.0 % [25.0, 75.0]",
        "8 scored · 1 failed · 2 unmeasured",
        "10 of 11, 3 reused",
        "120 tokens · answers worth $0.0020, spent now $0.0010",
        "0.5 [0.27, 0.73] n=8",
        "FAIL (exit 1)",
    ):
        assert told in text


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("prompt", ["answer", "an-answer-with-a-name-of-many-words"])
def test_a_long_name_cuts_no_figure(width: int, prompt: str) -> None:
    long = "says-what-the-price-of-the-larger-plan-is-and-in-which-currency-it-is"
    evaluators = tuple(replace(CONTAINS, name=name) for name in ("contains", long))
    cells = replace(group("small"), prompt=prompt, evaluators=evaluators)
    table = shown(replace(REPORT, groups=(cells,)), width=width).split("\n\n")[0]
    assert [table.count(told) for told in ("8 scored · 1 failed · 2", "unmeasured")] == [2, 2]
    assert [table.count(told) for told in ("50.0 % [25.0, 75.0]", "10 of 11, 3 reused")] == [1, 1]


def test_of_a_continued_run_the_time_is_that_of_its_last_process() -> None:
    assert "stored · 1.5 s\n" in shown(REPORT, width=200)
    continued = replace(REPORT, timing=replace(REPORT.timing, continued=True))
    assert "stored · 1.5 s since it was continued\n" in shown(continued, width=200)


def test_quiet_leaves_the_gate_and_the_verdict() -> None:
    text = shown(REPORT, quiet=True)
    assert "FAIL" in text
    assert "scored" not in text


def test_a_missing_price_is_named_and_not_counted_as_nothing() -> None:
    unpriced = group("local", replace(SPEND, cost_usd=None, spent_usd=None))
    text = " ".join(shown(replace(REPORT, groups=(group("small"), unpriced))).split())
    assert "answers worth $0.0020, spent now $0.0010 · no price for local" in text
    assert "$" not in shown(replace(REPORT, groups=(unpriced,), rules=())).replace("spent", "")


def test_many_targets_are_shown_below_each_other_when_the_terminal_is_narrow() -> None:
    groups = tuple(group(name) for name in ("one", "two", "three", "four", "five"))
    assert shown(replace(REPORT, groups=groups)).count("contains") > 1
    assert shown(replace(REPORT, groups=groups, rules=()), width=200).count("contains") == 1


def test_an_incomplete_run_has_no_verdict() -> None:
    text = shown(replace(REPORT, status="incomplete", exit_code=3))
    assert "incomplete: no verdict (exit 3)" in text
    assert "FAIL" not in text


def test_a_bad_case_shows_reason_answer_span_and_evidence_without_escapes() -> None:
    output = "The limit is 40. \x1b[31mIt is free."
    start = output.index("The limit is 40")
    span = Span(start + 13, start + 15, "number differs", "The limit is 30.", "docs/a.md")
    bad = EvaluatorResult("scored", 0.9, False, "1 of 2 sentences", (span,))
    result = CellResult(0, "c1", "answer", "small", 0, "scored", output, None, {"hallucination": bad})
    text = shown(replace(REPORT, worst=(result,)))
    for told in (
        "c1 · answer · small",
        "hallucination 0.9",
        "number differs",
        "nearest (docs/a.md): The limit is 30.",
    ):
        assert told in text
    lines = text.splitlines()
    sentence = next(n for n, line in enumerate(lines) if line.strip("│ ") == "The limit is 40.")
    mark = lines[sentence + 1]
    assert lines[sentence][mark.index("^") : mark.rindex("^") + 1] == "40"
    assert "\x1b" not in text
