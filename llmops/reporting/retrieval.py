"""Measures of retrieval for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from llmops.domain.amounts import dollars, seconds
from llmops.domain.measures import Direction, JudgedContexts, Measured, RetrievalDifference
from llmops.domain.words import many
from llmops.reporting.columns import tables
from llmops.reporting.figures import ends, labels_of_nothing
from llmops.reporting.safe import safe
from llmops.scoring.spans import SPAN_METRICS

STYLES: dict[Direction, str] = {"better": "green", "not told apart": "", "worse": "red"}


def print_measured(
    console: Console, measured: Sequence[Measured], differences: Sequence[RetrievalDifference], depths: Sequence[int]
) -> None:
    """One row per metric, one column per configuration; how they differ; then what it took."""
    names = [f"{name}@{k}" for name in ("ndcg", "recall", "precision", "hit") for k in depths]
    spans = [f"{name}@{k}" for name in SPAN_METRICS for k in depths if any(f"{name}@{k}" in each.metrics for each in measured)]
    ranked = (*names, "mrr", "map", *spans) if any(each.queries for each in measured) else ()
    judged = dict.fromkeys(name for each in measured if each.judged is not None for name in each.judged.metrics)
    columns = [
        (safe(each.name), [*(_cell(each, name) for name in ranked), *(_cell(each.judged, name) for name in judged)])
        for each in measured
    ]
    for table in tables(("metric", [Text(name) for name in (*ranked, *judged)]), columns, console.width):
        console.print(table)
    if differences:
        _print_differences(console, differences, [f"{name}@{k}" for name in ("ndcg", "recall") for k in depths])
    for each in measured:
        if each.judged is not None:
            console.print(Text(f"{safe(each.name)}: {_judged(each.judged)}", style="dim"), soft_wrap=True)
        documents = f"{many(each.documents, 'document')}, {many(each.chunks, 'chunk')}"
        if not each.queries:
            size = f"{documents}; no case has `relevant`, so no ranking is measured"
            console.print(Text(f"{safe(each.name)}: {size}", style="dim"), soft_wrap=True)
            continue
        t = each.timings
        times = f"ready in {seconds(t.get('build_s'))}, a query takes {t.get('query_p50_ms', 0):.1f} ms (p50), "
        times += f"{t.get('query_p95_ms', 0):.1f} ms (p95)"
        stages = ", ".join(f"{stage} {ms:.1f}" for stage, ms in each.stages_ms.items())
        times += f": {stages}" if stages else ""
        size = f"{many(each.queries, 'query')}, {documents}"
        console.print(Text(f"{safe(each.name)}: {size}; {times}", style="dim"), soft_wrap=True)
        if each.unknown:
            told = labels_of_nothing(each.unknown, "nothing in the index")
            console.print(Text(f"{safe(each.name)}: {told}", style="yellow"), soft_wrap=True)
        if each.writing is not None:
            cost = f"worth {dollars(each.writing.cost_usd)}, spent now {dollars(each.writing.spent_usd)}"
            told = f"rewriting took {many(each.writing.calls, 'call')}, {each.writing.sent} of them now, {cost}"
            console.print(Text(f"{safe(each.name)}: {told}", style="dim"), soft_wrap=True)


def _print_differences(console: Console, differences: Sequence[RetrievalDifference], metrics: Sequence[str]) -> None:
    """One row per metric, one column for each configuration but the first."""
    wanted = {metric: [each for each in differences if each.metric == metric] for metric in metrics}
    columns = [(safe(others[0].name), [_difference(each) for each in others]) for others in zip(*wanted.values(), strict=True)]
    first = differences[0]
    told = f"\nDifference from {safe(first.against)}, paired over {many(first.queries, 'query')}, with its 95 % interval"
    told += f"; verdicts allow for {len(columns)} comparisons (Holm)" if len(columns) > 1 else ""
    console.print(Text(f"{told}:", style="dim"), soft_wrap=True)
    for table in tables(("metric", [Text(metric) for metric in metrics]), columns, console.width):
        console.print(table)


def _difference(each: RetrievalDifference) -> Text:
    return Text.assemble(f"{each.difference:+z.3f}{ends(each.interval)}  ", (each.verdict, STYLES[each.verdict]))


def _judged(judged: JudgedContexts) -> str:
    told = f"{many(judged.questions, 'question')} judged by {safe(judged.judge)}"
    told += f", {judged.failed} without a usable verdict" if judged.failed else ""
    cost = f"worth {dollars(judged.cost_usd)}, spent now {dollars(judged.spent_usd)}"
    stopped = "; the budget is spent: a larger --budget goes on" if judged.stopped else ""
    return f"{told}; {many(judged.calls, 'call')}, {cost}{stopped}"


def _cell(measured: Measured | JudgedContexts | None, name: str) -> Text:
    if measured is None or name not in measured.metrics:
        return Text("" if measured is None else "not measured")
    interval = measured.intervals.get(name)
    shown = f"{measured.metrics[name]:.3f}"
    return Text(shown if interval is None else f"{shown} [{interval[0]:.3f}, {interval[1]:.3f}]")
