"""`llmops doctor`: what is installed, what is missing, and what it would enable."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files

import typer

from llmops import __version__
from llmops.cli.session import Session
from llmops.domain.errors import LlmopsError
from llmops.reporting.safe import safe

app = typer.Typer()

CORE = ("chromadb", "litellm", "onnxruntime", "tokenizers", "model2vec", "SQLAlchemy", "tiktoken", "bm25s")
EXTRAS = {
    "sentence-transformers": ("local", "embedders and cross-encoders by name"),
    "torch": ("local", "local models"),
    "pyarrow": ("parquet", "runs as Parquet files"),
    "psycopg": ("postgres", "a store on a PostgreSQL server"),
    "pypdf": ("documents", "PDF files in a corpus"),
    "mammoth": ("documents", "DOCX files in a corpus"),
    "selectolax": ("documents", "HTML files in a corpus"),
    "ray": ("ray", "an evaluation on many machines"),
    "presidio-analyzer": ("pii", "names of people and places in answers"),
}
WEIGHTS = {
    "minilm": "the default embedder",
    "static": "the static embedder",
    "detectors/hallucination": "the hallucination evaluator",
    "detectors/toxicity": "the toxicity evaluator",
}
"""Folders of package data with a manifest, and what each enables."""

Row = tuple[str, str, str, bool]
"""Part, state, note, and whether llmops can work."""


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Say what is installed, what is missing and what it would enable. Over a network only the store may be asked.

    Exit code 1 when a part of llmops is missing, or the project cannot be read or its store not written.
    """
    from rich.table import Column
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    rows = [*_packages(), *_weights(), *_project(session)]
    table = new_table(*(Column(name, overflow="fold") for name in ("part", "state", "note")))
    for part, state, note, well in rows:
        table.add_row(Text(safe(part)), Text(safe(state), style="" if well else "red"), Text(safe(note)))
    session.out.print(table)
    raise typer.Exit(0 if all(well for *_, well in rows) else 1)


def _packages() -> Iterator[Row]:
    yield "python", platform.python_version(), platform.platform(terse=True), True
    yield "llmops", __version__, "", True
    for name in CORE:
        found = _version(name)
        yield name, found or "missing", "" if found else "reinstall llmops", found is not None
    for name, (extra, enables) in EXTRAS.items():
        found = _version(name)
        yield name, found or "not installed", enables if found else f"{enables}: pip install 'llmops[{extra}]'", True


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _weights() -> Iterator[Row]:
    for name, enables in WEIGHTS.items():
        there = (files("llmops") / "data" / name / "manifest.json").is_file()
        yield f"weights {name}", "present" if there else "missing", enables if there else f"{enables}: reinstall llmops", there


def _project(session: Session) -> Iterator[Row]:
    try:
        root = session.root
    except LlmopsError as error:
        yield "project", "none here", str(error), True
        return
    try:
        settings = session.project.settings
        yield "project", "found", str(root), True
        for name, model in settings.models.items():
            yield f"model {name}", session.wiring.models.key_state(name), model.id, True
        session.wiring.store.runs(1)
        if not settings.store.startswith("sqlite:///"):
            yield "store", "reachable", settings.store, True
            return
        path = root / settings.store.removeprefix("sqlite:///")
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        yield "store", "writable" if writable else "not writable", settings.store, writable
    except LlmopsError as error:
        yield "project", "not ready", str(error), False
