"""A sweep for a terminal."""

from rich.console import Console
from rich.text import Text

from llmops.domain.sweeps import Sweep, Tried
from llmops.domain.words import many
from llmops.reporting.columns import tables
from llmops.reporting.figures import ends, labels_of_nothing
from llmops.reporting.safe import one_line, safe

MAX_LEFT_OUT = 10
VERDICTS = {
    "better": "It is better on the reporting fold, too.",
    "not told apart": "On the reporting fold it cannot be told apart from the current one.",
    "worse": "On the reporting fold it is worse than the current one: the choice was luck.",
    "current": "Nothing that was tried did better on the choosing fold.",
}
BUDGETS = {
    "given": "",
    "current": ", which the current configuration gives",
    "largest chunk": ", the largest chunk that is tried: the current configuration gives less",
}


def print_sweep(console: Console, sweep: Sweep) -> None:
    """The frontier and the rest, then the winner."""
    budget = f"within {sweep.budget} tokens of context{BUDGETS[sweep.budget_from]}"
    console.print(Text(f"{safe(sweep.index)}: {sweep.metric} {budget}", style="bold"), soft_wrap=True)
    folds = f"chosen on {many(sweep.choosing, 'query')}, reported on {sweep.reporting} others"
    folds += "; * on the frontier of quality, speed, size"
    console.print(Text(folds, style="dim"), soft_wrap=True)
    rows = (sweep.today, *sweep.tried)
    names = [Text(_marked(each, sweep), style="bold" if each.name == sweep.winner else "") for each in rows]
    figures = zip(*(_cells(each) for each in rows), strict=True)
    columns = [
        (title, [Text(cell, justify="right") for cell in cells]) for title, cells in zip(_titles(sweep), figures, strict=True)
    ]
    for table in tables(("  configuration", names), columns, console.width):
        console.print(table)
    if sweep.unknown:
        told = labels_of_nothing(sweep.unknown, "no document of the corpus")
        console.print(Text(told, style="yellow"), soft_wrap=True)
    for line in sweep.left_out[:MAX_LEFT_OUT]:
        console.print(Text(f"left out: {one_line(line, 300)}", style="yellow"), soft_wrap=True)
    console.print(Text(f"winner: {safe(sweep.winner)}", style="bold"), soft_wrap=True)
    console.print(VERDICTS[sweep.verdict], soft_wrap=True)


def _marked(each: Tried, sweep: Sweep) -> str:
    return f"{'*' if each.on_frontier and each is not sweep.today else ' '} {safe(each.name)}"


def _titles(sweep: Sweep) -> tuple[str, ...]:
    return "chosen on", sweep.metric, "difference", "p", "tokens", "ms", "MiB"


def _cells(each: Tried) -> list[str]:
    return [
        f"{each.chosen_on:.3f}",
        "rejected" if each.score is None else f"{each.score:.3f}",
        "" if each.difference is None else f"{each.difference:+z.3f}{ends(each.difference_interval)}",
        "" if each.p_value is None else f"{each.p_value:.2g}",
        f"{each.tokens:.0f}",
        f"{each.query_ms['p50']:.1f}",
        f"{each.size_bytes / 2**20:.1f}",
    ]
