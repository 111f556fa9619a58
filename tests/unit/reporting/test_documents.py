"""Documents tell what the terminal tells, and hold nothing that a spreadsheet would run."""

import json
import re
from dataclasses import replace
from typing import get_args

import pytest
from test_terminal_report import REPORT

from llmops.domain.reports import FlakyCase, Flip
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.reporting.annotations import flips_code_quality, flips_sarif
from llmops.reporting.documents import Format, render, spreadsheet, to_junit, to_markdown


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1+1", "-1+cmd|'x'!A", "-1 ", "-", "@SUM(1)", "\t=1", "\ttab", '\n=HYPERLINK("x")', "\nline", "  =1"]
    + ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", "\n\uff1d1", "\x1b[0m=1"],
)
def test_a_formula_gets_a_quote(cell: str) -> None:
    assert str(spreadsheet(cell)).startswith("'")


@pytest.mark.parametrize("cell", ["text", "a=b", "1-2", "", "a\n=b", -1, 0.5, None, "-1", "+3.25", "-1,200", "-1e-7"])
def test_other_cells_stay_as_they_are(cell: object) -> None:
    assert spreadsheet(cell) == cell


@pytest.mark.parametrize("form", [form for form in get_args(Format) if form != "html"])
@pytest.mark.parametrize("text", ["\ud800 half a character", "\x00\x1b[31m\u202e\u2028 é 😀"])
def test_any_answer_can_be_written_to_a_file(form: Format, text: str) -> None:
    result = CellResult(0, "c0", "p", "t", 0, "scored", text, text, {"e": EvaluatorResult("scored", 0.0, False, text)})
    flip = Flip("c0", "p", "t", 0, True, ("e",), text, text, text)
    report = replace(REPORT, worst=(result,), flips=(flip,), broken=1, notes=(text,))
    written = "".join(render([(report, lambda: [result])], form)).encode()
    if form == "json":
        (run,) = json.loads(written)["runs"]
        assert (run["worst"][0]["output"], run["results"][0]["output"]) == (text, text)


def test_junit_tells_a_rule_as_the_terminal_does() -> None:
    rules = (
        replace(REPORT.rules[0], value=1 / 3, low=0.2741, high=0.73333333333, n=8, reason="too low"),
        replace(REPORT.rules[0], verdict="inconclusive", value=0.5, low=None, high=None, n=8, reason="one case"),
        replace(REPORT.rules[0], verdict="inconclusive", value=None, low=None, high=None, n=0, reason="nothing was scored"),
    )
    document = "".join(to_junit([(replace(REPORT, rules=rules), list)]))
    told = [
        "fail: 0.333 [0.274, 0.733] n=8; too low", "inconclusive: 0.5 n=8; one case", "inconclusive: nothing was scored",
    ]  # fmt: skip
    assert re.findall(r'<failure message="([^"]*)">([^<]*)</failure>', document) == [(each, each) for each in told]
    page = "".join(to_markdown([(replace(REPORT, rules=rules), list)])).replace("\\", "")
    assert all(f"| {each.partition(': ')[2]} |" in page for each in told)


@pytest.mark.parametrize(("exit_code", "tag"), [(0, "skipped"), (4, "failure")])
def test_an_inconclusive_rule_fails_in_junit_only_where_it_fails_the_job(exit_code: int, tag: str) -> None:
    rules = (replace(REPORT.rules[0], verdict="inconclusive", reason="one case"),)
    document = "".join(to_junit([(replace(REPORT, rules=rules, exit_code=exit_code), list)]))
    assert f'<{tag} message="inconclusive: ' in document
    counts = {"failures": int(tag == "failure"), "skipped": int(tag == "skipped")}
    assert all(f'{name}="{count}"' in document for name, count in counts.items())


def test_a_pull_request_is_told_how_many_flips_are_not_listed() -> None:
    flips = tuple(Flip(f"c{number}", "p", "t", 0, True, ("x",), "", "before", "after") for number in range(9))
    document = "".join(to_markdown([(replace(REPORT, baseline="run-b", flips=flips, broken=1250, mended=4), list)]))
    assert "1,250 broken and 4 mended against run run-b" in document
    assert "- and 1,249 more" in document


@pytest.mark.parametrize(("broken", "told"), [(2, None), (3, "1 further cell broke"), (1250, "1,248 further cells broke")])
def test_annotations_tell_how_many_broken_cells_they_leave_out(broken: int, told: str | None) -> None:
    flips = tuple(Flip(f"c{number}", "p", "t", 0, number < 2, ("x",), "", "before", "after") for number in range(3))
    reports = [replace(REPORT, baseline="run-b", flips=flips, broken=broken, mended=1)]
    results = json.loads(flips_sarif(reports))["runs"][0]["results"]
    issues = json.loads(flips_code_quality(reports))
    messages, paths = zip(*((each["description"], each["location"]["path"]) for each in issues), strict=True)
    assert [each["message"]["text"] for each in results] == list(messages)
    assert len({each["fingerprint"] for each in issues}) == len(issues) == (2 if told is None else 3)
    assert paths[0] == "prompts/p/prompt.j2"
    if told is not None:
        assert messages[-1].startswith(told)
        assert paths[-1] == REPORT.suite


def test_flaky_cases_that_are_not_named_are_counted() -> None:
    named = tuple(FlakyCase(f"c{number}", "p", "t", 1, 2) for number in range(7))
    document = "".join(to_markdown([(replace(REPORT, flaky=named, flaky_total=312), list)])).replace("\\", "")
    assert "312 flaky, passing in some of their repeats: c0 (1 of 2)," in document
    assert "c4 (1 of 2), and 307 more" in document
