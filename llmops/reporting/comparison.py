"""A comparison for a terminal, as Markdown or CSV."""

import csv
import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from llmops.domain.amounts import amount
from llmops.domain.comparisons import Adjustment, ComparedMetric, Comparison
from llmops.domain.words import many
from llmops.reporting.documents import spreadsheet
from llmops.reporting.flips import markdown_flips, print_flip
from llmops.reporting.safe import markdown_text, one_line, safe, unbroken
from llmops.reporting.tables import new_table
from llmops.reporting.terminal import STYLES
from llmops.statistics.paired import UNCHANGED

ADJUSTMENTS: dict[Adjustment, str] = {"holm": "Holm", "bh": "BH"}
FLIPS_SHOWN = 10
IDS_SHOWN = 8
ROWS_WITHOUT_NEWS = 5
"""Metrics that are shown when none changed."""


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Metrics, what changed, the flipped cases and the verdict."""
    console.print(Text(f"{' -> '.join(map(safe, _sides(comparison)))}", style="bold"), soft_wrap=True)
    for line in comparison.changed:
        console.print(Text(f"  {unbroken(line)}"), soft_wrap=True)
    if not comparison.changed and comparison.baseline != "baseline":
        console.print(Text("  nothing changed in the configuration", style="dim"))
    for place, here in _places(comparison).items():
        console.print()
        rows, same = _with_news(here)
        console.print(_table(rows, place, comparison.adjustment))
        if same:
            console.print(Text(unbroken(_unmoved(same)), style="dim"), soft_wrap=True)
    for line in _lost(comparison):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    for flip in comparison.flips[:FLIPS_SHOWN]:
        print_flip(console, flip)
    flipped = comparison.broken + comparison.mended
    if flipped > FLIPS_SHOWN:
        listed = "them" if flipped == len(comparison.flips) else f"the first {len(comparison.flips)}"
        console.print(Text(f"{many(flipped - FLIPS_SHOWN, 'more flipped cell')}: --json lists {listed}", style="dim"))
    console.print(_verdict(comparison))


def _sides(comparison: Comparison) -> list[str]:
    """The two runs, or the one whose prompts or targets are compared."""
    return list(dict.fromkeys((comparison.baseline, comparison.candidate)))


def _places(comparison: Comparison) -> dict[tuple[str, str], list[ComparedMetric]]:
    """The metrics of each prompt and target."""
    found: dict[tuple[str, str], list[ComparedMetric]] = {}
    for metric in comparison.metrics:
        found.setdefault((metric.prompt, metric.target), []).append(metric)
    return found


def _with_news(metrics: Sequence[ComparedMetric]) -> tuple[Sequence[ComparedMetric], Sequence[ComparedMetric]]:
    """The metrics that get a row, and those that are only named, because nothing moved."""
    moved = [m for m in metrics if m.difference or m.wins or m.losses or m.method != UNCHANGED]
    if not moved:
        return metrics[:ROWS_WITHOUT_NEWS], metrics[ROWS_WITHOUT_NEWS:]
    return moved, [m for m in metrics if m not in moved]


def _unmoved(metrics: Sequence[ComparedMetric]) -> str:
    return f"difference exactly 0: {', '.join(m.name for m in metrics)}"


def _table(metrics: Sequence[ComparedMetric], place: tuple[str, str], adjustment: Adjustment) -> Table:
    title = " · ".join(safe(part) for part in place if part) or "metric"
    titles = (title, "difference", f"p ({ADJUSTMENTS[adjustment]})", "won/lost/tied", "verdict")
    table = new_table(*(Column(Text(each), overflow="fold") for each in titles))
    for m in metrics:
        name = Text.assemble(unbroken(m.name), "\n", (f"{_figure(m, m.baseline)} -> {_figure(m, m.candidate)}  n={m.n}", "dim"))
        counts = f"{m.wins}/{m.losses}/{m.ties}"
        table.add_row(name, _difference(m), _p(m) or "–", counts, Text(m.verdict, style=STYLES[m.verdict]))
    return table


def _figure(metric: ComparedMetric, value: float) -> str:
    if metric.name.endswith(".pass_rate"):
        return f"{100 * value:.1f} %"
    return amount(value, metric.unit) if metric.unit else f"{value:.4g}"


def _p(metric: ComparedMetric) -> str:
    """Empty without a test."""
    if metric.p_adjusted is None:
        return ""
    return f"{metric.p_adjusted:.3f}" if metric.p_adjusted >= 0.001 else "<0.001"


def _difference(metric: ComparedMetric) -> str:
    points = " points" if metric.name.endswith(".pass_rate") else ""
    shown = f"{_signed(metric, metric.difference)}{points}"
    if metric.interval is None:
        return f"{shown}\n{metric.method}"
    low, high = (_signed(metric, end) for end in metric.interval)
    return f"{shown}\n[{low}, {high}]"


def _signed(metric: ComparedMetric, value: float) -> str:
    if metric.name.endswith(".pass_rate"):
        return f"{100 * value:+z.1f}"
    if not metric.unit:
        return f"{value:+.4g}"
    return f"{'+' if value > 0 else ''}{amount(value, metric.unit)}"


def _lost(comparison: Comparison) -> list[str]:
    lines = []
    for ids, side in ((comparison.only_baseline, "baseline"), (comparison.only_candidate, "candidate")):
        if ids:
            shown = ", ".join(one_line(each, 40) for each in ids[:IDS_SHOWN])
            lines.append(f"only in the {side}: {many(len(ids), 'case')}: {shown}{' ...' if len(ids) > IDS_SHOWN else ''}")
    if comparison.unscored:
        held = "" if comparison.margin is None else "; a verdict has to hold in the best and in the worst case for them"
        lines.append(f"{many(comparison.unscored, 'pair')} without a value on one side{held}")
    return lines


def _levels(comparison: Comparison) -> str:
    two_sided = f"Intervals are two-sided at {100 * (2 * comparison.confidence - 1):g} %"
    if comparison.margin is None:
        return f"{two_sided}. Nothing was judged: give --margin, the largest loss that counts as none."
    return f"{two_sided}; margin {comparison.margin:g}"


def _verdict(comparison: Comparison) -> Text:
    levels = Text(f"\n{_levels(comparison)}", style="dim")
    if comparison.margin is None:
        return levels
    style = f"bold {STYLES[comparison.verdict]}"
    return Text.assemble(levels, "\n", (comparison.verdict.upper(), style), f" (exit {comparison.exit_code})")


def comparison_markdown(comparison: Comparison) -> str:
    """For a pull request."""
    lines = [f"## {' → '.join(map(markdown_text, _sides(comparison)))}: {comparison.verdict}", ""]
    lines += [f"- {markdown_text(line)}" for line in comparison.changed]
    lines += [
        "",
        f"| metric | baseline | candidate | difference | p ({ADJUSTMENTS[comparison.adjustment]}) | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    unmoved = []
    for place, here in _places(comparison).items():
        rows, same = _with_news(here)
        lines += map(_markdown_row, rows)
        if same:
            unmoved += ["", " · ".join(markdown_text(part) for part in (*place, _unmoved(same)) if part)]
    lines += [*unmoved, "", markdown_text(_levels(comparison)), "", *(f"> {markdown_text(line)}" for line in _lost(comparison))]
    lines += ["", *markdown_flips(comparison, FLIPS_SHOWN)]
    return "\n".join(lines) + "\n"


def _markdown_row(m: ComparedMetric) -> str:
    name = " · ".join(markdown_text(part) for part in (m.name, m.prompt, m.target) if part)
    difference, p = _difference(m).replace("\n", " "), markdown_text(_p(m))
    return f"| {name} | {_figure(m, m.baseline)} | {_figure(m, m.candidate)} | {difference} | {p} | {m.verdict} |"


def comparison_csv(comparison: Comparison) -> str:
    """One row per metric."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ("metric", "prompt", "target", "n", "baseline", "candidate", "difference", "low", "high", "p_value", "p_adjusted")
    writer.writerow((*head, "wins", "losses", "ties", "effect_size", "method", "verdict"))
    for m in comparison.metrics:
        low, high = m.interval or (None, None)
        figures = (m.baseline, m.candidate, m.difference, low, high, m.p_value, m.p_adjusted)
        tail = (m.wins, m.losses, m.ties, m.effect_size, m.method, m.verdict)
        writer.writerow([spreadsheet(value) for value in (m.name, m.prompt, m.target, m.n, *figures, *tail)])
    return buffer.getvalue()
