"""What a run would do, for a terminal."""

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from llmops.domain.amounts import amount, dollars, seconds
from llmops.domain.explanations import Estimate, Explanation, Work
from llmops.domain.words import many
from llmops.reporting.safe import one_line, safe
from llmops.reporting.tables import new_table

REASONS_SHOWN = 3


def print_explanation(console: Console, found: Explanation) -> None:
    """Every step with what it has to do and why, and the estimate."""
    _head(console, found)
    columns = (Column(name, no_wrap=name in ("step", "to do"), overflow="fold") for name in ("step", "of", "to do", "why"))
    table = new_table(*columns)
    for work in found.work:
        table.add_row(work.step, Text(safe(work.name)), _amount(work), Text(_why(work)))
    console.print(Padding(table, (0, 0, 0, 2)))
    for estimate in found.estimates:
        console.print(Text(f"  about {_asked(estimate)}"), soft_wrap=True)
    if len(found.estimates) > 1:
        console.print(Text(f"  in all {_total(found.estimates)}"), soft_wrap=True)


def print_status(console: Console, found: Explanation) -> None:
    """The same in a few lines."""
    _head(console, found)
    if found.idle:
        console.print("  nothing to do: an `llmops eval` computes nothing and asks nobody")
        return
    for work in found.work:
        if work.possible:
            console.print(Text(f"  {work.step} {safe(work.name)}: {_amount(work)}, {_why(work)}"), soft_wrap=True)
    if found.estimates:
        console.print(Text(f"  about {_total(found.estimates)}"), soft_wrap=True)


def _head(console: Console, found: Explanation) -> None:
    against = f"against run {found.previous}, {found.previous_status}" if found.previous else "not run yet"
    console.print(Text.assemble((safe(found.suite), "bold"), "  ", (against, "dim")), soft_wrap=True)
    for change in found.changes:
        console.print(Text(f"  changed: {one_line(change, 300)}", style="yellow"), soft_wrap=True)
    console.print(f"  {many(found.cells, 'cell')}, {found.complete:,} of them complete in the store")


def _amount(work: Work) -> str:
    return f"{'' if work.certain == work.possible else 'up to '}{work.possible} of {work.nodes}"


def _why(work: Work) -> str:
    told = [f"{one_line(reason, 200)} ({count})" for reason, count in list(work.reasons.items())[:REASONS_SHOWN]]
    more = len(work.reasons) - REASONS_SHOWN
    return "; ".join(told) + (f"; {more} more reasons" if more > 0 else "")


def _asked(estimate: Estimate) -> str:
    tokens = _tokens([estimate])
    return f"{estimate.calls} {estimate.role} by {safe(estimate.model)}: {tokens}, {_money([estimate])}, {_time([estimate])}"


def _total(estimates: Sequence[Estimate]) -> str:
    calls = sum(each.calls for each in estimates)
    return f"{many(calls, 'call')}, {_tokens(estimates)}, {_money(estimates)}, {_time(estimates)}"


def _tokens(estimates: Sequence[Estimate]) -> str:
    found = [tokens for each in estimates for tokens in (each.input_tokens, each.output_tokens)]
    return _sum(found, lambda total: amount(round(total), "tokens"), "tokens")


def _money(estimates: Sequence[Estimate]) -> str:
    return _sum([each.cost_usd for each in estimates], dollars, "cost")


def _time(estimates: Sequence[Estimate]) -> str:
    if any(each.batched for each in estimates):
        return "within a day"
    return _sum([each.seconds for each in estimates], seconds, "time")


def _sum(values: Sequence[float | None], shown: Callable[[float], str], what: str) -> str:
    """What is known; it is only a lower bound when a part is not."""
    known = [value for value in values if value is not None]
    if not known:
        return f"{what} not known"
    return f"{'at least ' if len(known) < len(values) else ''}{shown(sum(known))}"
