"""Measures of retrieval for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmops.domain.measures import Measured
from llmops.reporting.figures import dollars, seconds
from llmops.reporting.safe import safe
from llmops.scoring.spans import SPAN_METRICS


def print_measured(console: Console, measured: Sequence[Measured], depths: Sequence[int]) -> None:
    """One row per metric, one column per configuration; then what it took."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("metric")
    for each in measured:
        table.add_column(Text(safe(each.name)), no_wrap=True)
    names = [f"{name}@{k}" for name in ("ndcg", "recall", "precision", "hit") for k in depths]
    spans = [f"{name}@{k}" for name in SPAN_METRICS for k in depths if any(f"{name}@{k}" in each.metrics for each in measured)]
    for name in (*names, "mrr", "map", *spans):
        table.add_row(name, *(_cell(each, name) for each in measured))
    console.print(table)
    for each in measured:
        t = each.timings
        times = f"ready in {seconds(t.get('build_s'))}, a query takes {t.get('query_p50_ms', 0):.1f} ms (p50), "
        times += f"{t.get('query_p95_ms', 0):.1f} ms (p95)"
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stages_ms.items())
        times += f": {stages}" if stages else ""
        size = f"{each.queries} queries, {each.documents} documents, {each.chunks} chunks"
        console.print(Text(f"{safe(each.name)}: {size}; {times}", style="dim"), soft_wrap=True)
        if each.writing is not None:
            cost = f"worth {dollars(each.writing.cost_usd)}, spent now {dollars(each.writing.spent_usd)}"
            told = f"rewriting took {each.writing.calls} calls, {each.writing.sent} of them now, {cost}"
            console.print(Text(f"{safe(each.name)}: {told}", style="dim"), soft_wrap=True)


def _cell(measured: Measured, name: str) -> str:
    interval = measured.intervals.get(name)
    shown = f"{measured.metrics[name]:.3f}"
    return shown if interval is None else f"{shown} [{interval[0]:.3f}, {interval[1]:.3f}]"
