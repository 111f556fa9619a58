"""`llmops rag make-dataset`: write labelled questions about a corpus."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.progress import ShownProgress
from llmops.cli.rag_eval import only_index
from llmops.cli.session import Session
from llmops.cli.writing import check_writable, write_file
from llmops.domain.errors import BudgetSpent, UsageError
from llmops.domain.ports import Progress
from llmops.domain.words import many
from llmops.reporting.safe import safe

if TYPE_CHECKING:
    from llmops.wiring import Wiring
    from llmops.workflows.make_dataset import MadeDataset

app = typer.Typer()

EPILOG = examples("llmops rag make-dataset manual --out datasets/made.jsonl --model gpt -n 100")


@app.command("make-dataset", epilog=EPILOG)
def make_dataset(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSONL file to write.")],
    name: completing.IndexArgument = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Asks; default: cloze-style known-item queries.", autocompletion=completing.models),
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000, help="Questions to make.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the choice of passages.")] = 0,
    budget: Annotated[
        float | None, typer.Option(min=0, callback=finite, help="Stop asking once so many USD are spent; exit 5, resumable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Make labelled questions about an index's corpus: each with its answer and the exact place where that stands."""
    import asyncio

    from llmops.workflows.make_dataset import make_known_items

    session: Session = ctx.obj
    _check_free(out, force=force)
    if budget is not None and model is None:
        raise UsageError("--budget has no use without --model: no model is asked.", hint="Leave one of them out.")
    index = only_index(session, name)
    with ShownProgress(session.err) as progress:
        if model is None:
            made = make_known_items(session.wiring.index(index), number, seed, progress)
        else:
            made = asyncio.run(_asked(session.wiring, index, (model, budget), (number, seed), progress))
    write_file(out, made.text)
    _tell(session, made, out, number)
    if made.stopped:
        raise typer.Exit(BudgetSpent.exit_code)


async def _asked(
    wiring: "Wiring", index: str, by: tuple[str, float | None], how: tuple[int, int], progress: Progress
) -> "MadeDataset":
    from llmops.evaluation.spending import Purse
    from llmops.workflows.make_dataset import make_questions

    model, budget = by
    judge = wiring.judges.judge(model)
    if budget is not None:
        wiring.judges.check_price(model)
    async with wiring.judges.running(purse=Purse(budget)):
        return await make_questions(wiring.index(index), judge, *how, progress)


def _check_free(out: Path, *, force: bool) -> None:
    if out.suffix.lower() != ".jsonl":
        raise UsageError(f"--out {str(out)!r} is no JSONL file.", hint=f"Write {str(out.with_suffix('.jsonl'))!r}.")
    if out.is_dir() or (out.exists() and not force):
        raise UsageError(f"{str(out)!r} exists.", hint="Overwrite it with --force, or write another file.")
    check_writable(out)


def _tell(session: Session, made: "MadeDataset", out: Path, wanted: int) -> None:
    from rich.text import Text

    from llmops.domain.amounts import dollars
    from llmops.workflows.make_dataset import KINDS

    count, documents = len(made.questions), len({each.document for each in made.questions})
    lines = [f"wrote {out}: {count} of {wanted}, each a {KINDS[made.kind]}, from {many(documents, 'document')}"]
    lines += [f"  {times} left out: {problem}" for problem, times in made.dropped.items()]
    if made.model:
        use = made.use
        cost = f"worth {dollars(use.cost_usd)}, spent now {dollars(use.spent_usd)}"
        lines.append(f"{made.model}: {many(use.calls, 'call')}, {use.sent} of them now, {cost}")
    if made.stopped:
        lines.append("The budget is spent: the same command with --force and a larger --budget goes on.")
    lines.append(f"Measure: llmops rag eval {made.index} --dataset {out}")
    for line in lines:
        session.out.print(Text(safe(line)), soft_wrap=True)
