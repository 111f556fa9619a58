"""`llmops models`: what is configured, its price, and whether its key is set."""

from typing import Any

import typer

from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.domain.models import Price
from llmops.reporting.safe import safe

app = typer.Typer()


@app.command()
def models(ctx: typer.Context, json: JsonOption = False) -> None:
    """Show the configured models, their prices and keys. No key is printed."""
    from rich.padding import Padding
    from rich.text import Text

    from llmops.settings.project import NO_MODELS

    session: Session = ctx.obj
    rows = [_row(session, name) for name in session.project.settings.models]
    if json:
        print_json(rows)
        return
    if not rows:
        session.out.print(f"no models. {NO_MODELS}", soft_wrap=True)
    for row in rows:
        session.out.print(Text.assemble((safe(row["name"]), "bold"), f"  {safe(row['id'])}"), soft_wrap=True)
        told = (_price(row["price"]), f"key {row['key']}", f"transport {row['transport']}", f"{row['concurrency']} at once")
        session.out.print(Padding(Text(safe(" · ".join(told)), style="dim"), (0, 0, 0, 2), expand=False))


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
        return "price unknown"
    if price.usd_per_hour is not None:
        return f"{price.usd_per_hour:g} USD per hour ({price.source})"
    told = f"{price.input_per_million:g} in, {price.output_per_million:g} out USD per million tokens"
    if price.long is not None:
        rates = price.long.price
        told += f", above {price.long.above_tokens:,} {rates.input_per_million:g} in, {rates.output_per_million:g} out"
    if price.batch is not None:
        told += f", in batches {price.batch.input_per_million:g} in, {price.batch.output_per_million:g} out"
    return f"{told} ({price.source})"
