"""`llmops validate`: check all files of the project and list every problem."""

import typer

from llmops.cli.session import Session
from llmops.domain.errors import InvalidFiles

app = typer.Typer()


@app.command()
def validate(ctx: typer.Context) -> None:
    """Check all files of the project and list every problem; exit 2 when there is one."""
    from llmops.settings.routes import LearnedRoute
    from llmops.settings.suite import suite_files
    from llmops.wiring import Wiring
    from llmops.workflows.validate import problems_of

    session: Session = ctx.obj
    problems = problems_of(session.root, Wiring)
    if problems:
        raise InvalidFiles(problems)
    for name in (name for name, settings in session.project.settings.routes.items() if isinstance(settings, LearnedRoute)):
        for note in session.wiring.route(name).notes:
            session.note(note)
    prompts, suites = len(session.wiring.registry.names()), len(suite_files(session.root))
    session.out.print(f"All files are valid: llmops.yaml, prompts: {prompts}, suites with their datasets: {suites}.")
