"""`llmops prompt`: list, show and render prompts."""

import json as jsonlib
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from llmops.cli.session import Session
from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.retrieval import Hit
from llmops.evaluation.datasets import load_dataset
from llmops.prompting.registry import Registry, Summary
from llmops.prompting.template import PromptVersion
from llmops.prompting.variables import BadValue, from_text
from llmops.reporting.safe import one_line, safe

app = typer.Typer(no_args_is_help=True, help="List, show and render prompts.")

Reference = Annotated[str, typer.Argument(metavar="PROMPT", help="NAME, NAME@1.2.0, NAME@LABEL or NAME@git:REV.")]


@app.command("list")
def list_prompts(ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the prompts of the project with their hash, versions and labels."""
    session: Session = ctx.obj
    rows = [_row(session.wiring.registry, summary) for summary in session.wiring.registry.summaries()]
    if json:
        typer.echo(jsonlib.dumps(rows, indent=1))
        return
    table = Table("prompt", "hash", "newest", "labels", "variables", "description", box=None, header_style="bold")
    for row in rows:
        labels = ", ".join(f"{label}={version}" for label, version in row["labels"].items())
        told = one_line(row["error"], 200) if row["error"] else row["description"]
        cells = (row["name"], row["hash"][:12], (row["versions"] or [""])[-1], labels, ", ".join(row["variables"]), told)
        table.add_row(*(Text(safe(cell)) for cell in cells), style="red" if row["error"] else None)
    session.out.print(table if rows else "No prompts: write one to prompts/NAME/prompt.j2")


def _row(registry: Registry, summary: Summary) -> dict[str, Any]:
    """A prompt as a listing shows it; one that cannot be parsed is listed with the reason."""
    row = {"name": summary.name, "hash": "", "versions": list(summary.versions), "labels": dict(summary.labels)}
    try:
        version = registry.working_copy(summary.name)
    except InvalidFiles as error:
        return {**row, "variables": [], "description": "", "error": error.message}
    return {**row, "hash": version.hash, "variables": list(version.variables), "description": version.description, "error": ""}


@app.command()
def show(ctx: typer.Context, reference: Reference) -> None:
    """Print the text of a prompt and its hash."""
    session: Session = ctx.obj
    version = session.wiring.prompt(reference)
    session.err.print(f"{reference}  sha256:{version.hash}", soft_wrap=True)
    typer.echo(safe(version.text))


@app.command()
def render(
    ctx: typer.Context,
    reference: Reference,
    var: Annotated[list[str] | None, typer.Option("--var", help="NAME=VALUE")] = None,
    case: Annotated[str | None, typer.Option(help="Take the variables of this case.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The file that holds the case.")] = None,
) -> None:
    """Print the messages that a prompt renders to; `contexts` are the case's own, nothing is searched for."""
    session: Session = ctx.obj
    version = session.wiring.prompt(reference)
    values, hits = _case(session, case, dataset) if case else ({}, ())
    values |= dict(_assignment(item, version) for item in var or ())
    for message in version.render(values, hits):
        session.out.print(Text(f"{message.role}:", style="bold"))
        typer.echo(f"{safe(message.content)}\n")


def _assignment(item: str, version: PromptVersion) -> tuple[str, Any]:
    name, equals, text = item.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {item!r}: NAME=VALUE was expected.")
    if name not in version.variables:
        return name, text
    try:
        return name, from_text(version.variables[name], text)
    except BadValue as error:
        raise UsageError(f"--var {item!r}: `{name}` {error}.") from None


def _case(session: Session, case_id: str, dataset: str | None) -> tuple[dict[str, Any], tuple[Hit, ...]]:
    if dataset is None:
        raise UsageError("--case needs --dataset FILE.")
    root = session.project.root
    here = session.start / dataset
    for case in load_dataset(here if here.is_file() else root / dataset, root).cases():
        if case.id == case_id:
            return dict(case.vars), tuple(Hit(text, source="given", given=True) for text in case.contexts)
    raise UsageError(f"{dataset} has no case {case_id!r}.")
