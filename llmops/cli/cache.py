"""`llmops cache`: look at what is kept for reuse, bound it, carry it elsewhere, and check it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.cli.writing import write_file
from llmops.domain.caching import Removed
from llmops.domain.errors import UsageError
from llmops.domain.runs import NODE_KINDS
from llmops.domain.words import many
from llmops.reporting.safe import safe

app = typer.Typer(no_args_is_help=True, help="Look at what is kept for reuse, bound it, carry it elsewhere, check it.")

MIB = 2**20
MOST = 1e9
"""MiB, a petabyte."""
MOST_DAYS = 36_500
"""A century."""
EMBEDDINGS = "embed"
"""Vectors of passages, which have a file of their own."""
CLEARED = (*NODE_KINDS, EMBEDDINGS)
SHOWN = 20
"""Broken nodes that are named."""


@app.command("list")
def list_nodes(ctx: typer.Context, json: JsonOption = False) -> None:
    """Show how much is kept of each kind, and when it was last used."""
    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    kept, bound = session.wiring.store.cache.kept(), session.wiring.cache_bytes
    vectors, room = session.wiring.embeddings.kept(), session.wiring.embeddings_bytes
    if json:
        print_json({"kinds": kept, "max_bytes": bound, "embeddings": vectors, "max_embeddings_bytes": room})
        return
    _tell_notes(session)
    table = new_table("kind", "nodes", "MiB", "last used (UTC)")
    for each in (*kept, *([vectors] if vectors else [])):
        used = f"{each.oldest[:16]} to {each.newest[:16]}".replace("T", " ")
        table.add_row(each.kind, f"{each.nodes:,}", f"{each.bytes / MIB:,.1f}", used)
    session.out.print(table if table.rows else "Nothing is kept yet.")
    total = sum(each.bytes for each in kept) / MIB
    limit = f"at most {bound / MIB:,.0f}" if bound is not None else "no bound: `cache: {max_mb: ...}` in llmops.yaml sets one"
    session.out.print(f"{total:,.1f} MiB, {limit}")
    if vectors is not None:
        session.out.print(f"{vectors.bytes / MIB:,.1f} MiB of vectors (embed), in a file of at most {room / MIB:,.0f}")


@app.command()
def prune(
    ctx: typer.Context,
    max_mb: Annotated[
        float | None,
        typer.Option(
            "--max-mb", min=0, max=MOST, callback=finite, help="Keep so many MiB, the last used; default: llmops.yaml's."
        ),
    ] = None,
    unused_days: Annotated[
        float | None,
        typer.Option("--unused-days", min=0, max=MOST_DAYS, callback=finite, help="Remove what was not used for so many days."),
    ] = None,
) -> None:
    """Remove what was not used for longest. What a run that is going on may need stays."""
    session: Session = ctx.obj
    cache, bound = session.wiring.store.cache, session.wiring.cache_bytes
    if max_mb is not None:
        bound = int(max_mb * MIB)
    if bound is None and unused_days is None:
        raise UsageError("There is no bound to prune to.", hint="Name one: --max-mb 500, --unused-days 30, or `cache:`.")
    if unused_days is not None:
        before = datetime.now(UTC) - timedelta(days=unused_days)
        _tell(session, cache.remove(before=before))
        _tell_vectors(session, session.wiring.embeddings.remove(before=before))
    if bound is not None:
        _tell(session, cache.evict(bound))
    cache.compact()


@app.command()
def clear(
    ctx: typer.Context,
    kind: Annotated[list[str] | None, typer.Option(help=f"Only this kind: {', '.join(CLEARED)}; repeatable.")] = None,
) -> None:
    """Remove everything that is kept for reuse; runs, reports and indexes stay."""
    from llmops.settings.validation import nearest

    session: Session = ctx.obj
    for each in kind or ():
        if each not in CLEARED:
            raise UsageError(f"--kind {each!r} is no kind of node.", hint=nearest(each, CLEARED))
    if kind is None or EMBEDDINGS in kind:
        _tell_vectors(session, session.wiring.embeddings.remove())
    nodes = [each for each in kind or NODE_KINDS if each != EMBEDDINGS]
    if nodes:
        _tell(session, session.wiring.store.cache.remove(nodes))
        session.wiring.store.cache.compact()


@app.command()
def export(ctx: typer.Context, file: Annotated[Path, typer.Argument(help="JSONL; replaced whole when it exists.")]) -> None:
    """Write everything that is kept to a file, for another machine or job."""
    from llmops.workflows.cache import exported

    session: Session = ctx.obj
    write_file(file, exported(session.wiring.store.cache))
    session.err.print(f"wrote {file}", soft_wrap=True)


@app.command("import")
def import_file(ctx: typer.Context, file: Annotated[Path, typer.Argument(help="As `cache export` writes it.")]) -> None:
    """Take what another store has exported; a file with a problem is refused whole."""
    from llmops.workflows.cache import import_nodes

    session: Session = ctx.obj
    done = import_nodes(session.wiring.store.cache, file, session.root)
    session.out.print(f"{many(done.new, 'node')} imported, {done.known:,} known already")
    if session.wiring.cache_bytes is not None:
        _tell(session, session.wiring.store.cache.evict(session.wiring.cache_bytes))


@app.command("verify")
def verify_nodes(
    ctx: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is broken; the next run computes it again.")] = False,
) -> None:
    """Read every node as a run would; exit 1 when one is broken."""
    from rich.text import Text

    from llmops.workflows.cache import verify

    session: Session = ctx.obj
    found = verify(session.wiring.store.cache)
    for key, reason in list(zip(found.broken, found.reasons, strict=True))[:SHOWN]:
        session.out.print(Text(f"{key[:12]}: {safe(reason)}"), soft_wrap=True)
    session.out.print(f"{many(found.nodes, 'node')} read, {len(found.broken):,} of them broken")
    if remove:
        session.wiring.store.cache.drop(found.broken)
        session.out.print(f"{many(len(found.broken), 'node')} removed")
    elif found.broken:
        session.out.print("Remove them: llmops cache verify --remove")
        raise typer.Exit(1)


def _tell(session: Session, done: Removed) -> None:
    session.out.print(f"{many(done.nodes, 'node')} removed, {done.bytes / MIB:,.1f} MiB; {done.left / MIB:,.1f} MiB are left")
    if done.busy:
        session.out.print(f"{many(done.busy, 'node')} left: a run that is going on may need them")


def _tell_vectors(session: Session, done: Removed) -> None:
    if done.nodes:
        told = f"{done.nodes:,} vectors removed, {done.bytes / MIB:,.1f} MiB; {done.left / MIB:,.1f} MiB are left"
        session.out.print(told)
    _tell_notes(session)


def _tell_notes(session: Session) -> None:
    """Faults of the file of vectors."""
    while session.wiring.embeddings.notes:
        session.note(session.wiring.embeddings.notes.pop(0))
