"""`llmops version`."""

import typer

from llmops import __version__

app = typer.Typer()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"llmops {__version__}")
