"""`llmops prompt` commands that change files: versions, labels, import and export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.progress import ShownProgress
from llmops.cli.prompt_values import CaseOption, DatasetOption, VarOption, rendered
from llmops.cli.session import Session
from llmops.cli.writing import write_file
from llmops.domain.errors import UsageError
from llmops.domain.prompts import Bump, PromptFormat
from llmops.settings.files import read_text

if TYPE_CHECKING:
    from llmops.prompting.ledger import Entry
    from llmops.prompting.versions import Change

app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of a prompt.", autocompletion=completing.prompts)]
VersionArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME@VERSION", help="A committed version, such as answer@1.2.0.", autocompletion=completing.prompts
    ),
]
LabelOption = Annotated[str, typer.Option("--label", help="Name of the label, such as production.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-m", help="Why; kept in the history.")]
FormatOption = Annotated[PromptFormat | None, typer.Option("--format", help="Default: guessed from the file.")]


def _change(session: Session, reason: str, *, forced: bool = False) -> "Change":
    from llmops.prompting.git import author_name
    from llmops.prompting.versions import Change

    return Change(author_name(session.root), reason, forced=forced)


@app.command(epilog=examples("llmops prompt commit answer -m 'Ask for citations'"))
def commit(
    ctx: typer.Context,
    name: NameArgument,
    message: Annotated[str, typer.Option("-m", "--message", help="What changed and why.")],
    bump: Annotated[Bump | None, typer.Option(help="Raise at least this part of the version.")] = None,
) -> None:
    """Make the working copy an immutable version; how far it is from the newest one decides the number."""
    from llmops.prompting import versions

    session: Session = ctx.obj
    if not message.strip():
        raise UsageError("-m is empty: it stands in the history and says what changed and why.")
    made = versions.commit(session.wiring.registry, name, _change(session, message), bump)
    part = f" ({made.bump})" if made.bump else ""
    session.out.print(f"{name}@{made.version}{part}  sha256:{made.hash}", soft_wrap=True)


@app.command(epilog=examples("llmops prompt label answer@1.2.0 --label staging"))
def label(
    ctx: typer.Context,
    reference: VersionArgument,
    label: LabelOption,
    reason: ReasonOption = "",
) -> None:
    """Point a label at a version. A protected label moves by `promote` alone."""
    session: Session = ctx.obj
    name, version = _version(reference)
    from llmops.workflows.promote import set_label

    entry = set_label(session.project, session.wiring.registry, name, version, label, _change(session, reason))
    _tell_move(session, name, entry)


@app.command(epilog=examples("llmops prompt unlabel answer --label staging"))
def unlabel(
    ctx: typer.Context,
    name: NameArgument,
    label: LabelOption,
    reason: ReasonOption = "",
) -> None:
    """Take a label away; the history keeps it. A protected label stays."""
    from llmops.workflows.promote import remove_label

    session: Session = ctx.obj
    entry = remove_label(session.project, session.wiring.registry, name, label, _change(session, reason))
    session.out.print(f"{name}: {label} {entry.version} -> (none)", soft_wrap=True)


@app.command(epilog=examples("llmops prompt promote answer@1.2.0 --to production"))
def promote(
    ctx: typer.Context,
    reference: VersionArgument,
    to: Annotated[str, typer.Option("--to", help="The label to move.")],
    force: Annotated[bool, typer.Option("--force", help="Move it without evidence; needs --reason.")] = False,
    reason: ReasonOption = "",
) -> None:
    """Move a label onto a version; a protected one only onto text that passed the gates of its suites. Exit 1: refused."""
    session: Session = ctx.obj
    name, version = _version(reference)
    if force and not reason.strip():
        raise UsageError("--force needs --reason: it stands in the history for everyone to read.")
    change = _change(session, reason, forced=force)
    from llmops.workflows.promote import promote as promote_on_evidence

    with ShownProgress(session.err) as progress:
        entry = promote_on_evidence(session.wiring, name, version, to, change, progress)
    _tell_move(session, name, entry)
    if entry.forced:
        session.err.print("forced: recorded in the history without evidence", soft_wrap=True)


@app.command(epilog=examples("llmops prompt rollback answer --label production"))
def rollback(
    ctx: typer.Context,
    name: NameArgument,
    label: LabelOption,
    reason: ReasonOption = "",
) -> None:
    """Point a label at the version it had before. Always allowed."""
    from llmops.prompting import versions

    session: Session = ctx.obj
    entry = versions.rollback(session.wiring.registry, name, label, _change(session, reason))
    _tell_move(session, name, entry)


def _tell_move(session: Session, name: str, entry: "Entry") -> None:
    moved = f"{entry.came_from or '(new)'} -> {entry.version}" if entry.hash else f"stands on {entry.version} already"
    session.out.print(f"{name}: {entry.label} {moved}", soft_wrap=True)


def _version(text: str) -> tuple[str, str]:
    from llmops.prompting.registry import Reference

    parsed = Reference.parse(text)
    if not parsed.which:
        hint = f"Name one: {parsed.name}@1.0.0. The versions: llmops prompt log {parsed.name}"
        raise UsageError(f"{text!r} names no version.", hint=hint)
    return parsed.name, parsed.which


@app.command("import", epilog=examples("llmops prompt import old/answer.prompty --name answer"))
def import_file(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A .prompty file, OpenAI messages, a promptfoo prompt file, a .j2 file, or plain text.")
    ],
    name: Annotated[str | None, typer.Option(help="Name of the prompt; default: the file's.")] = None,
    kind: FormatOption = None,
) -> None:
    """Write prompts/NAME/prompt.j2 from another tool's file. An existing prompt is not overwritten."""
    from rich.text import Text

    from llmops.prompting.exchange import import_prompts
    from llmops.prompting.registry import PROMPTS, WORKING_COPY, check_name, name_from
    from llmops.reporting.safe import safe

    session: Session = ctx.obj
    found = import_prompts(read_text(session.start / file, session.root), str(file), kind)
    base = name_from(file.stem) or "imported" if name is None else name
    check_name(base)
    names = [base if len(found) == 1 else f"{base}-{number}" for number in range(1, len(found) + 1)]
    paths = [session.root / PROMPTS / each / WORKING_COPY for each in names]
    taken = [each for each, path in zip(names, paths, strict=True) if path.exists()]
    if taken:
        raise UsageError(f"there is a prompt {taken[0]!r} already.", hint="Choose another: --name NAME")
    for path, each in zip(paths, found, strict=True):
        write_file(path, each.text)
        session.out.print(f"wrote {path.relative_to(session.root)}", soft_wrap=True)
        if each.left_out:
            left_out = ", ".join(each.left_out)
            session.err.print(Text(safe(f"left out what a prompt does not set: {left_out}"), style="yellow"), soft_wrap=True)


@app.command(epilog=examples("llmops prompt export answer@production --format prompty -o answer.prompty"))
def export(
    ctx: typer.Context,
    reference: Annotated[
        str, typer.Argument(metavar="PROMPT", help="Any prompt reference.", autocompletion=completing.prompts)
    ],
    kind: Annotated[
        PromptFormat, typer.Option("--format", help="prompty and promptfoo hold the template, the others messages.")
    ],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write a file instead of printing.")] = None,
    var: VarOption = None,
    case: CaseOption = None,
    dataset: DatasetOption = None,
) -> None:
    """Print a prompt in another tool's format."""
    from llmops.evaluation.case_files import with_images
    from llmops.prompting.exchange import export_prompt

    session: Session = ctx.obj
    version = session.wiring.prompt(reference)
    messages = with_images(rendered(session, version, var, case, dataset)) if kind in ("text", "openai") else None
    text = export_prompt(version, kind, messages)
    if kind != "prompty" and version.parameters:
        left_out = f"left out what {kind} files do not hold: {', '.join(version.parameters)}"
        session.err.print(left_out, style="yellow", soft_wrap=True)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_file(session.named(output), text)
        session.err.print(f"wrote {output}", soft_wrap=True)
