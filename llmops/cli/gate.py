"""`llmops gate`: judge a stored run again."""

from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session

app = typer.Typer()

EPILOG = examples("llmops gate @last", "llmops gate @last --baseline 20260101-120000-ab12")


@app.command(epilog=EPILOG)
def gate(
    ctx: typer.Context,
    run: completing.RunArgument = "@last",
    baseline: Annotated[str | None, typer.Option(help="Run for the relative rules; default: the suite's baseline.")] = None,
    json: JsonOption = False,
) -> None:
    """Judge a stored run by its suite's rules as they stand now. No model is asked; the exit code is the verdict."""
    from llmops.reporting.terminal import print_report
    from llmops.workflows.rejudge import rejudge
    from llmops.workflows.sides import run_of

    session: Session = ctx.obj
    store = session.wiring.store
    chosen = store.run(run)
    against = None if baseline is None else run_of(store, baseline, chosen.suite)
    with ShownProgress(session.err) as progress:
        report = rejudge(chosen, against, session.wiring, progress)
    if json:
        kept = ("run_id", "suite", "status", "verdict", "exit_code", "baseline", "rules", "notes")
        print_json({key: getattr(report, key) for key in kept})
    else:
        print_report(session.out, report, quiet=True)
    raise typer.Exit(report.exit_code)
