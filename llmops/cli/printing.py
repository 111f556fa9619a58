"""`--json`: what a command has found as one JSON document on stdout."""

import json
from typing import Annotated, Any

import typer

from llmops.domain.serial import members

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def print_json(found: Any) -> None:  # noqa: ANN401 -- domain objects, or plain data that holds some
    """Print a document with every field of the domain objects in it."""
    typer.echo(json.dumps(found, indent=1, allow_nan=False, default=members))
