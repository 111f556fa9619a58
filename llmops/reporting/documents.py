"""A report as a file: HTML, JSON, JUnit XML, Markdown, CSV, SARIF or GitLab code quality."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from llmops.domain.reports import Report
from llmops.domain.runs import CellResult
from llmops.domain.serial import members
from llmops.domain.words import many
from llmops.reporting.annotations import flips_code_quality, flips_sarif
from llmops.reporting.figures import agreed, corrected, counted, duration, headline, judged, levels
from llmops.reporting.flips import flaky, markdown_flips, power, told
from llmops.reporting.marks import Mark, marks
from llmops.reporting.safe import markdown_text, one_line, safe

Format = Literal["html", "json", "jsonl", "junit", "markdown", "csv", "sarif", "code quality"]
Results = Callable[[], Iterable[CellResult]]
"""Reads the cell results of a run anew."""

SUFFIXES: dict[str, Format] = {
    ".html": "html",
    ".json": "json",
    ".jsonl": "jsonl",
    ".xml": "junit",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".sarif": "sarif",
}

FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of one, some in full width too."""
_NUMBER = re.compile(r"[+-]\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?")
COLUMNS: dict[str, type] = {
    "run": str,
    "suite": str,
    "prompt": str,
    "target": str,
    "case": str,
    "repeat": int,
    "evaluator": str,
    "status": str,
    "value": float,
    "passed": bool,
    "reason": str,
    "output": str,
    "error": str,
    "latency_s": float,
    "cached": bool,
    "cost_usd": float,
    "model": str,
    "input_tokens": int,
    "output_tokens": int,
    "tags": str,
}
"""Of a table of results, with the type of their values; any may be missing."""


def render(reports: Sequence[tuple[Report, Results]], form: Format, folder: str = "") -> Iterator[str]:
    """The reports of one command in one document, piece by piece; `folder` of the project in its repository."""
    writers = {"json": to_json, "jsonl": to_jsonl, "junit": to_junit, "markdown": to_markdown, "csv": to_csv}
    if form in ("sarif", "code quality"):
        annotations = flips_sarif if form == "sarif" else flips_code_quality
        return iter([annotations([report for report, _ in reports], folder)])
    return writers[form](reports)


def to_json(reports: Sequence[tuple[Report, Results]]) -> Iterator[str]:
    """`{"schema_version", "runs": [{...report, "results": [...]}]}`; `llmops schema report` describes it."""
    version = reports[0][0].schema_version if reports else 1
    yield f'{{"schema_version": {version}, "runs": ['
    for number, (report, results) in enumerate(reports):
        head = json.dumps(report, ensure_ascii=True, allow_nan=False, default=members)
        yield f'{", " if number else ""}{head[:-1]}, "results": ['
        for index, result in enumerate(results()):
            yield f"{',' if index else ''}\n{json.dumps(result, ensure_ascii=True, allow_nan=False, default=members)}"
        yield "]}"
    yield "]}\n"


def to_junit(reports: Sequence[tuple[Report, Results]]) -> Iterator[str]:
    """JUnit XML: one test suite per prompt x target, one test case per cell."""
    root = Element("testsuites", name="llmops")
    for report, results in reports:
        suites: dict[tuple[str, str], Element] = {}
        before = {(f.case_id, f.prompt, f.target, f.repeat): f.baseline_output for f in report.flips if f.broken}
        for result in results():
            place = (result.prompt, result.target)
            if place not in suites:
                name = " · ".join(_xml(part) for part in (report.suite, *place) if part)
                suites[place] = SubElement(root, "testsuite", name=name, timestamp=report.timing.started_at[:19])
            _junit_case(suites[place], report, result, before.get((result.case_id, *place, result.repeat)))
        for suite in suites.values():
            for key, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                suite.set(key, str(len(list(suite.iter(tag)))))
            suite.set("time", f"{sum(float(case.get('time', 0)) for case in suite):.3f}")
        _junit_gate(root, report)
    indent(root)
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield tostring(root, encoding="unicode") + "\n"


def _junit_case(suite: Element, report: Report, result: CellResult, before: str | None) -> None:
    repeat = f" #{result.repeat + 1}" if result.repeat else ""
    classname = ".".join(_xml(part) for part in (report.suite, result.prompt, result.target) if part)
    time = f"{result.latency_s or 0:.3f}"
    case = SubElement(suite, "testcase", name=_xml(result.case_id + repeat), classname=classname, time=time)
    broken = [f"{name}: {e.reason}" for name, e in result.evaluations.items() if e.status == "failed"]
    wrong = [f"{name}: {e.reason or e.value}" for name, e in result.evaluations.items() if e.passed is False]
    if result.error or broken:
        SubElement(case, "error", message=_xml(result.error or broken[0])).text = _xml("\n".join(broken))
    elif wrong:
        detail = SubElement(case, "failure", message=_xml(one_line(wrong[0], 200)))
        passed = [] if before is None else ["", "the baseline's answer, which passed:", before]
        detail.text = _xml("\n".join([*wrong, "", "answer:", result.output or "", *passed]))
    elif result.passed is None:
        SubElement(case, "skipped", message="nothing was judged")


def _junit_gate(root: Element, report: Report) -> None:
    if not report.rules:
        return
    failing = ("fail", "inconclusive") if report.exit_code else ("fail",)
    failures = sum(rule.verdict in failing for rule in report.rules)
    skipped = sum(rule.verdict != "pass" for rule in report.rules) - failures
    suite = SubElement(root, "testsuite", name=f"{_xml(report.suite)} · gate", timestamp=report.timing.started_at[:19])
    for key, value in (("tests", len(report.rules)), ("failures", failures), ("errors", 0), ("skipped", skipped)):
        suite.set(key, str(value))
    suite.set("time", "0.000")
    for rule in report.rules:
        name = " · ".join(_xml(part) for part in (rule.rule, rule.prompt, rule.target) if part)
        case = SubElement(suite, "testcase", name=name, classname=f"{_xml(report.suite)}.gate", time="0.000")
        basis = _xml(f"{rule.verdict}: {judged(rule)}")
        if rule.verdict in failing:
            SubElement(case, "failure", message=one_line(basis, 200)).text = basis
        elif rule.verdict != "pass":
            SubElement(case, "skipped", message=one_line(basis, 200))


def _xml(text: str) -> str:
    """Harmless text without the characters that XML 1.0 forbids."""
    return "".join(c for c in safe(text) if c in "\n\t" or 0x20 <= ord(c) <= 0xFFFD or ord(c) >= 0x10000)


def to_markdown(reports: Sequence[tuple[Report, Results]]) -> Iterator[str]:
    """Markdown for a pull request or a job summary."""
    if not reports:
        yield "Nothing was run: no case had failed.\n"
    for report, _ in reports:
        yield f"## {markdown_text(report.suite)}: {report.verdict if report.status == 'finished' else report.status}\n\n"
        if report.description:
            yield f"{markdown_text(report.description)}\n\n"
        if report.rules:
            yield "| gate | rule | prompt · target | estimate |\n| --- | --- | --- | --- |\n"
            for rule in report.rules:
                place = " · ".join(markdown_text(part) for part in (rule.prompt, rule.target) if part)
                yield f"| {rule.verdict} | {markdown_text(rule.rule)} | {place} | {markdown_text(judged(rule))} |\n"
            yield "\n"
        beside = (told(report), flaky(report), power(report.power) if report.power else "")
        yield "".join(f"{markdown_text(line)}\n\n" for line in beside if line)
        yield "".join(f"{line}\n" for line in markdown_flips(report))
        yield "| prompt · target | evaluator | figure | cells |\n| --- | --- | --- | --- |\n"
        for group in report.groups:
            place = " · ".join(markdown_text(part) for part in (group.prompt, group.target) if part)
            for summary in group.evaluators:
                figures = " ".join((headline(summary), corrected(summary), agreed(summary))).replace("\n", "; ").rstrip()
                cells = (place, *(markdown_text(text) for text in (summary.name, figures, counted(summary))))
                yield f"| {' | '.join(cells)} |\n"
        yield "\n"
        if report.worst:
            yield "<details><summary>Worst cases</summary>\n\n"
            for result in report.worst:
                yield from _md_case(result)
            yield "\n</details>\n\n"
        yield f"run `{report.run_id}` · {many(report.counts.cells, 'cell')}"
        yield f" · {many(report.counts.model_calls, 'model call')}"
        yield f" · {many(report.counts.reused, 'answer')} reused · {duration(report.timing)} · {levels(report.rules)}\n"
        for note in report.notes:
            yield f"\n> {markdown_text(note)}\n"


def _md_case(result: CellResult) -> Iterator[str]:
    place = " · ".join(markdown_text(part) for part in (result.case_id, result.prompt, result.target) if part)
    yield f"- **{place}**\n"
    if result.error:
        yield f"  - {markdown_text(one_line(result.error, 300))}\n"
    for name, evaluation in result.evaluations.items():
        if evaluation.passed is False or evaluation.status == "failed":
            yield f"  - {markdown_text(name)}: {markdown_text(one_line(evaluation.reason, 300))}\n"
            for mark in marks(result.output or "", evaluation.spans, 300):
                yield f"    - {markdown_text(mark.span.kind)}: {_md_marked(mark)}\n"
                if mark.span.evidence:
                    source = f" ({markdown_text(one_line(mark.span.source, 60))})" if mark.span.source else ""
                    yield f"      - nearest{source}: {markdown_text(one_line(mark.span.evidence, 160))}\n"
    if result.output is not None:
        yield f"  - answer: {markdown_text(one_line(result.output, 300))}\n"


def _md_marked(mark: Mark) -> str:
    """The sentence, its marked part in bold; spaces at the edges of bold text would leave the asterisks visible."""
    found = mark.found.strip()
    gap = " " * (len(mark.found) - len(mark.found.lstrip()))
    after = mark.found[len(gap) + len(found) :] + mark.after
    marked = f"**{markdown_text(found)}**" if found else ""
    return f"{markdown_text(mark.before + gap)}{marked}{markdown_text(after)}".strip()


def to_jsonl(reports: Sequence[tuple[Report, Results]]) -> Iterator[str]:
    """One line per cell, as in the JSON document, with the id of its run."""
    for report, results in reports:
        for result in results():
            yield (
                json.dumps({"run": report.run_id, **members(result)}, ensure_ascii=True, allow_nan=False, default=members)
                + "\n"
            )


def table_rows(report: Report, results: Iterable[CellResult]) -> Iterator[tuple[object, ...]]:
    """One row per cell and evaluator, in the order of `COLUMNS`."""
    for result in results:
        head = (report.run_id, report.suite, result.prompt, result.target, result.case_id, result.repeat)
        usage = result.usage
        tokens = (None, None) if usage is None else (usage.input_tokens, usage.output_tokens)
        paid = (result.latency_s, result.cached, result.cost_usd, result.model, *tokens)
        tail = (result.output, result.error, *paid, ", ".join(result.tags))
        rows = [(name, e.status, e.value, e.passed, e.reason) for name, e in result.evaluations.items()]
        for row in rows or [("", result.status, None, None, "")]:
            yield (*head, *row, *tail)


def to_csv(reports: Sequence[tuple[Report, Results]]) -> Iterator[str]:
    """One row per cell and evaluator."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report, results in reports:
        for row in table_rows(report, results()):
            writer.writerow([spreadsheet(value) for value in row])
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()


def spreadsheet(value: object) -> object:
    """A cell of a CSV file: text that a spreadsheet would run as a formula gets a quote in front (OWASP, CSV injection)."""
    if not isinstance(value, str):
        return value
    text = safe(value)
    runs = text.startswith(("\t", "\n")) or text.lstrip().startswith(FORMULAS)
    return f"'{text}" if runs and not _NUMBER.fullmatch(text) else text
