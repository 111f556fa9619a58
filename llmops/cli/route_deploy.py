"""`llmops route fit`, `explain` and `export`: from recorded answers to a served route."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.route_inputs import EMBEDDER, FROM, KEEP, PRICE, QUALITY, RUN, configured, prices_of, recorded
from llmops.cli.session import Session
from llmops.cli.writing import told_when_unwritable, write_file
from llmops.domain.errors import UsageError
from llmops.domain.reports import EXIT_CODES

app = typer.Typer()


@app.command(epilog=examples("llmops route fit", "llmops route fit --from recorded.jsonl --keep 0.97 --out routes/support"))
def fit(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help=RUN, autocompletion=completing.runs)] = None,
    source: Annotated[Path | None, typer.Option("--from", help=FROM)] = None,
    out: Annotated[Path, typer.Option(help="Folder to write, inside the project.")] = Path("routes/learned"),
    quality: Annotated[str | None, typer.Option(help=QUALITY)] = None,
    keep: Annotated[float, typer.Option(min=0, max=1, callback=finite, help=KEEP)] = 0.95,
    price: Annotated[list[str] | None, typer.Option("--price", help=PRICE)] = None,
    embedder: Annotated[str, typer.Option(help=EMBEDDER)] = "minilm",
) -> None:
    """Learn which model answers which prompt well enough, and write the router with its card."""
    from llmops.reporting.routing import print_fit
    from llmops.workflows.route import Question
    from llmops.workflows.route_fit import fit_router, write_router

    session: Session = ctx.obj
    if embedder not in ("minilm", "static"):
        raise UsageError(f"--embedder {embedder!r}: minilm or static was expected.")
    records, name, wiring = recorded(session, run, source, quality)
    if source is not None:
        records = replace(records, asked=configured(wiring, records.models))
    question = Question(keep=keep, prices=prices_of(price), embedder=embedder)
    with ShownProgress(session.err) as progress:
        saved = fit_router(records, name, question, wiring, progress)
    folder = session.start / out
    write_router(folder, saved, [name])
    session.err.print(f"wrote {out}", soft_wrap=True)
    print_fit(session.out, saved, out.as_posix())


@app.command(
    epilog=examples('llmops route explain careful "How long is the warranty?"', 'llmops route explain by-rule "?" --tag hard')
)
def explain(
    ctx: typer.Context,
    route: completing.RouteArgument,
    prompt: Annotated[str, typer.Argument(help="The question, as a user would ask it.")],
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Tag of the request; repeatable.")] = None,
    key: Annotated[str, typer.Option(help="Who asks, for policies that split the traffic.")] = "",
) -> None:
    """Say which model a route asks first, why, and what would make it go on. No model is asked."""
    from llmops.reporting.routing import print_decision
    from llmops.workflows.route_explain import explain as decision_of

    session: Session = ctx.obj
    settings = session.project.route(route)
    built = session.wiring.route(route)
    found = decision_of(settings, built, prompt, tuple(tag or ()), key)
    for note in built.notes:
        session.note(note)
    print_decision(session.out, route, found)


@app.command(epilog=examples("llmops route export careful --out proxy", "litellm --config proxy/config.yaml"))
def export(
    ctx: typer.Context,
    route: completing.RouteArgument,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("proxy"),
    log_text: Annotated[bool, typer.Option("--log-text", help="Let the log keep the questions.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that hold something else.")] = False,
) -> None:
    """Write what LiteLLM's proxy needs to serve a route: its configuration and a module that it loads."""
    from rich.text import Text

    from llmops.routing.exporting import HANDLER, proxy_config, proxy_handler

    session: Session = ctx.obj
    settings = session.project.route(route)
    for note in session.wiring.route_to_ask(route).notes:
        session.note(note)
    folder = (session.start / out).resolve()
    project = Path(os.path.relpath(session.root, folder)).as_posix()
    models = {name: session.project.model(name) for name in settings.models}
    config, handler = out / "config.yaml", out / f"{HANDLER}.py"
    texts = {config: proxy_config(route, models), handler: proxy_handler(route, project, log_text=log_text)}
    if not force:
        _check_unchanged(session.start, texts)
    for path, text in texts.items():
        write_file(session.start / path, text)
    session.out.print(Text(f"wrote {config} and {handler}"), soft_wrap=True)
    session.out.print('Serve it where llmops is installed: pip install "litellm[proxy]"', soft_wrap=True)
    session.out.print(Text("  export LITELLM_MASTER_KEY=sk-$(openssl rand -hex 32)"), soft_wrap=True)
    session.out.print(Text(f"  litellm --config {config}"), soft_wrap=True)
    session.out.print(Text(f"Then read what it decided: llmops route report --log {out / 'decisions.jsonl'}"), soft_wrap=True)


def _check_unchanged(start: Path, texts: Mapping[Path, str]) -> None:
    """Refuse to overwrite what somebody else wrote, an edit or another route."""
    for path, text in texts.items():
        with told_when_unwritable(start / path):
            other = (start / path).is_file() and (start / path).read_bytes() != text.encode()
        if other:
            hint = "Overwrite it with --force, or write another folder: --out FOLDER"
            raise UsageError(f"{str(path)!r} exists and holds something else.", hint=hint)


@app.command(
    epilog=examples(
        "llmops route promote rollout --log proxy/decisions.jsonl",
        "llmops route promote rollout --log decisions.jsonl --margin 0.02 --dry-run",
    )
)
def promote(
    ctx: typer.Context,
    route: Annotated[str, typer.Argument(help="A canary under `routes:` of llmops.yaml.", autocompletion=completing.routes)],
    log: Annotated[Path, typer.Option(help="Its decisions, graded by `quality` or by the route's checks.")],
    steps: Annotated[str, typer.Option(help="Shares in percent that it climbs, up to the last.")] = "1,5,25,50,100",
    margin: Annotated[
        float, typer.Option(min=0, max=1, callback=finite, help="Quality that the new model may be worse by.")
    ] = 0.05,
    confidence: Annotated[float, typer.Option(help="One-sided, above 0.5.")] = 0.95,
    after: Annotated[int, typer.Option(min=1, help="Graded answers of the new model to wait for.")] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge, and write nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Give a canary its next share when it is no worse than the old model, and none when it is. Exit code 0, 1 or 4."""
    from llmops.reporting.routing import print_promotion
    from llmops.workflows.route_promote import Terms, apply, promotion

    session: Session = ctx.obj
    if not 0.5 < confidence < 1:
        raise UsageError(f"--confidence {confidence:g}: above 0.5 and below 1 was expected.")
    terms = Terms(_shares(steps), margin, confidence, after)
    found = promotion(session.project, route, session.start / log, terms)
    written = not dry_run and found.percent_after != found.percent_before
    if written:
        apply(session.project, found)
    if json:
        print_json(found)
    else:
        print_promotion(session.out, found, written=written)
    raise typer.Exit(EXIT_CODES[found.verdict])


def _shares(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(each) for each in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < share <= 100 for share in found) or list(found) != sorted(set(found)):
        raise UsageError(f"--steps {text!r}: growing shares in percent were expected.", hint="Such as 1,5,25,50,100")
    return found
