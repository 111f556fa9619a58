"""`llmops route`: which share of the traffic a small model can take, from recorded answers."""

from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session, wiring_or_bare
from llmops.cli.writing import write_file
from llmops.domain.errors import UsageError
from llmops.reporting.routing import print_route_report, route_json, route_svg
from llmops.routing.records import read_records
from llmops.workflows.route import Question, latest_comparable_run, records_of_run
from llmops.workflows.route import report as route_report

app = typer.Typer(no_args_is_help=True, help="Replay routing policies on recorded answers.")

EPILOG = (
    "Examples:  llmops route report  ·  llmops route report --from recorded.jsonl --keep 0.97 --json  ·  "
    "llmops route report --price large=12.50"
)
RUN = "Run with two targets or more; default: the newest."


@app.callback()
def group() -> None:
    """Replay routing policies on recorded answers; no model is asked."""


@app.command(epilog=EPILOG)
def report(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help=RUN)] = None,
    source: Annotated[Path | None, typer.Option("--from", help="JSONL of recorded requests instead; needs no project.")] = None,
    quality: Annotated[
        str | None, typer.Option(help="Evaluator that says how good an answer is; default: whether all passed.")
    ] = None,
    weak: Annotated[str | None, typer.Option(help="The small model; default: the cheapest.")] = None,
    strong: Annotated[str | None, typer.Option(help="The large model; default: the dearest.")] = None,
    keep: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the large model's quality that a threshold keeps.")
    ] = 0.95,
    price: Annotated[
        list[str] | None, typer.Option("--price", help="What if: MODEL=USD per 1,000 requests; repeatable.")
    ] = None,
    embedder: Annotated[
        str, typer.Option(help="What the learned router sees: minilm, static (faster), or none to leave it out.")
    ] = "minilm",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Write the frontier as SVG.")] = None,
) -> None:
    """Print what each policy would have cost and lost: quality, dollars, latency, share, APGR and CPT, with intervals."""
    session: Session = ctx.obj
    if embedder not in ("minilm", "static", "none"):
        raise UsageError(f"--embedder {embedder!r}: minilm, static or none was expected.")
    prices = dict(_price(text) for text in price or ())
    question = Question(weak, strong, keep, prices, None if embedder == "none" else embedder)
    wiring = wiring_or_bare(session)
    if source is not None:
        if run is not None:
            raise UsageError("--from takes the place of a run.", hint="Name either a file or a run.")
        records, name = read_records(session.start / source, session.start), str(source)
    else:
        store = session.wiring.store
        chosen = store.run(run) if run is not None else latest_comparable_run(store)
        records, name = records_of_run(store, chosen, session.root, quality), chosen.id
    with ShownProgress(session.err) as progress:
        found = route_report(records, name, question, wiring, progress)
    if svg is not None:
        write_file(svg, route_svg(found))
        session.err.print(f"wrote {svg}", soft_wrap=True)
    if json:
        typer.echo(route_json(found), nl=False)
    else:
        print_route_report(session.out, found)


def _price(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        if equals and name and float(value) >= 0:
            return name, float(value)
    except ValueError:
        pass
    raise UsageError(f"--price {text!r}: MODEL=USD per 1,000 requests was expected.", hint="For example: --price large=12.50")
