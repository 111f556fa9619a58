"""`llmops init`: start a project that runs at once, offline."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.session import Session
from llmops.cli.writing import write_file
from llmops.domain.errors import UsageError

app = typer.Typer()

GITIGNORE = Path(".gitignore")


@app.command()
def init(
    ctx: typer.Context, folder: Annotated[Path, typer.Argument(help="Where; made when it does not exist.")] = Path()
) -> None:
    """Start a project here that runs at once, offline. No file is overwritten."""
    session: Session = ctx.obj
    target = session.start / folder
    texts = _scaffold()
    there = sorted(path.as_posix() for path in texts if (target / path).exists() and path != GITIGNORE)
    if there:
        raise UsageError(f"{target} already has {', '.join(there)}.", hint="Start in an empty folder: llmops init NEW_FOLDER")
    for path, text in sorted(texts.items()):
        if not (target / path).exists():
            write_file(target / path, text)
            session.out.print(f"wrote {folder / path}", soft_wrap=True)
    if not set(texts[GITIGNORE].split()) <= set((target / GITIGNORE).read_text("utf-8", "replace").split()):
        session.out.print("\nYour .gitignore was kept. Add to it: .llmops/ and .env")
    where = "" if folder == Path() else f"cd {folder} && "
    session.out.print(f"\nNext: {where}llmops eval\nThen put your own documents into docs/ and your models into llmops.yaml.")


def _scaffold() -> dict[Path, str]:
    """The files of a new project; a `.gitignore` in the package itself would hide files from its own build."""
    with as_file(files("llmops") / "data" / "scaffold") as folder:
        found = {path.relative_to(folder): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}
    return {GITIGNORE if path.name == "gitignore" else path: text for path, text in found.items()}
