"""`llmops rag sweep`: find a better configuration of an index."""

from pathlib import Path
from typing import Annotated, Any, cast

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.rag_eval import only_index
from llmops.cli.session import Session
from llmops.domain.errors import UsageError
from llmops.domain.sweeps import Sweep, SweepMetric
from llmops.reporting.safe import safe

app = typer.Typer()

EPILOG = examples("llmops rag sweep manual", "llmops rag sweep manual --space sweep.yaml --trials 30 --write")


@app.command(epilog=EPILOG)
def sweep(
    ctx: typer.Context,
    name: completing.IndexArgument = None,
    space: Annotated[Path | None, typer.Option(help="YAML file with the values to try; default: chunkers and sizes.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Try so many combinations, drawn at random.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    metric: Annotated[str, typer.Option(help="recall, ndcg or mrr of the context.")] = "recall",
    budget: Annotated[
        int | None, typer.Option(min=1, help="Tokens of context; default: of the current configuration, or the largest chunk.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Labelled cases; default: those of the suites that use the index.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the winner into llmops.yaml.")] = False,
    json: JsonOption = False,
) -> None:
    """Compare chunkers, sizes, embedders and ways to retrieve at an equal budget of context tokens."""
    from llmops.reporting.sweep import print_sweep
    from llmops.settings.positions import Positions
    from llmops.settings.space import DEFAULT, combinations, read_space
    from llmops.workflows.rag_eval import index_queries
    from llmops.workflows.sweep import Terms
    from llmops.workflows.sweep import sweep as swept

    session: Session = ctx.obj
    if metric not in ("recall", "ndcg", "mrr"):
        raise UsageError(f"--metric {metric!r} is none of recall, ndcg, mrr.")
    index = only_index(session, name)
    base = session.project.index(index)
    given = read_space(space, session.root) if space is not None else (DEFAULT, Positions("--space", {}))
    tried = combinations(*given[:1], base, given[1], trials=trials, seed=seed)
    labelled = index_queries(index, base, session.root, dataset)
    with ShownProgress(session.err) as progress:
        terms = Terms(cast(SweepMetric, metric), budget)
        found = swept(index, base, tried, labelled, terms, session.wiring, progress)
    if json:
        print_json(found)
    else:
        print_sweep(session.out, found)
    if write:
        _write(session, found, base)


def _write(session: Session, found: Sweep, base: Any) -> None:  # noqa: ANN401 -- IndexSettings
    from rich.text import Text

    from llmops.workflows.sweep import adopt

    if found.verdict in ("current", "worse"):
        session.err.print("llmops.yaml stays as it is.")
        return
    changes = adopt(found, base, session.root)
    told = ", ".join(f"{key}: {value}" for key, value in changes.items())
    session.err.print(Text(f"wrote llmops.yaml: {safe(told)}"), soft_wrap=True)
