"""A report for a terminal: readable at 80 columns, in logs, and without colour."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from llmops.domain.amounts import amount, dollars
from llmops.domain.paging import pages
from llmops.domain.reports import Group as Cells
from llmops.domain.reports import Report, RuleVerdict, Verdict
from llmops.domain.runs import CellResult
from llmops.domain.scores import JudgeUse
from llmops.domain.words import many
from llmops.reporting.figures import agreed, corrected, counted, duration, estimate_of, headline, levels
from llmops.reporting.flips import flaky, power, print_flips
from llmops.reporting.marks import failing_spans, marks
from llmops.reporting.quoted import Quoted
from llmops.reporting.safe import one_line, safe, unbroken
from llmops.reporting.tables import new_table

STYLES: dict[Verdict, str] = {"pass": "green", "fail": "red", "inconclusive": "yellow", "not judged": "dim"}
NARROWEST = 24
"""Columns that a target needs in the table."""
MARKED_WIDTH = 70
"""Characters of a sentence with a mark under it: it must not wrap."""


def print_report(console: Console, report: Report, *, quiet: bool = False) -> None:
    """The whole report; `quiet` prints only its head, notes, gate and verdict."""
    console.print(_title(report))
    if not quiet:
        for prompt, groups in groupby(report.groups, key=lambda group: group.prompt):
            for some in _fitting(list(groups), console.width):
                console.print(_evaluator_table(prompt, some, console.width))
                console.print()
        if report.worst:
            console.print(_worst(report.worst))
        for line in _footer(report):
            console.print(line, soft_wrap=False)
    for note in report.notes:
        console.print(Text.assemble(("note: ", "yellow"), unbroken(note)), soft_wrap=True)
    if not quiet:
        print_flips(console, report)
    if report.rules:
        console.print(_gate(report))
    if report.flaky:
        console.print(Text(unbroken(flaky(report)), style="dim"), soft_wrap=True)
    if report.power:
        console.print(Text(power(report.power), style="dim"))
    console.print(_verdict(report))


def _title(report: Report) -> Text:
    title = Text.assemble((safe(report.suite), "bold"), "  ", (f"run {report.run_id}", "dim"))
    if report.description:
        title.append(f"\n{safe(report.description)}", style="dim")
    return title


def _fitting(groups: list[Cells], width: int) -> Iterable[Sequence[Cells]]:
    """As many targets beside each other as the terminal is wide."""
    longest = max((len(e.name) for g in groups for e in g.evaluators), default=len("answers"))
    columns = max(1, (width - longest - 4) // (NARROWEST + 3))
    return pages(groups, columns)


def _evaluator_table(prompt: str, groups: Sequence[Cells], width: int) -> RenderableType:
    table = new_table()
    names = list(dict.fromkeys(e.name for g in groups for e in g.evaluators))
    title, room = safe(prompt) or "recorded answers", max(len("answers"), width - NARROWEST - 4)
    fits = max(cell_len(name) for name in (title, *names)) <= room
    table.add_column(Text(title), no_wrap=fits, max_width=room, overflow="fold")
    for group in groups:
        table.add_column(Text(safe(group.target)), min_width=NARROWEST, overflow="fold")
    for name in names:
        row: list[Text] = []
        for group in groups:
            summary = next((e for e in group.evaluators if e.name == name), None)
            if summary is None:
                row.append(Text("–", style="dim"))
                continue
            style = "" if not summary.failed else "red"
            figures = (headline(summary), corrected(summary), "\n", (counted(summary), style or "dim"), agreed(summary))
            row.append(Text.assemble(*figures))
        table.add_row(Text(safe(name)), *row)
    answers = [Text(_answered(group), style="red" if group.failed else "dim") for group in groups]
    table.add_row(Text("answers"), *answers)
    return table


def _answered(group: Cells) -> str:
    parts = [f"{group.answered} of {group.cells}"]
    if group.latency.cached:
        parts.append(f"{group.latency.cached} reused")
    served = ", ".join(f"{safe(model)} {100 * count / group.answered:.0f} %" for model, count in sorted(group.served.items()))
    return ", ".join(parts) + (f"\nby {served}" if served else "")


def _worst(results: Sequence[CellResult]) -> RenderableType:
    return Group(Text("Worst cases", style="bold"), *(Quoted(_bad_case(result), 2) for result in results), Text(""))


def _bad_case(result: CellResult) -> RenderableType:
    place = " · ".join(unbroken(part) for part in (result.case_id, result.prompt, result.target) if part)
    lines: list[RenderableType] = []
    if result.error:
        lines.append(Text(one_line(result.error, 300), style="red"))
    for name, evaluation in result.evaluations.items():
        if evaluation.passed is False or evaluation.status == "failed":
            value = "" if evaluation.value is None else f" {evaluation.value:.3g}"
            reason = one_line(evaluation.reason, 300)
            lines.append(Text.assemble((f"{name}{value}", "red"), f": {reason}" if reason else ""))
    if result.output is not None:
        lines += _marked(result)
    return Group(Text(place, style="bold"), Padding(Group(*lines), (0, 0, 0, 2)))


def _marked(result: CellResult) -> Iterable[RenderableType]:
    """The answer, then each unsupported sentence with a mark under the span and the nearest evidence below it."""
    yield Text.assemble(("answer: ", "dim"), one_line(result.output or "", 300))
    for mark in marks(result.output or "", failing_spans(result), MARKED_WIDTH):
        yield Text(unbroken(mark.span.kind), style="red")
        yield Text.assemble("  ", mark.before, (mark.found, "red"), mark.after)
        yield Text(f"  {' ' * cell_len(mark.before)}{'^' * max(1, cell_len(mark.found))}", style="red")
        if mark.span.evidence:
            source = f" ({one_line(mark.span.source, 60)})" if mark.span.source else ""
            yield Text(f"  nearest{source}: {one_line(mark.span.evidence, 160)}", style="dim")


def _footer(report: Report) -> list[Text]:
    counts = report.counts
    lines = [
        f"{many(counts.cells, 'cell')}: {counts.scored:,} scored, {counts.failed:,} failed, {counts.unmeasured:,} unmeasured"
        f" · coverage {100 * report.coverage:.1f} %",
        f"{many(counts.model_calls, 'model call')}, {many(counts.reused, 'answer')} reused,"
        f" {many(counts.retrieved, 'search')},"
        f" {many(counts.evaluated, 'evaluation')} stored · {duration(report.timing)}",
    ]
    if any(group.spend.input_tokens for group in report.groups):
        lines.append(_spend([group for group in report.groups if group.spend.input_tokens]))
    judging = [e.judging for group in report.groups for e in group.evaluators if e.judging is not None]
    if judging:
        lines.append(judging_line(sum(judging, JudgeUse())))
    lines.append(levels(report.rules))
    return [Text(line, style="dim") for line in lines]


def judging_line(use: JudgeUse) -> str:
    """What judges took, in a line."""
    tokens = amount(use.input_tokens + use.output_tokens, "tokens")
    worth = f"verdicts worth {dollars(use.cost_usd)}, spent now {dollars(use.spent_usd)}"
    return f"judges: {many(use.calls, 'call')}, {use.sent} of them now, {tokens} · {worth}"


def _spend(groups: list[Cells]) -> str:
    spends = [group.spend for group in groups]
    mark = "about " if any(s.estimated_tokens for s in spends) else ""
    parts = [mark + amount(sum(s.input_tokens + s.output_tokens for s in spends), "tokens")]
    known = [s.cost_usd for s in spends if s.cost_usd is not None]
    if known:
        spent = sum(s.spent_usd for s in spends if s.spent_usd is not None)
        parts.append(f"answers worth {dollars(sum(known))}, spent now {dollars(spent)}")
    unpriced = dict.fromkeys(group.target for group in groups if group.spend.cost_usd is None)
    if unpriced:
        parts.append(f"no price for {safe(', '.join(unpriced))}")
    return " · ".join(parts)


def _gate(report: Report) -> RenderableType:
    table = new_table(Column("gate", no_wrap=True))
    table.add_column("rule", ratio=2, overflow="fold")
    table.add_column("for", ratio=1, overflow="fold")
    table.add_column("estimate", ratio=2)
    for rule in report.rules:
        place = " · ".join(safe(part) for part in (rule.prompt, rule.target) if part)
        table.add_row(Text(rule.verdict, style=STYLES[rule.verdict]), Text(safe(rule.rule)), Text(place), _judged(rule))
    return Group(Text(""), table)


def _judged(rule: RuleVerdict) -> RenderableType:
    reason = Quoted(Text(unbroken(rule.reason))) if rule.reason else Text("")
    figures = Text(estimate_of(rule))
    return Group(figures, reason) if figures and rule.reason else figures or reason


def _verdict(report: Report) -> Text:
    if report.status != "finished":
        return Text(f"{report.status}: no verdict (exit {report.exit_code})", style="bold red")
    if not report.rules:
        return Text("No gate: nothing was judged.", style="dim")
    style = STYLES[report.verdict]
    return Text.assemble((report.verdict.upper(), f"bold {style}"), f" (exit {report.exit_code})")
