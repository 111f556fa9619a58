"""`llmops store`: what the store holds, its schema, and its way into another database."""

from typing import Annotated

import typer

from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session
from llmops.reporting.safe import safe

app = typer.Typer(no_args_is_help=True, help="Look at the store, migrate it, copy it into another.")


@app.command()
def status(ctx: typer.Context, json: JsonOption = False) -> None:
    """Show where the store is, its schema and its rows. Nothing is made or migrated."""
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    found = session.wiring.store_status()
    if json:
        print_json(found)
        return
    behind = f"; this llmops writes {found.newest}: llmops store migrate" if found.schema < found.newest else ""
    session.out.print(Text(safe(found.name)), soft_wrap=True)
    session.out.print(f"schema {found.schema}{behind}" if found.schema else "Nothing is there yet.")
    table = new_table("table", "rows")
    for name, rows in found.rows.items():
        table.add_row(name, f"{rows:,}")
    if found.rows:
        session.out.print(table)


@app.command()
def migrate(ctx: typer.Context) -> None:
    """Make the store, or bring its schema to the newest version. Every command does so when it opens the store."""
    from rich.text import Text

    session: Session = ctx.obj
    before = session.wiring.store_status()
    assert session.wiring.store is not None  # opening it migrates it
    told = (
        f"has schema {before.newest} already"
        if before.schema == before.newest
        else f"schema {before.schema} to {before.newest}"
    )
    session.out.print(Text(safe(f"{before.name}: {told}")), soft_wrap=True)


@app.command()
def copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of a store, such as sqlite:///.llmops/llmops.db.")],
    target: Annotated[str | None, typer.Argument(metavar="TO", help="URL of another; default: the project's store.")] = None,
    json: JsonOption = False,
) -> None:
    """Copy runs, results, answers and baselines that the other store lacks. Run again, it goes on where it stopped."""
    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    with ShownProgress(session.err) as progress:
        copied = session.wiring.copy_store(source, target, progress)
    if json:
        print_json(copied)
        return
    table = new_table("table", "rows", "new there")
    for name, rows in copied.read.items():
        table.add_row(name, f"{rows:,}", f"{copied.written[name]:,}")
    session.out.print(table)
