"""`llmops score`: evaluate answers that exist already."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.session import Session, wiring_or_bare
from llmops.cli.streams import lost_output
from llmops.domain.words import many
from llmops.reporting.safe import safe

if TYPE_CHECKING:
    from llmops.wiring import Wiring
    from llmops.workflows.score import LogScorer, Scored

app = typer.Typer()

EPILOG = examples(
    "llmops score log.jsonl --out scored.jsonl",
    "llmops score log.jsonl --evaluator toxicity --threshold 0.8 | jq .scores",
    "zcat log.jsonl.gz | llmops score - --out scored.jsonl",
)


@app.command(epilog=EPILOG)
def score(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSONL, `-` for stdin: each line has `output`, and any `input` and `contexts`.")],
    evaluator: Annotated[
        list[str] | None,
        typer.Option("--evaluator", "-e", help="NAME or NAME:BACKEND; default: hallucination and toxicity."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a file instead of printing; an interrupted one goes on.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(callback=finite, help="Limit of what passes; default: the evaluator's own.")
    ] = None,
    skip_invalid: Annotated[bool, typer.Option("--skip-invalid", help="Leave malformed lines out and tell how many.")] = False,
) -> None:
    """Add `scores` to each line of a log of answers. Needs no project; memory does not grow with the file."""
    import asyncio

    from llmops.settings.files import STDIN
    from llmops.workflows.score import LogScorer, log_evaluators

    session: Session = ctx.obj
    wiring = wiring_or_bare(session)
    evaluators = log_evaluators(evaluator or (), threshold, wiring.services)
    source = STDIN if str(file) == "-" else session.start / file
    scorer = LogScorer(source, session.start, evaluators, skip_invalid=skip_invalid)
    asyncio.run(_scored(scorer, wiring, None if out is None else session.named(out)))
    _tell(session, scorer.done, out)


async def _scored(scorer: "LogScorer", wiring: "Wiring", out: Path | None) -> None:
    async with wiring.judges.running():
        if out is not None:
            await scorer.write(out)
            return
        async for line in scorer.lines():
            typer.echo(line, nl=False)
            if lost_output() is not None:
                break


def _tell(session: Session, done: "Scored", out: Path | None) -> None:
    from rich.text import Text

    from llmops.domain.scores import JudgeUse
    from llmops.reporting.terminal import judging_line

    resumed = f" ({done.resumed} more were scored before)" if done.resumed else ""
    where = f" -> {out}" if out else ""
    session.err.print(f"{many(done.lines, 'line')} scored{resumed}{where}", soft_wrap=True)
    for name, tally in done.tallies.items():
        parts = [f"{tally.not_passed} of {tally.scored} did not pass"]
        parts += [f"{count} {what}" for count, what in ((tally.failed, "failed"), (tally.unmeasured, "unmeasured")) if count]
        why = f": {tally.reason}" if tally.reason and not tally.scored else ""
        session.err.print(Text(f"  {safe(name)}: {', '.join(parts)}{safe(why)}"), soft_wrap=True)
    use = sum((tally.judging for tally in done.tallies.values()), JudgeUse())
    if use.calls:
        session.err.print(judging_line(use), soft_wrap=True)
    for problem in done.invalid:
        session.err.print(Text(f"skipped {safe(str(problem))}", style="yellow"), soft_wrap=True)
    if more := done.skipped - len(done.invalid):
        session.err.print(f"skipped {many(more, 'more line')}", soft_wrap=True)
