"""Indexes and their chunks for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column
from rich.text import Text

from llmops.domain.retrieval import Chunk
from llmops.domain.words import many
from llmops.rag.chunking import HEADING_SEPARATOR
from llmops.rag.inspecting import SHORT_ID, IndexStatus
from llmops.reporting.quoted import Quoted
from llmops.reporting.safe import one_line, safe, unbroken
from llmops.reporting.tables import new_table
from llmops.settings.indexes import IndexSettings

STYLES = {"up to date": "green", "out of date": "yellow", "never built": "yellow", "files lost": "red", "vectors lost": "red"}
NAMES_SHOWN = 5
"""Documents that are named of each kind of change."""


def print_status(console: Console, status: IndexStatus, settings: IndexSettings) -> None:
    """One index: its state, its size, what it is made of, and what a build would do."""
    console.print(Text.assemble((safe(status.name), "bold"), ": ", (status.state, STYLES[status.state])))
    facts = status.facts
    if facts:
        size = f"{many(int(facts['documents']), 'document')}, {many(int(facts['chunks']), 'chunk')}, "
        size += f"generation {facts['generation']}, "
        _line(console, f"{size}{status.files_bytes / 2**20:.1f} MiB beside the vectors")
        _line(console, f"embedder {facts['embedder']}, {facts['dimensions']} dimensions")
    chunker = settings.chunker
    _line(console, f"chunker {chunker.kind}, {chunker.max_tokens} tokens, overlap {chunker.overlap}")
    _line(console, f"vectors in {settings.store.url or settings.store.path}")
    changes = status.changes
    if changes.everything:
        _line(console, f"a build embeds all documents: {changes.everything}", "yellow")
    for kind, names in (("added", changes.added), ("changed", changes.changed), ("removed", changes.removed)):
        if names and facts:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            _line(console, f"{kind}: {', '.join(names[:NAMES_SHOWN])}{more}", "yellow")
    for problem in status.problems:
        _line(console, f"left out: {problem}", "yellow")
    if status.state != "up to date":
        repair = " --repair" if status.state == "vectors lost" else ""
        _line(console, f"bring it up to date: llmops rag index {status.name}{repair}")


def print_passages(console: Console, document: str, chunks: Sequence[Chunk]) -> None:
    """How a document was cut: one row per chunk."""
    console.print(Text(f"{many(len(chunks), 'chunk')} of {unbroken(document)}", style="bold"), soft_wrap=True)
    table = new_table(Column("chunk", no_wrap=True), Column("characters", no_wrap=True), "text")
    for chunk in chunks:
        text = Text.assemble((f"{one_line(HEADING_SEPARATOR.join(chunk.headings), 80)}\n", "dim"), one_line(_body(chunk), 160))
        table.add_row(chunk.id[:SHORT_ID], f"{chunk.start}-{chunk.end}", Quoted(text))
    console.print(table)


def print_passage(console: Console, chunk: Chunk, neighbours: tuple[str | None, str | None]) -> None:
    """One chunk in full, with the chunks beside it."""
    console.print(Text(f"passage {unbroken(chunk.document)}:{chunk.start}-{chunk.end}", style="bold"), soft_wrap=True)
    before, after = (key[:SHORT_ID] if key else "none" for key in neighbours)
    _line(console, f"chunk {chunk.id}; before it {before}, after it {after}", "dim")
    console.print(Quoted(Text(safe(chunk.text)), 2))


def _body(chunk: Chunk) -> str:
    """The text without the heading path that a chunker put in front."""
    return chunk.text[-(chunk.end - chunk.start) :]


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(f"  {unbroken(text)}", style=style), soft_wrap=True)
