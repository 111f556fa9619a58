"""`llmops init`: start a project that runs at once, offline."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.session import Session
from llmops.domain.errors import UsageError
from llmops.settings.files import write_atomic

app = typer.Typer()


@app.command()
def init(
    ctx: typer.Context, folder: Annotated[Path, typer.Argument(help="Where; made when it does not exist.")] = Path()
) -> None:
    """Start a project here that runs at once, offline. No file is overwritten."""
    session: Session = ctx.obj
    target = session.start / folder
    with as_file(files("llmops") / "data" / "scaffold") as scaffold:
        texts = {path.relative_to(scaffold): path.read_text(encoding="utf-8") for path in scaffold.rglob("*") if path.is_file()}
    renamed = {Path(".gitignore") if path.name == "gitignore" else path: text for path, text in texts.items()}
    there = sorted(path.as_posix() for path in renamed if (target / path).exists() and path.name != ".gitignore")
    if there:
        raise UsageError(f"{target} already has {', '.join(there)}.", hint="Start in an empty folder: llmops init NEW_FOLDER")
    for path, text in sorted(renamed.items()):
        if not (target / path).exists():
            write_atomic(target / path, text)
            session.out.print(f"wrote {folder / path}", soft_wrap=True)
    where = "" if folder == Path() else f"cd {folder} && "
    session.out.print(f"\nNext: {where}llmops eval\nThen put your own documents into docs/ and your models into llmops.yaml.")
