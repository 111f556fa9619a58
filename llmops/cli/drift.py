"""`llmops drift`: when a model changed under a suite, and where that shows."""

from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session
from llmops.cli.suites import suite_path
from llmops.domain.errors import UsageError

app = typer.Typer()

EPILOG = examples(
    "llmops eval canary --refresh generate --no-gate; llmops drift canary",
    "llmops drift canary --target gpt --since @baseline",
    "llmops drift canary --json",
)


@app.command(epilog=EPILOG)
def drift(
    ctx: typer.Context,
    suite: completing.SuiteArgument,
    runs: Annotated[int, typer.Option(min=2, help="Look at the newest so many runs that got new answers.")] = 30,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="None before this run, such as the one that was accepted.", autocompletion=completing.runs
        ),
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only this model or route; repeatable.", autocompletion=completing.targets)
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Only this prompt; repeatable.", autocompletion=completing.prompts)
    ] = None,
    confidence: Annotated[
        float, typer.Option(help="1 minus the chance of claiming any change when there is none: 0.5 to 0.99.")
    ] = 0.95,
    json: JsonOption = False,
) -> None:
    """Find out from stored runs whether a model answers the same requests in another way: since when, and where.

    No model is asked. Exit code 1: something changed.
    """
    from llmops.reporting.drift import print_drift
    from llmops.settings.suite import load_suite
    from llmops.workflows.drift import DriftQuestion, drift_of

    session: Session = ctx.obj
    if not 0.5 <= confidence <= 0.99:
        raise UsageError(f"--confidence {confidence:g}: it lies between 0.5 and 0.99.", hint="Usual: 0.95")
    path = load_suite(suite_path(session, suite), session.root).path
    question = DriftQuestion(runs, since, tuple(prompt or ()), tuple(target or ()), confidence)
    with ShownProgress(session.err) as progress:
        found = drift_of(path, session.wiring.store, question, progress)
    if json:
        print_json(found)
    else:
        print_drift(session.out, found)
    raise typer.Exit(found.exit_code)
