"""`llmops power`: what the cases of a suite can show, and how many more it would take."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.cli.suites import suite_path
from llmops.domain.words import many
from llmops.reporting.safe import safe

if TYPE_CHECKING:
    from llmops.workflows.rejudge import Reach

app = typer.Typer()

EPILOG = examples("llmops power evals/manual.yaml", "llmops power manual --cases 400 --margin 0.03")


@app.command(epilog=EPILOG)
def power(
    ctx: typer.Context,
    suite: completing.SuiteArgument,
    margin: Annotated[list[float] | None, typer.Option("--margin", help="Plan for this margin, too; repeatable.")] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.9999, callback=finite, help="One-sided.")] = 0.95,
    cases: Annotated[int | None, typer.Option(min=1, help="As if the dataset had so many cases.")] = None,
    json: JsonOption = False,
) -> None:
    """Say how small a drop of a pass rate the cases of a suite can show, and how many cases a smaller one needs."""
    from llmops.settings.suite import load_suite
    from llmops.workflows.rejudge import reach_of

    session: Session = ctx.obj
    found = load_suite(suite_path(session, suite), session.root)
    reach = reach_of(found, session.wiring, margin or (), confidence, cases)
    if json:
        print_json(reach)
    else:
        _show(session, found.path, reach)


def _show(session: Session, path: str, reach: "Reach") -> None:
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session.out.print(Text(f"{safe(path)}: {many(reach.cases, 'case')}", style="bold"), soft_wrap=True)
    if reach.note:
        session.out.print(Text(safe(reach.note), style="dim"), soft_wrap=True)
    session.out.print(f"With no flip at all, a margin below {100 * reach.margin:.1f} points can never pass.", soft_wrap=True)
    for share, drop in reach.drops:
        told = (
            "no drop is found reliably" if drop is None else f"a drop below {100 * drop:.1f} points cannot be told from noise"
        )
        session.out.print(f"When {100 * share:g} % of the cases flip, {told}.", soft_wrap=True)
    table = new_table("margin", "cases that can pass it", "cases that find such a drop 4 times in 5")
    for margin, fewest, found in reach.needed:
        table.add_row(f"{100 * margin:g} points", f"{fewest:,}", f"{found:,}")
    session.out.print()
    session.out.print(table)
