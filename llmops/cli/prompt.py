"""`llmops prompt`: list, show and render prompts."""

import json as jsonlib
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from llmops.cli.session import Session
from llmops.domain.errors import UsageError
from llmops.domain.retrieval import Hit
from llmops.evaluation.datasets import load_dataset
from llmops.prompting.variables import from_text
from llmops.reporting.safe import safe

app = typer.Typer(no_args_is_help=True, help="List, show and render prompts.")

Reference = Annotated[str, typer.Argument(metavar="PROMPT", help="NAME, NAME@1.2.0, NAME@LABEL or NAME@git:REV.")]


@app.command("list")
def list_prompts(ctx: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the prompts of the project."""
    session: Session = ctx.obj
    versions = [session.wiring.prompt(name) for name in session.wiring.registry.names()]
    if json:
        rows = [
            {"name": v.name, "hash": v.hash, "description": v.description, "variables": list(v.variables)} for v in versions
        ]
        typer.echo(jsonlib.dumps(rows, indent=1))
        return
    table = Table("prompt", "hash", "variables", "description", box=None, header_style="bold")
    for version in versions:
        names = ", ".join(version.variables)
        table.add_row(safe(version.name or ""), version.hash[:12], Text(safe(names)), Text(safe(version.description)))
    session.out.print(table if versions else "No prompts: write one to prompts/NAME/prompt.j2")


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
    """Print the messages that a prompt renders to."""
    session: Session = ctx.obj
    version = session.wiring.prompt(reference)
    values, hits = _case(session, case, dataset) if case else ({}, ())
    for item in var or ():
        name, equals, text = item.partition("=")
        if not equals:
            raise UsageError(f"--var {item!r}: NAME=VALUE was expected.")
        values[name] = from_text(version.variables[name], text) if name in version.variables else text
    for message in version.render(values, hits):
        session.out.print(Text(f"{message.role}:", style="bold"))
        typer.echo(f"{safe(message.content)}\n")


def _case(session: Session, case_id: str, dataset: str | None) -> tuple[dict[str, Any], tuple[Hit, ...]]:
    if dataset is None:
        raise UsageError("--case needs --dataset FILE.")
    root = session.project.root
    for case in load_dataset(root / dataset, root).cases():
        if case.id == case_id:
            return dict(case.vars), tuple(Hit(text, source="given", given=True) for text in case.contexts)
    raise UsageError(f"{dataset} has no case {case_id!r}.")
