"""`llmops rag eval`: measure how well an index finds what is relevant."""

import json as jsonlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session, wiring_or_bare
from llmops.domain.errors import UsageError
from llmops.domain.measures import Measured
from llmops.domain.ports import Progress
from llmops.domain.serial import plain
from llmops.reporting.retrieval import print_measured
from llmops.settings.positions import Positions
from llmops.settings.project import CorpusSettings, IndexSettings, Project, ProjectSettings
from llmops.wiring import Wiring
from llmops.workflows.rag_eval import DEFAULT, beir_queries, case_queries, configurations, measure

app = typer.Typer()

EPILOG = "Examples:  llmops rag eval manual  ·  llmops rag eval --beir scifact --config default --config bm25 --json"
DEPTHS = (1, 3, 5, 10)


@app.command("eval", epilog=EPILOG)
def evaluate(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[INDEX]", help="Default: the only index.")] = None,
    beir: Annotated[Path | None, typer.Option(help="Measure on this BEIR folder instead; needs no project.")] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", help="default, bm25, dense or, with --beir, an index of llmops.yaml; repeatable."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Labelled cases; default: those of the suites that use the index.")
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("-k", min=1, help="Depth of the metrics; repeatable; default: 1, 3, 5, 10.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure how well an index finds what is relevant: recall, precision, nDCG, MRR and MAP with intervals, and timings."""
    session: Session = ctx.obj
    depths, chosen = sorted(set(k or DEPTHS)), config or [DEFAULT]
    with ShownProgress(session.err) as progress:
        if beir is None:
            measured = _on_cases(session, only_index(session, name), dataset, chosen, (depths, progress))
        elif name is not None or dataset is not None:
            raise UsageError("--beir brings its own documents and labels.", hint="Leave the index and --dataset out.")
        else:
            measured = _on_beir(session, session.start / beir, chosen, (depths, progress))
    if json:
        typer.echo(jsonlib.dumps({"configurations": [plain(each) for each in measured]}, indent=1))
    else:
        print_measured(session.out, measured, depths)


def only_index(session: Session, name: str | None) -> str:
    """The named index, or the project's only one.

    Raises:
        UsageError: no name is given, and there is not just one.
    """
    names = list(session.project.settings.indexes)
    if name is None and len(names) != 1:
        raise UsageError(f"Name an index: llmops.yaml has {', '.join(names) or 'none'}.")
    return name or names[0]


def _on_cases(
    session: Session, index: str, dataset: str | None, chosen: Sequence[str], how: tuple[Sequence[int], Progress]
) -> list[Measured]:
    settings = session.project.index(index)
    found = configurations(index, settings, chosen, {})
    labelled = case_queries(index, session.root, dataset)
    return [measure(each, labelled, *_with(session.wiring, how)) for each in found]


def _on_beir(session: Session, folder: Path, chosen: Sequence[str], how: tuple[Sequence[int], Progress]) -> list[Measured]:
    """Indexes of a folder outside of the project are built aside and thrown away."""
    labelled = beir_queries(folder, session.start)
    base = IndexSettings(corpus=CorpusSettings(beir=str(folder.resolve())))
    own = wiring_or_bare(session).project.settings
    found = configurations("beir", base, chosen, own.indexes)
    with tempfile.TemporaryDirectory(prefix="llmops-rag-eval-") as aside:
        # The models are there for indexes whose queries are rewritten.
        wiring = Wiring(Project(Path(aside), ProjectSettings(models=own.models), Positions("llmops.yaml", {})))
        try:
            return [measure(each, labelled, *_with(wiring, how)) for each in found]
        finally:
            wiring.store.close()


def _with(wiring: Wiring, how: tuple[Sequence[int], Progress]) -> tuple[Sequence[int], Wiring, Progress]:
    return how[0], wiring, how[1]
