"""`llmops schema`: JSON Schemas of the files and of --json."""

import json
from typing import Annotated

import typer

from llmops.domain.errors import UsageError

app = typer.Typer()


@app.command()
def schema(name: Annotated[str, typer.Argument(help="project, suite, case or report.")] = "suite") -> None:
    """Print a JSON Schema, for editors and for readers of --json."""
    from llmops.settings.validation import nearest
    from llmops.workflows.schemas import schemas

    known = schemas()
    if name not in known:
        raise UsageError(f"No schema is called {name!r}.", hint=nearest(name, known))
    typer.echo(json.dumps(known[name], indent=2))
