"""`llmops rag`: build an index and ask it; measuring, making and looking into one stand beside it."""

from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.engines import AddressOption, EngineOption, use_engine
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.rag_dataset import app as making
from llmops.cli.rag_diagnose import app as diagnosis
from llmops.cli.rag_eval import app as evaluation
from llmops.cli.rag_eval import only_index
from llmops.cli.rag_inspect import IndexOption
from llmops.cli.rag_inspect import app as inspection
from llmops.cli.rag_sweep import app as sweeping
from llmops.cli.session import Session
from llmops.domain.amounts import dollars
from llmops.domain.errors import UsageError
from llmops.domain.words import many
from llmops.reporting.safe import one_line, unbroken

app = typer.Typer(no_args_is_help=True, help="Build an index, ask it, and measure it.")


@app.command()
def index(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Default: every index.", autocompletion=completing.indexes)] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Embed again what the vector store has lost.")] = False,
    engine: EngineOption = "local",
    address: AddressOption = None,
) -> None:
    """Bring an index up to date with its corpus; only what changed is embedded."""
    session: Session = ctx.obj
    names = [name] if name else list(session.project.settings.indexes)
    if not names:
        raise UsageError("llmops.yaml has no `indexes`.", hint="Add one: indexes: {docs: {corpus: {paths: ['docs/**/*.md']}}}")
    use_engine(session, engine, address)
    for each in names:
        with ShownProgress(session.err) as progress:
            built, corpus = session.wiring.build_index(each, progress, repair=repair)
        for problem in corpus.problems:
            session.note(f"left out: {problem}")
        embedded = many(built.chunks_embedded, "chunk")
        done = f"{built.documents_changed} changed, {embedded} embedded, {built.chunks_removed} removed"
        total = f"{many(len(corpus.documents), 'document')}, {many(built.manifest.size, 'chunk')}"
        if built.vectors_reused:
            done += f", {many(built.vectors_reused, 'vector')} from the cache"
        left_out = f", {len(corpus.problems)} left out" if corpus.problems else ""
        session.out.print(f"{each}: {total}{left_out} ({done})", soft_wrap=True)
    for model, use in session.wiring.embedding.purse.embedding.items():
        took = f"{use.calls} requests, {use.input_tokens:,} tokens, {dollars(use.cost_usd)}"
        session.out.print(f"{unbroken(model)}: {took}", soft_wrap=True)


@app.command()
def query(
    ctx: typer.Context,
    text: Annotated[str, typer.Argument(help="What to search for.")],
    name: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Print the hits of a query with the score of each stage."""
    from rich.text import Text

    from llmops.rag.inspecting import SHORT_ID
    from llmops.reporting.quoted import Quoted

    session: Session = ctx.obj
    with ShownProgress(session.err) as progress:
        retriever = session.wiring.index(only_index(session, name)).open(progress)
        (written,) = retriever.written([text])
        (hits,) = retriever.search([written.query])
    if json:
        print_json(hits)
        return
    for rewritten in written.query.rewrites:
        session.out.print(Text(f"also searched for: {unbroken(rewritten)}", style="dim"), soft_wrap=True)
    for passage in written.query.passages:
        session.out.print(Text(f"and near: {one_line(passage, 240)}", style="dim"), soft_wrap=True)
    for rank, hit in enumerate(hits, start=1):
        scores = "  ".join(f"{stage} {score:.4g}" for stage, score in hit.scores.items())
        place = f"{unbroken(hit.source)}:{hit.start}-{hit.end}"
        session.out.print(Text.assemble((f"{rank}. {place}", "bold"), f"  {unbroken(hit.heading)}"), soft_wrap=True)
        chunk = f"chunk {hit.chunk[:SHORT_ID]}  " if hit.chunk else ""
        session.out.print(Text(f"   {chunk}{scores}", style="dim"))
        shown = Text(one_line(hit.text, 240))
        shown.highlight_words([word for word in text.split() if len(word) > 2], "bold yellow", case_sensitive=False)
        session.out.print(Quoted(shown, 3))
    if not hits:
        session.out.print("No hit.")


app.add_typer(evaluation)
app.add_typer(inspection)
app.add_typer(sweeping)
app.add_typer(diagnosis)
app.add_typer(making)
