"""`llmops models`: what is configured, its price, and whether its key is set."""

import json as jsonlib
from typing import Annotated, Any

import typer

from llmops.cli.session import Session
from llmops.domain.models import Price
from llmops.domain.serial import plain
from llmops.reporting.safe import safe

app = typer.Typer()

COLUMNS = ("name", "id", "USD per million tokens", "from", "key", "transport", "at once")


@app.command()
def models(ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the configured models, their prices and keys. No key is printed."""
    from rich.table import Table
    from rich.text import Text

    session: Session = ctx.obj
    rows = [_row(session, name) for name in session.project.settings.models]
    if json:
        typer.echo(jsonlib.dumps([{**row, "price": plain(row["price"])} for row in rows], indent=1))
        return
    table = Table(*COLUMNS, box=None, header_style="bold")
    for column, name in zip(table.columns, COLUMNS, strict=True):
        column.no_wrap, column.overflow = name in ("key", "transport", "at once"), "fold"
    for row in rows:
        price: Price | None = row["price"]
        source = price.source if price else ""
        cells = (row["name"], row["id"], _price(price), source, row["key"], row["transport"], str(row["concurrency"]))
        table.add_row(*(Text(safe(cell)) for cell in cells))
    session.out.print(table)


def _row(session: Session, name: str) -> dict[str, Any]:
    settings, wiring = session.project.settings.models[name], session.wiring
    return {
        "name": name,
        "id": settings.id,
        "price": wiring.models.price(name),
        "key": wiring.models.key_state(name),
        "transport": wiring.models.transport(name),
        "concurrency": settings.concurrency,
    }


def _price(price: Price | None) -> str:
    if price is None:
        return "unknown"
    if price.usd_per_hour is not None:
        return f"{price.usd_per_hour:g} per hour"
    return f"{price.input_per_million:g} in, {price.output_per_million:g} out"
