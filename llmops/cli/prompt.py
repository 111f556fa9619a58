"""`llmops prompt`: look at prompts, compare and check them; `prompt_changes` holds the commands that write."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.prompt_changes import NameArgument
from llmops.cli.prompt_changes import app as changes
from llmops.cli.prompt_values import CaseOption, DatasetOption, VarOption, rendered
from llmops.cli.session import Session
from llmops.domain.errors import InvalidFiles, Problem
from llmops.reporting.safe import one_line, safe

if TYPE_CHECKING:
    from llmops.prompting.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Version prompts: commit, compare, lint, label, promote.")

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Default: all prompts.", autocompletion=completing.prompts)
]
Reference = Annotated[
    str,
    typer.Argument(metavar="PROMPT", help="NAME, NAME@1.2.0, NAME@LABEL or NAME@git:REV.", autocompletion=completing.prompts),
]


@app.command("list")
def list_prompts(ctx: typer.Context, json: JsonOption = False) -> None:
    """List the prompts of the project with their hash, versions and labels."""
    from rich.table import Column
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    registry = session.wiring.registry
    rows = [_row(registry, name) for name in registry.names()]
    if json:
        print_json(rows)
        return
    others = (Column(name, overflow="fold") for name in ("newest", "labels", "variables", "description"))
    table = new_table(Column("prompt", overflow="fold"), Column("hash", no_wrap=True), *others)
    for row in rows:
        labels = ", ".join(f"{label}={version}" for label, version in row["labels"].items())
        told = one_line(row["error"], 200) if row["error"] else row["description"]
        cells = (row["name"], row["hash"][:12], (row["versions"] or [""])[-1], labels, ", ".join(row["variables"]), told)
        table.add_row(*(Text(safe(cell)) for cell in cells), style="red" if row["error"] else None)
    session.out.print(table if rows else "No prompts: write one to prompts/NAME/prompt.j2")


def _row(registry: "Registry", name: str) -> dict[str, Any]:
    """A prompt as a listing shows it; one whose files cannot be read is listed with the reason."""
    row = {"name": name, "hash": "", "versions": [], "labels": {}, "variables": [], "description": "", "error": ""}
    try:
        row |= {"versions": registry.versions(name), "labels": dict(registry.labels(name))}
        version = registry.working_copy(name)
    except InvalidFiles as error:
        return row | {"error": error.message}
    return row | {"hash": version.hash, "variables": list(version.variables), "description": version.description}


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
    var: VarOption = None,
    case: CaseOption = None,
    dataset: DatasetOption = None,
) -> None:
    """Print the messages that a prompt renders to; `contexts` are the case's own, nothing is searched for."""
    from rich.text import Text

    from llmops.prompting.roles import escaped_roles

    session: Session = ctx.obj
    for message in rendered(session, session.wiring.prompt(reference), var, case, dataset):
        session.out.print(Text(f"{message.role}:", style="bold"))
        typer.echo(f"{escaped_roles(safe(message.shown))}\n")


@app.command()
def log(ctx: typer.Context, name: NameArgument, json: JsonOption = False) -> None:
    """Print the history of a prompt, newest first: versions, labels, who, when, why."""
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    entries = session.wiring.registry.ledger(name).history[::-1]
    if json:
        print_json(entries)
        return
    table = new_table("when (UTC)", "what", "by", "reason")
    for entry in entries:
        after = "(none)" if entry.action == "unlabel" else entry.version
        moved = f"{entry.label}: {entry.came_from or '(new)'} -> {after}"
        what = f"version {entry.version}  {entry.prompt_hash[:12]}" if entry.action == "commit" else moved
        what += " (rollback)" if entry.action == "rollback" else " (forced)" if entry.forced else ""
        when = entry.at[:19].replace("T", " ").removesuffix("Z")
        table.add_row(when, Text(safe(what)), Text(safe(entry.by)), Text(safe(entry.reason)))
    session.out.print(table if entries else f"No version yet. Make one: llmops prompt commit {name} -m MESSAGE")


@app.command(epilog=examples("llmops prompt diff answer@production answer --model gpt"))
def diff(
    ctx: typer.Context,
    before: Reference,
    after: Annotated[str, typer.Argument(metavar="PROMPT", help="The new one.", autocompletion=completing.prompts)],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="Tokens and cost for this model; default: all configured ones.",
            autocompletion=completing.models,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what changed between two versions: text, variables, tokens and cost on the datasets' real values."""
    from llmops.reporting.prompts import print_comparison
    from llmops.workflows.prompt_use import compare_prompts

    session: Session = ctx.obj
    wiring = session.wiring
    models = model or list(session.project.settings.models)
    found = compare_prompts(wiring.prompt(before), wiring.prompt(after), models, wiring)
    if json:
        print_json(found)
    else:
        print_comparison(session.out, before, after, found)


@app.command()
def lint(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Default: all working copies.", autocompletion=completing.prompts),
    ] = None,
    form: Annotated[Literal["text", "json", "sarif"], typer.Option("--format", help="How findings are printed.")] = "text",
) -> None:
    """Look for faults of prompts that parse; exit 1 when one is found."""
    from llmops.prompting.git import folder_in_repository
    from llmops.reporting.prompts import lint_sarif, print_findings
    from llmops.workflows.prompt_use import lint_prompt

    session: Session = ctx.obj
    registry = session.wiring.registry
    versions = [registry.resolve(name) for name in names or registry.names()]
    findings = [finding for version in versions for finding in lint_prompt(version, session.wiring)]
    if form == "json":
        print_json(findings)
    elif form == "sarif":
        typer.echo(lint_sarif(findings, folder_in_repository(session.wiring.root)), nl=False)
    else:
        print_findings(session.out, findings, len(versions))
    raise typer.Exit(1 if findings else 0)


@app.command()
def check(ctx: typer.Context, names: NamesArgument = None) -> None:
    """For CI: versions, labels, evidence and references of suites are whole, and nothing is uncommitted; exit 1 if not."""
    from llmops.workflows.promote import check_prompts

    session: Session = ctx.obj
    _tell_problems(session, check_prompts(session.project, session.wiring.registry, names), "in order")


@app.command()
def verify(ctx: typer.Context, names: NamesArgument = None) -> None:
    """Compute every hash anew: exit 1 when a version, a label or the history was edited."""
    from llmops.prompting import versions as versions_library

    session: Session = ctx.obj
    registry = session.wiring.registry
    problems = [problem for name in names or registry.names() for problem in versions_library.verify(registry, name)]
    _tell_problems(session, problems, "unchanged since they were written")


def _tell_problems(session: Session, problems: Sequence[Problem], fine: str) -> None:
    from rich.text import Text

    for problem in problems:
        session.out.print(Text(safe(str(problem))), soft_wrap=True)
    if problems:
        raise typer.Exit(1)
    session.out.print(f"Prompts and their histories are {fine}.")


app.add_typer(changes)
