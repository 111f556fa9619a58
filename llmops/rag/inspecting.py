"""What stands in an index: how it stands against its corpus, and the chunks of its live generation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from llmops.domain.errors import Problem, UsageError
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk
from llmops.rag.generations import generation_folder, has_generation, load_chunks
from llmops.rag.manifests import Changes, Manifest
from llmops.settings.validation import nearest

State = Literal["never built", "up to date", "out of date", "files lost", "vectors lost"]
SHORT_ID = 12
"""Characters of a chunk id that are shown; any unique beginning names a chunk."""


@record
class IndexStatus:
    """An index against its corpus as it is now."""

    name: str
    state: State
    changes: Changes
    """What a build would do."""
    problems: tuple[Problem, ...]
    """Files and lines of the corpus that are left out."""
    facts: Mapping[str, str | int]
    """Key, generation, embedder, dimensions, documents and chunks of the live generation; empty when there is none."""
    files_bytes: int
    """Size of its chunks and its BM25 index on disk; the vectors are not counted."""


def index_status(
    name: str,
    manifest: Manifest | None,
    changes: Changes,
    folder: Path,
    problems: Sequence[Problem],
    *,
    has_vectors: bool = True,
) -> IndexStatus:
    """Put together from the live generation and what a build would do.

    Args:
        name: of the index.
        manifest: of its live generation.
        changes: from `plan_changes`.
        folder: of the index's generations.
        problems: of its corpus.
        has_vectors: whether its vector store is there; it is not opened.
    """
    if manifest is None:
        return IndexStatus(name, "never built", changes, tuple(problems), {}, 0)
    state: State = "up to date" if changes.none else "out of date"
    if not has_vectors and changes.none:
        state = "vectors lost"
    if not has_generation(folder, manifest.key, manifest.size):
        state = "files lost"
    files = generation_folder(folder, manifest.key).rglob("*")
    size = sum(path.stat().st_size for path in files if path.is_file())
    return IndexStatus(name, state, changes, tuple(problems), manifest.facts(), size)


@record
class Generation:
    """The chunks of a complete index, readable without its vectors."""

    index: str
    key: str
    chunks: Mapping[str, Chunk]
    """By id."""
    documents: Mapping[str, tuple[str, ...]]
    """Chunk ids in their order, by document id."""

    def passages(self, place: str) -> list[Chunk]:
        """All chunks of a document, or the one chunk whose id begins so.

        Raises:
            UsageError: no document or chunk is called so, or several chunks are.
        """
        if place in self.documents:
            return [self.chunks[key] for key in self.documents[place]]
        found = [chunk for key, chunk in self.chunks.items() if place and key.startswith(place)]
        if not found:
            hint = nearest(place, self.documents) or "See what a query finds: llmops rag query TEXT"
            raise UsageError(f"The index {self.index!r} has no document or chunk {place!r}.", hint=hint)
        if len(found) > 1:
            raise UsageError(f"{len(found)} chunks of {self.index!r} begin with {place!r}.", hint="Type more of the id.")
        return found

    def neighbours(self, chunk: Chunk) -> tuple[str | None, str | None]:
        """Ids of the chunks before and after this one in its document."""
        keys = self.documents[chunk.document]
        at = keys.index(chunk.id)
        return keys[at - 1] if at else None, keys[at + 1] if at + 1 < len(keys) else None


def live_generation(name: str, manifest: Manifest | None, folder: Path) -> Generation:
    """The chunks that a query would search, whatever the corpus is by now.

    Args:
        name: of the index.
        manifest: of its live generation.
        folder: of the index's generations.

    Raises:
        UsageError: the index was never built, or its files are lost.
    """
    build = f"Build it: llmops rag index {name}"
    if manifest is None:
        raise UsageError(f"The index {name!r} was never built.", hint=build)
    chunks = {chunk.id: chunk for chunk in load_chunks(folder, manifest.key)}
    documents = {document: entry.chunks for document, entry in manifest.documents.items()}
    if any(key not in chunks for keys in documents.values() for key in keys):
        raise UsageError(f"Files of the index {name!r} are lost.", hint=build)
    return Generation(name, manifest.key, chunks, documents)
