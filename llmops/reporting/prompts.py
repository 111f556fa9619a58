"""Prompts for a terminal: what changed between two versions, and the findings of the linter."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from llmops.domain.amounts import dollars
from llmops.domain.words import many
from llmops.prompting.diff import CostDelta, DiffLine, MessageDiff, PromptComparison, PromptDiff, VariableChange
from llmops.prompting.lint import RULES, Finding
from llmops.prompting.variables import Variable
from llmops.reporting.safe import one_line, safe
from llmops.reporting.sarif import SarifResult, SarifRule, to_sarif
from llmops.reporting.tables import new_table

HELP = "docs/reference/lint-rules.md"
LINE_STYLES = {" ": "dim", "-": "red", "+": "green"}


def print_comparison(console: Console, before: str, after: str, found: PromptComparison) -> None:
    """Text with the changed words marked, variables, parameters, tokens and cost."""
    console.print(Text.assemble((f"{safe(before)} -> {safe(after)}", "bold"), f"  {_bump(found.diff)}"))
    for message in found.diff.messages:
        _print_message(console, message)
    for line in _changes(found.diff):
        console.print(Text(safe(line)), soft_wrap=True)
    if found.costs:
        console.print()
        console.print(_cost_table(found))
        console.print(Text(_measured_on(found), style="dim"), soft_wrap=True)


def _bump(diff: PromptDiff) -> str:
    return "the same text" if diff.bump is None else f"a {diff.bump} change"


def _print_message(console: Console, message: MessageDiff) -> None:
    if not message.hunks and message.before_role == message.after_role:
        return
    mark = "" if message.before_role and message.after_role else " (removed)" if message.after_role is None else " (added)"
    console.print(Text(f"\n{message.after_role or message.before_role}:{mark}", style="bold"))
    for hunk in message.hunks:
        console.print(Text(f"@@ line {hunk.before_line} -> line {hunk.after_line} @@", style="cyan"))
        for line in hunk.lines:
            console.print(_line(line), soft_wrap=True)


def _line(line: DiffLine) -> Text:
    """Changed words are underlined, and bracketed by marks where nothing can be underlined or coloured."""
    style = LINE_STYLES[line.mark]
    opening, closing = ("[-", "-]") if line.mark == "-" else ("{+", "+}")
    partly = line.mark != " " and not all(part.changed for part in line.words)
    text = Text(f"{line.mark} ", style=style)
    for part in line.words:
        shown = safe(part.text)
        if part.changed and partly:
            text.append(f"{opening}{shown}{closing}", style=f"{style} underline")
        else:
            text.append(shown, style=style)
    return text


def _changes(diff: PromptDiff) -> list[str]:
    lines = [_variable_line(change) for change in diff.variables]
    lines += [f"~ parameter {change.name}: {change.before!r} -> {change.after!r}" for change in diff.parameters]
    if diff.description:
        lines.append(f"description: {one_line(diff.description[0], 80)!r} -> {one_line(diff.description[1], 80)!r}")
    return ["", *lines] if lines else []


def _variable_line(change: VariableChange) -> str:
    if change.before is None and change.after is not None:
        return f"+ variable {change.name}: {_declared(change.after)}"
    if change.after is None and change.before is not None:
        return f"- variable {change.name}: {_declared(change.before)}"
    before, after = (_declared(each) if each else "" for each in (change.before, change.after))
    return f"~ variable {change.name}: {before} -> {after}"


def _declared(variable: Variable) -> str:
    return f"{variable.type}, {'required' if variable.required else f'default {variable.default!r}'}"


def _cost_table(found: PromptComparison) -> Table:
    figures = ("tokens per call", "change", "$ per 1,000 calls", "change")
    table = new_table(Column("model", overflow="fold"), *(Column(name, justify="right") for name in figures))
    for delta in found.costs:
        mark = "about " if delta.model in found.estimated else ""
        table.add_row(Text(safe(delta.model)), *_token_cells(delta, mark), *_cost_cells(delta))
    return table


def _token_cells(delta: CostDelta, mark: str) -> tuple[str, str]:
    if delta.before_tokens is None or delta.after_tokens is None:
        return "not measured", ""
    change = delta.after_tokens - delta.before_tokens
    share = f" ({100 * change / delta.before_tokens:+z.1f} %)" if delta.before_tokens else ""
    return f"{mark}{delta.before_tokens:,.1f} -> {delta.after_tokens:,.1f}", f"{change:+,.1f}{share}"


def _cost_cells(delta: CostDelta) -> tuple[str, str]:
    if delta.before_usd_per_1000 is None or delta.after_usd_per_1000 is None:
        return "unknown", ""
    change = delta.after_usd_per_1000 - delta.before_usd_per_1000
    return f"{_fine(delta.before_usd_per_1000)} -> {_fine(delta.after_usd_per_1000)}", _signed(change)


def _fine(value: float) -> str:
    """Dollars with digits enough to show a small change."""
    return f"${value:,.4f}" if value < 10 else dollars(value)


def _signed(change: float) -> str:
    return "$0" if change == 0 else f"{'+' if change > 0 else '-'}{_fine(abs(change))}"


def _measured_on(found: PromptComparison) -> str:
    skipped = max((delta.skipped for delta in found.costs), default=0)
    told = f"input only, measured on {found.cases - skipped} cases of the suites that use it"
    told += f", {found.with_passages} with the passages of the last run" if found.with_passages else ", without passages"
    return told + (f"; {skipped} cases that one of them cannot render are left out" if skipped else "")


def print_findings(console: Console, findings: Sequence[Finding], prompts: int) -> None:
    """One finding a line, as compilers write them, with its next step below."""
    for finding in findings:
        place = ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part is not None)
        style = "red" if finding.severity == "error" else "yellow"
        line = Text.assemble(safe(place), ": ", (finding.severity, style), f" {safe(finding.message)} [{finding.rule}]")
        console.print(line, soft_wrap=True)
        if finding.hint:
            console.print(Text(f"    {safe(finding.hint)}", style="dim"), soft_wrap=True)
    errors = sum(finding.severity == "error" for finding in findings)
    told = f"{many(errors, 'error')}, {many(len(findings) - errors, 'warning')}. Each rule is explained in {HELP}"
    console.print(Text(f"{many(prompts, 'prompt')}: {told if findings else 'no findings'}", style="dim"), soft_wrap=True)


def lint_sarif(findings: Sequence[Finding], folder: str = "") -> str:
    """The findings as SARIF; `folder` as in `to_sarif`."""
    rules = [SarifRule(rule.id, rule.summary, rule.severity, f"{HELP}#{rule.id}") for rule in RULES]
    results = [
        SarifResult(f.rule, f.severity, " ".join(filter(None, (f.message, f.hint))), f.file, f.line, f.column) for f in findings
    ]
    return to_sarif(rules, results, folder)
