"""`llmops rag eval`: measure how well an index finds what is relevant."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session, wiring_or_bare
from llmops.domain.errors import BudgetSpent, UsageError
from llmops.domain.measures import JudgedContexts
from llmops.domain.ports import Progress
from llmops.domain.records import record

if TYPE_CHECKING:
    from llmops.wiring import Wiring
    from llmops.workflows.rag_eval import Configuration, Ranked

app = typer.Typer()

EPILOG = examples("llmops rag eval manual", "llmops rag eval --beir scifact --config default --config bm25 --json")
DEPTHS = (1, 3, 5, 10)


@app.command("eval", epilog=EPILOG)
def evaluate(
    ctx: typer.Context,
    name: completing.IndexArgument = None,
    beir: Annotated[Path | None, typer.Option(help="Measure on this BEIR folder instead; needs no project.")] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", "-c", help="default, bm25, dense or, with --beir, an index of llmops.yaml; repeatable."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Labelled cases; default: those of the index's BEIR folder or suites.")
    ] = None,
    k: Annotated[
        list[int] | None, typer.Option("-k", min=1, help="Depth of the metrics; repeatable; default: 1, 3, 5, 10.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(help="A model that says how far the hits of every case help and suffice; needs no labels.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, callback=finite, help="Stop asking the judge once so many USD are spent; exit 5, resumable."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure how well an index finds what is relevant: recall, precision, nDCG, MRR and MAP with intervals, and timings."""
    from llmops.reporting.retrieval import print_measured
    from llmops.workflows.rag_eval import DEFAULT
    from llmops.workflows.retrieval_differences import against_first

    session: Session = ctx.obj
    depths, chosen = sorted(set(k or DEPTHS)), config or [DEFAULT]
    if budget is not None and judge is None:
        raise UsageError("--budget has no use without --judge: no model is asked.", hint="Leave one of them out.")
    if judge is not None and beir is not None:
        raise UsageError("--judge needs cases of a project.", hint="Leave --beir out, or --judge.")
    with ShownProgress(session.err) as progress:
        if beir is None:
            by = None if judge is None else Judging(judge, budget)
            found = _on_cases(session, only_index(session, name), dataset, chosen, (depths, progress, by))
        elif name is not None or dataset is not None:
            raise UsageError("--beir brings its own documents and labels.", hint="Leave the index and --dataset out.")
        else:
            found = _on_beir(session, session.start / beir, chosen, (depths, progress, None))
    measured, differences = [each.measured for each in found], against_first(found)
    if json:
        print_json({"configurations": measured, "differences": differences})
    else:
        print_measured(session.out, measured, differences, depths)
    if any(each.judged is not None and each.judged.stopped for each in measured):
        raise typer.Exit(BudgetSpent.exit_code)


@record
class Judging:
    """Who judges hits, and for how much."""

    model: str
    budget_usd: float | None


How = tuple[Sequence[int], Progress, Judging | None]


def only_index(session: Session, name: str | None) -> str:
    """The named index, or the project's only one.

    Raises:
        UsageError: no name is given, and there is not just one.
    """
    names = list(session.project.settings.indexes)
    if name is None and len(names) != 1:
        raise UsageError(f"Name an index: llmops.yaml has {', '.join(names) or 'none'}.")
    return name or names[0]


def _on_cases(session: Session, index: str, dataset: str | None, chosen: Sequence[str], how: How) -> "list[Ranked]":
    import asyncio

    from llmops.workflows.rag_eval import asked_cases, configurations, index_queries, labelled_queries, measure

    settings = session.project.index(index)
    found = configurations(index, settings, chosen, {})
    if how[2] is None:
        labelled = index_queries(index, settings, session.root, dataset)
        return [measure(each, labelled, *_with(session.wiring, how)) for each in found]
    cases = asked_cases(index, session.root, dataset)
    judged = asyncio.run(_judged(session.wiring, found, {key: text for key, (_, text) in cases.items()}, how))
    labelled = labelled_queries(cases)
    ranked = [measure(each, labelled, *_with(session.wiring, how)) for each, _ in zip(found, judged, strict=False)]
    done = zip(ranked, judged, strict=True)
    return [replace(each, measured=replace(each.measured, judged=told)) for each, told in done]


async def _judged(
    wiring: "Wiring", found: "Sequence[Configuration]", questions: Mapping[str, str], how: How
) -> list[JudgedContexts]:
    """Of each configuration, up to the one at which the budget is spent."""
    from llmops.evaluation.spending import Purse
    from llmops.workflows.rag_judge import judge_contexts

    _, progress, by = how
    assert by is not None
    judge, told = wiring.judges.judge(by.model), list[JudgedContexts]()
    if by.budget_usd is not None:
        wiring.judges.check_price(by.model)
    async with wiring.judges.running(purse=Purse(by.budget_usd)):
        for each in found:
            told.append(await judge_contexts(each, questions, judge, wiring, progress))
            if told[-1].stopped:
                break
    return told


def _on_beir(session: Session, folder: Path, chosen: Sequence[str], how: How) -> "list[Ranked]":
    """Indexes of a folder outside of the project are built aside and thrown away; the project keeps the vectors."""
    from llmops.settings.indexes import CorpusSettings, IndexSettings
    from llmops.settings.positions import Positions
    from llmops.settings.project import Project, ProjectSettings
    from llmops.wiring import Wiring
    from llmops.workflows.rag_eval import beir_queries, configurations, measure

    labelled = beir_queries(folder, session.start)
    base = IndexSettings(corpus=CorpusSettings(beir=str(folder.resolve())))
    own = wiring_or_bare(session).project.settings
    found = configurations("beir", base, chosen, own.indexes)
    with tempfile.TemporaryDirectory(prefix="llmops-rag-eval-") as aside:
        # The models are there for indexes whose queries are rewritten.
        settings = ProjectSettings(models=own.models, cache=own.cache)
        kept = session.wiring.embeddings if session.in_project else None
        wiring = Wiring(Project(Path(aside), settings, Positions("llmops.yaml", {})), embeddings=kept)
        try:
            return [measure(each, labelled, *_with(wiring, how)) for each in found]
        finally:
            wiring.close()


def _with(wiring: "Wiring", how: How) -> "tuple[Sequence[int], Wiring, Progress]":
    return how[0], wiring, how[1]
