"""`llmops route report`: which share of the traffic a small model can take, from recorded answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.route_deploy import app as deploying
from llmops.cli.route_inputs import EMBEDDER, FROM, KEEP, PRICE, QUALITY, RUN, prices_of, recorded
from llmops.cli.session import Session
from llmops.cli.writing import check_report, write_file
from llmops.domain.errors import UsageError

if TYPE_CHECKING:
    from llmops.routing.recorded_routes import RecordedRoute

app = typer.Typer(no_args_is_help=True, help="Replay routing policies on recorded answers, learn one, serve one.")
app.add_typer(deploying)

EPILOG = examples(
    "llmops route report",
    "llmops route report --from recorded.jsonl --keep 0.97 --json",
    "llmops route report --price large=12.50",
    "llmops route report --current large --gpu-hour 2.50",
)


@app.callback()
def group() -> None:
    """Replay routing policies on recorded answers, learn one from them, and serve one."""


@app.command(epilog=EPILOG)
def report(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help=RUN, autocompletion=completing.runs)] = None,
    source: Annotated[Path | None, typer.Option("--from", help=FROM)] = None,
    log: Annotated[Path | None, typer.Option(help="Decisions of a deployed route: what it did, instead of a replay.")] = None,
    quality: Annotated[str | None, typer.Option(help=QUALITY)] = None,
    weak: Annotated[str | None, typer.Option(help="The small model; default: the cheapest.")] = None,
    strong: Annotated[str | None, typer.Option(help="The large model; default: the dearest.")] = None,
    keep: Annotated[float, typer.Option(min=0, max=1, callback=finite, help=KEEP)] = 0.95,
    price: Annotated[list[str] | None, typer.Option("--price", help=PRICE)] = None,
    embedder: Annotated[str, typer.Option(help=f"{EMBEDDER} none leaves it out.")] = "minilm",
    current: Annotated[
        str | None, typer.Option(help="Hold the others against this policy: a model, a route, or a name of the report.")
    ] = None,
    gpu_hour: Annotated[
        float | None,
        typer.Option(min=0, callback=finite, help="What if the small model ran on a machine at so many USD an hour?"),
    ] = None,
    throughput: Annotated[str, typer.Option(help="Requests a second that the machine serves, or measured.")] = "measured",
    monthly: Annotated[str | None, typer.Option(help="Project the bill of so many requests a month, such as 2M.")] = None,
    json: JsonOption = False,
    svg: Annotated[Path | None, typer.Option(help="Write the frontier as SVG.")] = None,
) -> None:
    """Print what each policy would have cost and lost: quality, dollars, latency, share, APGR and CPT, with intervals."""
    from llmops.reporting.routing import print_route_report, route_svg
    from llmops.workflows.route import Question
    from llmops.workflows.route import report as route_report

    session: Session = ctx.obj
    if log is not None:
        _refuse_beside_log(ctx)
        _tell_served(session, log, json=json)
        return
    if embedder not in ("minilm", "static", "none"):
        raise UsageError(f"--embedder {embedder!r}: minilm, static or none was expected.")
    records, name, wiring = recorded(session, run, source, quality)
    routes = {} if source is not None else _routes(session)
    what_if = (current, gpu_hour, None if throughput == "measured" else _positive("--throughput", throughput))
    question = Question(weak, strong, keep, prices_of(price), None if embedder == "none" else embedder, routes, *what_if)
    if svg is not None:
        check_report(svg, session.start)
    with ShownProgress(session.err) as progress:
        found = route_report(records, name, question, wiring, progress)
    if svg is not None:
        write_file(svg, route_svg(found))
        session.err.print(f"wrote {svg}", soft_wrap=True)
    if json:
        print_json(found)
    else:
        print_route_report(session.out, found, monthly=None if monthly is None else _positive("--monthly", monthly))


def _routes(session: Session) -> "dict[str, RecordedRoute]":
    """The project's routes as policies to replay."""
    from llmops.routing.recorded_routes import RecordedRoute

    found = {name: session.wiring.route(name) for name in session.project.settings.routes}
    return {
        name: RecordedRoute(each.policy, tuple(c.spec.name for c in each.checks), each.notes) for name, each in found.items()
    }


def _refuse_beside_log(ctx: typer.Context) -> None:
    """A log is summed up and not replayed: what says how to replay would be ignored."""
    for parameter in ctx.command.get_params(ctx):
        source = ctx.get_parameter_source(str(parameter.name))
        if parameter.name not in ("log", "json") and source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
            named = parameter.opts[0] if parameter.param_type_name == "option" else str(parameter.metavar)
            raise UsageError(f"{named} belongs to a replay, and --log tells what a route did.", hint="Leave one of them out.")


def _tell_served(session: Session, log: Path, *, json: bool) -> None:
    from llmops.reporting.routing import print_served
    from llmops.workflows.route_log import served_report

    found = served_report(session.start / log, session.start)
    if json:
        print_json(found)
    else:
        print_served(session.out, found)


def _positive(option: str, text: str) -> float:
    """A number of requests; `k`, `M` and `B` scale it."""
    scale = {"k": 1e3, "m": 1e6, "b": 1e9}.get(text[-1:].lower(), 1.0)
    try:
        found = float(text[:-1] if scale > 1 else text) * scale
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise UsageError(f"{option} {text!r}: a number of requests was expected.", hint="Such as 50000, 200k or 2M.")
    return found
