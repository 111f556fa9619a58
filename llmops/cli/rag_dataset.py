"""`llmops rag make-dataset`: write labelled questions about a corpus."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from llmops.cli.progress import ShownProgress
from llmops.cli.rag_eval import only_index
from llmops.cli.session import Session
from llmops.cli.writing import write_file
from llmops.domain.errors import UsageError
from llmops.reporting.safe import safe
from llmops.workflows.make_dataset import MadeDataset, make_known_items

app = typer.Typer()

EPILOG = "Example:  llmops rag make-dataset manual --out datasets/made.jsonl -n 100"


@app.command("make-dataset", epilog=EPILOG)
def make_dataset(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSONL file to write.")],
    name: Annotated[str | None, typer.Argument(metavar="[INDEX]", help="Default: the only index.")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000, help="Questions to make.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the choice of passages.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Make labelled questions about an index's corpus: each with its answer and the exact place where that stands."""
    session: Session = ctx.obj
    _check_free(out, force=force)
    with ShownProgress(session.err) as progress:
        made = make_known_items(session.wiring.index(only_index(session, name)), number, seed, progress)
    write_file(out, made.text)
    _tell(session, made, out, number)


def _check_free(out: Path, *, force: bool) -> None:
    if out.suffix.lower() != ".jsonl":
        raise UsageError(f"--out {str(out)!r} is no JSONL file.", hint=f"Write {str(out.with_suffix('.jsonl'))!r}.")
    if out.is_dir() or (out.exists() and not force):
        raise UsageError(f"{str(out)!r} exists.", hint="Overwrite it with --force, or write another file.")


def _tell(session: Session, made: MadeDataset, out: Path, wanted: int) -> None:
    documents = len({each.document for each in made.questions})
    count = len(made.questions)
    head = f"wrote {safe(str(out))}: {count} of {wanted}, each a {made.kind}, from {documents} documents"
    session.out.print(Text(head), soft_wrap=True)
    for problem, times in made.dropped.items():
        session.out.print(Text(f"  {times} left out: {problem}"), soft_wrap=True)
    session.out.print(Text(f"Measure: llmops rag eval {made.index} --dataset {safe(str(out))}"), soft_wrap=True)
