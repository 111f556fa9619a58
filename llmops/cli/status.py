"""`llmops status`: what the next `llmops eval` would do, and why."""

import typer

from llmops.cli import completing
from llmops.cli.plans import tell_work
from llmops.cli.printing import JsonOption
from llmops.cli.session import Session
from llmops.cli.suites import suites_named

app = typer.Typer()


@app.command()
def status(
    ctx: typer.Context,
    suites: completing.SuitesArgument = None,
    json: JsonOption = False,
) -> None:
    """Show what has changed since the last run of each suite, and what the next one would do."""
    from llmops.reporting.explanations import print_status
    from llmops.workflows.suite_plans import EvaluateOptions

    session: Session = ctx.obj
    tell_work(session, suites_named(session, suites or []), EvaluateOptions(), print_status, json=json)
