"""`llmops init`: start a project, one that runs at once and offline, or what another tool's configuration holds."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli.help import examples
from llmops.cli.session import Session
from llmops.cli.writing import write_file
from llmops.domain.errors import UsageError
from llmops.settings.files import Content

if TYPE_CHECKING:
    from llmops.workflows.promptfoo.convert import Converted

app = typer.Typer()

GITIGNORE = Path(".gitignore")


@app.command(epilog=examples("llmops init my-project", "llmops init my-project --from promptfooconfig.yaml"))
def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where; made when it does not exist.")] = Path(),
    source: Annotated[
        Path | None, typer.Option("--from", help="A configuration of promptfoo, which becomes the project.")
    ] = None,
) -> None:
    """Start a project here that runs at once, offline, or that of a promptfoo configuration. No file is overwritten."""
    session: Session = ctx.obj
    target = session.start / folder
    scaffold = _scaffold()
    converted = None if source is None else _converted(session.start / source)
    texts: dict[Path, Content] = {**scaffold}
    if converted is not None:
        texts = {GITIGNORE: scaffold[GITIGNORE], **{Path(place): data for place, data in converted.files.items()}}
    there = sorted(path.as_posix() for path in texts if (target / path).exists() and path != GITIGNORE)
    if there:
        raise UsageError(f"{target} already has {', '.join(there)}.", hint="Start in an empty folder: llmops init NEW_FOLDER")
    for path, text in sorted(texts.items()):
        if not (target / path).exists():
            write_file(target / path, text)
            session.out.print(f"wrote {folder / path}", soft_wrap=True)
    if not set(scaffold[GITIGNORE].split()) <= set((target / GITIGNORE).read_text("utf-8", "replace").split()):
        session.out.print("\nYour .gitignore was kept. Add to it: .llmops/ and .env")
    where = "" if folder == Path() else f"cd {folder} && "
    if converted is None:
        session.out.print(
            f"\nNext: {where}llmops eval\nThen put your own documents into docs/ and your models into llmops.yaml."
        )
        return
    _print_left_out(session, converted)
    session.out.print(f"\nNext: {where}llmops validate && llmops eval --explain")


def _converted(path: Path) -> "Converted":
    from llmops.workflows.promptfoo.convert import convert

    return convert(path)


def _print_left_out(session: Session, converted: "Converted") -> None:
    from rich.text import Text

    from llmops.reporting.safe import safe

    if converted.left_out:
        session.out.print()
    for problem in converted.left_out:
        session.out.print(Text(safe(str(problem)), style="yellow"), soft_wrap=True)


def _scaffold() -> dict[Path, str]:
    """The files of a new project; a `.gitignore` in the package itself would hide files from its own build."""
    with as_file(files("llmops") / "data" / "scaffold") as folder:
        found = {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    return {GITIGNORE if path.name == "gitignore" else path: text for path, text in found.items()}
