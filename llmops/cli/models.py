"""`llmops models`: what is configured, its price, and whether its key is set."""

import json as jsonlib
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from llmops.cli.session import Session
from llmops.domain.models import Price
from llmops.reporting.safe import safe

app = typer.Typer()


@app.command()
def models(ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the configured models, their prices and keys."""
    session: Session = ctx.obj
    rows = []
    for name, settings in session.project.settings.models.items():
        key = session.wiring.key_state(name)
        rows.append((name, settings.id, _price(session.wiring.price(name)), key, session.wiring.transport(name)))
    columns = ("name", "id", "price per million tokens", "key", "transport")
    if json:
        typer.echo(jsonlib.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1))
        return
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        table.add_row(*(Text(safe(cell)) for cell in row))
    session.out.print(table)


def _price(price: Price | None) -> str:
    if price is None:
        return "unknown"
    if price.usd_per_hour is not None:
        return f"${price.usd_per_hour:g} per hour ({price.source})"
    return f"${price.input_per_million:g} in, ${price.output_per_million:g} out ({price.source})"
