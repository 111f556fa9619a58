"""`llmops doctor`: what is installed, what is missing, and what it would enable."""

import platform
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.table import Table

from llmops import __version__
from llmops.cli.session import Session
from llmops.domain.errors import LlmopsError

app = typer.Typer()

CORE = ("chromadb", "litellm", "onnxruntime", "tokenizers", "SQLAlchemy", "tiktoken", "bm25s")
EXTRAS = {"sentence-transformers": ("local", "embedders and cross-encoders by name"), "torch": ("local", "local models")}


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Say what is installed, what is missing and what it would enable. Nothing is asked over a network."""
    session: Session = ctx.obj
    table = Table("part", "state", "note", box=None, header_style="bold")
    table.add_row("llmops", __version__, f"Python {platform.python_version()}")
    missing = False
    for name in CORE:
        found = _version(name)
        missing |= found is None
        table.add_row(name, found or "missing", "" if found else "reinstall llmops")
    for name, (extra, enables) in EXTRAS.items():
        found = _version(name)
        table.add_row(name, found or "not installed", f"{enables}: pip install 'llmops[{extra}]'" if not found else enables)
    try:
        for model in session.project.settings.models:
            table.add_row(f"model {model}", session.wiring.key_state(model), session.project.model(model).id)
        session.wiring.store.runs(1)
        table.add_row("store", "writable", session.project.settings.store.split("@")[-1])
    except LlmopsError as error:
        table.add_row("project", "not ready", error.message)
        missing = True
    session.out.print(table)
    raise typer.Exit(1 if missing else 0)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
