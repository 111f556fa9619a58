"""Builds an index incrementally; readers see the old generation or the new one, never a part."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, Progress, Store, VectorStore
from llmops.domain.retrieval import Chunk, Document
from llmops.rag.chunking import CHUNKING_VERSION, Chunker
from llmops.settings.files import read_text, write_atomic
from llmops.settings.project import IndexSettings

INDEXING_VERSION = 1
BATCH = 128
"""Chunks that are embedded and written together: what a kill can cost."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One complete generation of an index; kept in the store."""

    key: str
    """Content key: corpus, chunker and embedder."""
    embedder: str
    documents: dict[str, str]
    """Content hash by document id."""
    chunks: dict[str, list[str]]
    """Chunk ids by document id."""

    @property
    def size(self) -> int:
        """Number of chunks."""
        return sum(len(ids) for ids in self.chunks.values())

    @classmethod
    def load(cls, store: Store, name: str) -> "Manifest | None":
        """The live generation of an index."""
        data: Any = store.manifest(name)
        return None if data is None else cls(**data)


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did."""

    manifest: Manifest
    documents_changed: int
    chunks_embedded: int
    chunks_removed: int


def index_key(settings: IndexSettings, documents: dict[str, str], embedder: str) -> str:
    """The content key of an index: equal documents, chunker and embedder give an equal index.

    Args:
        settings: of the index; where it is stored and how it is asked does not count.
        documents: content hash by document id.
        embedder: its identity.
    """
    chunker = settings.chunker.model_dump(mode="json")
    inputs = {"documents": documents, "chunker": chunker, "embedder": embedder, "chunking": CHUNKING_VERSION}
    return node_key("index", INDEXING_VERSION, inputs)


class Indexer:
    """Builds one index. The caller holds the index's lock."""

    def __init__(self, name: str, settings: IndexSettings, embedder: Embedder, store: Store, folder: Path) -> None:
        self._name = name
        self._settings = settings
        self._embedder = embedder
        self._store = store
        self._folder = folder

    def build(self, documents: Sequence[Document], hashes: dict[str, str], vectors: VectorStore, progress: Progress) -> Built:
        """Bring the index to the content of `documents`.

        New chunks enter under new ids, then the chunk file and the manifest switch, then old ids leave. What a killed
        build has embedded is found by its ids and not embedded again.
        """
        old = Manifest.load(self._store, self._name)
        key = index_key(self._settings, hashes, self._embedder.identity)
        kept = self._kept(old, hashes)
        chunker = Chunker(self._settings.chunker, self._embedder)
        chunks: dict[str, list[Chunk]] = {}
        for document in documents:
            chunks[document.id] = kept.get(document.id) or chunker.chunks(document)
        every = {chunk.id: chunk for some in chunks.values() for chunk in some}
        present = vectors.ids()
        missing = [chunk for chunk in every.values() if chunk.id not in present]
        self._embed(missing, vectors, progress)
        save_chunks(self._folder, key, list(every.values()))
        manifest = Manifest(key, self._embedder.identity, hashes, {d: [c.id for c in some] for d, some in chunks.items()})
        self._store.set_manifest(self._name, asdict(manifest))
        gone = [chunk_id for chunk_id in present if chunk_id not in every]
        vectors.delete(gone)
        drop_other_generations(self._folder, key)
        return Built(manifest, len(documents) - len(kept), len(missing), len(gone))

    def _kept(self, old: Manifest | None, hashes: dict[str, str]) -> dict[str, list[Chunk]]:
        """Chunks of unchanged documents, when the chunker and the embedder are those of the old generation."""
        if old is None or old.key != index_key(self._settings, old.documents, self._embedder.identity):
            return {}
        chunks = {chunk.id: chunk for chunk in load_chunks(self._folder, old.key)}
        same = [d for d, h in hashes.items() if old.documents.get(d) == h and all(c in chunks for c in old.chunks.get(d, ()))]
        return {document: [chunks[key] for key in old.chunks[document]] for document in same}

    def _embed(self, missing: Sequence[Chunk], vectors: VectorStore, progress: Progress) -> None:
        if not missing:
            return
        progress.started(f"embedding {self._name}", len(missing))
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            vectors.upsert(batch, self._embedder.embed([chunk.text for chunk in batch]))
            progress.advanced(start + len(batch))
        progress.finished()


def chunk_file(folder: Path, key: str) -> Path:
    """Where the chunks of a generation stand."""
    return folder / f"{key}.jsonl"


def save_chunks(folder: Path, key: str, chunks: Sequence[Chunk]) -> None:
    """Write the chunks of a generation."""
    write_atomic(chunk_file(folder, key), "".join(f"{json.dumps(asdict(chunk))}\n" for chunk in chunks))


def load_chunks(folder: Path, key: str) -> list[Chunk]:
    """The chunks of a generation; empty when its file is gone."""
    path = chunk_file(folder, key)
    if not path.is_file():
        return []
    rows = (json.loads(line) for line in read_text(path, folder, max_bytes=2**33).split("\n") if line)
    return [Chunk(**{**row, "headings": tuple(row["headings"])}) for row in rows]


def drop_other_generations(folder: Path, key: str) -> None:
    """Remove the files of generations that no manifest names any more."""
    for path in folder.glob("*.jsonl"):
        if path.stem != key:
            path.unlink(missing_ok=True)
