"""Arguments that name what a project has, and what a shell completes for them: of the folder, or of `--project`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.session import Session
from llmops.domain.errors import LlmopsError

RUNS = 50
"""The newest runs, which are offered."""

Completion = Callable[[typer.Context, str], list[str]]


def _completion(names: Callable[[Session, str], Iterable[str]]) -> Completion:
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        found: list[str] = []
        # Nobody wants to read of a fault in a file while a name is typed.
        with suppress(LlmopsError, OSError), closing(Session(_start(ctx), debug=False)) as session:
            found = [name for name in names(session, incomplete) if name.startswith(incomplete)]
        return found

    return complete


def _start(ctx: typer.Context) -> Path:
    project = ctx.find_root().params.get("project")
    return project if isinstance(project, Path) else Path.cwd()


def _suites(session: Session, incomplete: str) -> Iterator[str]:
    from llmops.settings.suite import suite_files

    for path in suite_files(session.root):
        inside = path.relative_to(session.root)
        yield inside.as_posix() if "/" in incomplete else inside.relative_to("evals").with_suffix("").as_posix()


def _prompts(session: Session, incomplete: str) -> Iterator[str]:
    registry, (name, at, _) = session.wiring.registry, incomplete.partition("@")
    if not at:
        yield from registry.names()
    else:
        yield from (f"{name}@{each}" for each in (*registry.labels(name), *reversed(registry.versions(name))))


def _runs(session: Session, _: str) -> Iterator[str]:
    if session.wiring.store_status().schema:  # a store that is not there yet is not made for this
        yield "@last"
        yield from (run.id for run in session.wiring.store.runs(RUNS))


def _sides(session: Session, incomplete: str) -> Iterator[str]:
    yield from ("@baseline", *_runs(session, incomplete), *_prompts(session, incomplete))


suites = _completion(_suites)
prompts = _completion(_prompts)
runs = _completion(_runs)
sides = _completion(_sides)
models = _completion(lambda session, _: session.project.settings.models)
targets = _completion(lambda session, _: (*session.project.settings.models, *session.project.settings.routes))
routes = _completion(lambda session, _: session.project.settings.routes)
indexes = _completion(lambda session, _: session.project.settings.indexes)

RUN_HELP = "Id, the beginning of one, @last, @last~N or @baseline:SUITE."
SuitesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SUITE", help="Suite files, or their names in evals/; default: all.", autocompletion=suites),
]
SuiteArgument = Annotated[
    str, typer.Argument(metavar="SUITE", help="A suite file, or its name in evals/.", autocompletion=suites)
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP, autocompletion=runs)]
IndexArgument = Annotated[str | None, typer.Argument(metavar="INDEX", help="Default: the only index.", autocompletion=indexes)]
RouteArgument = Annotated[str, typer.Argument(help="Name under `routes:` of llmops.yaml.", autocompletion=routes)]
