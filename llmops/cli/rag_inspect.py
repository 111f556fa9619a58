"""`llmops rag status`, `show` and `drop`: look at an index, or remove it."""

import sys
from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.rag_eval import only_index
from llmops.cli.session import Session
from llmops.domain.errors import UsageError
from llmops.reporting.safe import safe

app = typer.Typer()

IndexOption = Annotated[
    str | None,
    typer.Option("--index", "-i", help="Index of llmops.yaml; default: the only one.", autocompletion=completing.indexes),
]


@app.command()
def status(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="INDEX", help="Default: every index.", autocompletion=completing.indexes)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show how indexes stand against their corpora; nothing is built."""
    from llmops.reporting.indexes import print_status

    session: Session = ctx.obj
    names = [name] if name else list(session.project.settings.indexes)
    found = [session.wiring.index(each).status() for each in names]
    if json:
        print_json({"indexes": found})
        return
    for each in found:
        print_status(session.out, each, session.project.index(each.name))
    if not found:
        session.out.print("llmops.yaml has no `indexes`.")


@app.command()
def show(
    ctx: typer.Context,
    place: Annotated[str, typer.Argument(metavar="CHUNK|DOCUMENT", help="The beginning of a chunk's id, or a document.")],
    name: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Show how a document was cut, or one chunk in full."""
    from llmops.reporting.indexes import print_passage, print_passages

    session: Session = ctx.obj
    live = session.wiring.index(only_index(session, name)).live
    chunks = live.passages(place)
    if json:
        print_json({"index": live.index, "chunks": chunks})
    elif place in live.documents:
        print_passages(session.out, place, chunks)
    else:
        print_passage(session.out, chunks[0], live.neighbours(chunks[0]))


@app.command()
def drop(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="INDEX", help="Index of llmops.yaml.", autocompletion=completing.indexes)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove what was built of an index: vectors and files. Documents and settings stay, and runs keep their answers."""
    from rich.text import Text

    session: Session = ctx.obj
    index = session.wiring.index(name)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"Nobody is there to confirm that {name!r} may go.", hint=f"llmops rag drop {name} --yes")
        typer.confirm(f"Remove the vectors and files of the index {name}?", abort=True, err=True)
    index.drop()
    session.out.print(Text(f"{safe(name)}: dropped; build it again with llmops rag index {safe(name)}"), soft_wrap=True)
