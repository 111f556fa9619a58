"""Builds an index incrementally; readers see the old generation or the new one, never a part."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from llmops.domain.errors import RetrievalError
from llmops.domain.ports import Embedder, Progress, Store, VectorStore
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk, Document
from llmops.rag.chunking import Chunker
from llmops.rag.generations import drop_generations, has_generation, load_chunks, save_chunks
from llmops.rag.manifests import Entry, Manifest, index_key, reusable
from llmops.rag.remembering import reused_by
from llmops.settings.indexes import IndexSettings

BATCH = 256
"""Chunks that are embedded and written together: what a kill can cost."""
LOCK_WAIT_S = 5.0


class IndexVectors(VectorStore, Protocol):
    """A vector store that an index is built in."""

    def describe(self, facts: Mapping[str, str | int]) -> None:
        """Keep a few facts beside the vectors, for whoever looks at the vector store alone."""
        ...

    def drop_others(self) -> None:
        """Remove what this index kept under other embedders, or as an older llmops laid it out."""
        ...

    def drop(self) -> None:
        """Remove all that this index kept, under any embedder."""
        ...


@record
class Built:
    """What a build did."""

    manifest: Manifest
    documents_changed: int
    """Documents that were cut anew."""
    chunks_embedded: int
    """Chunks with equal texts count as one: the first is embedded for all."""
    chunks_removed: int
    """Those whose text no document holds any more."""
    vectors_reused: int = 0
    """Of further chunks that are new: a text that was embedded before, for whatever index, was not embedded again."""


class Indexer:
    """Builds one index. One writer at a time: `build` runs while `writing` holds the index's folder."""

    def __init__(self, name: str, settings: IndexSettings, embedder: Embedder, store: Store, folder: Path) -> None:
        """Remember the parts; nothing is opened.

        Args:
            name: of the index in llmops.yaml.
            settings: of the index.
            embedder: that its settings name.
            store: where the manifest is kept.
            folder: of this index alone; holds the chunks of its generations.
        """
        self._name = name
        self._settings = settings
        self._embedder = embedder
        self._store = store
        self._folder = folder

    def build(
        self,
        documents: Sequence[Document],
        hashes: Mapping[str, str],
        vectors: IndexVectors,
        progress: Progress,
        *,
        repair: bool = False,
    ) -> Built:
        """Bring the index to the content of `documents`; an index that has it is left alone, its vectors unopened.

        New chunks enter under new ids, then the chunk file and the manifest switch, then old ids leave. What a killed
        build has embedded is found by its ids and not embedded again.

        Args:
            documents: the whole corpus.
            hashes: content hash by document id.
            vectors: the index's vectors under this embedder.
            progress: told of each batch.
            repair: look into the vector store even when nothing has changed, and embed what it misses.

        Raises:
            UsageError: the chunker does not fit the embedder.
            RetrievalError: the vector store or the folder cannot be written, or the embedder gives no usable vectors.
        """
        old = Manifest.load(self._store, self._name)
        key = index_key(self._settings, hashes, self._embedder.identity)
        if old is not None and old.key == key and not repair and has_generation(self._folder, key, old.size):
            return Built(old, 0, 0, 0)
        kept = self._kept(old, hashes)
        chunks = self._cut(documents, kept, progress)
        every = {chunk.id: chunk for some in chunks.values() for chunk in some}
        passages: dict[str, Chunk] = {}
        for chunk in every.values():
            passages.setdefault(chunk.vector_id, chunk)
        present = vectors.ids()
        missing = [chunk for key, chunk in passages.items() if key not in present]
        reused = self._embed(missing, vectors, progress)
        save_chunks(self._folder, key, list(every.values()))
        entries = {name: Entry(hashes[name], tuple(chunk.id for chunk in some)) for name, some in chunks.items()}
        number = old.generation + 1 if old else 1
        manifest = Manifest(key, number, self._embedder.identity, self._dimensions(missing, old), entries)
        manifest.save(self._store, self._name)
        gone = sorted(present - passages.keys())
        self._clean(vectors, gone, manifest, old)
        return Built(manifest, len(documents) - len(kept), len(missing) - reused, len(gone), reused)

    def drop(self, vectors: IndexVectors) -> None:
        """Remove the index: readers lose it first, then its vectors and its files go.

        A drop that is killed is made good by the same command or by the next build.

        Raises:
            RetrievalError: the vector store cannot be used.
        """
        self._store.set_manifest(self._name, None)
        vectors.drop()
        drop_generations(self._folder, [])

    def _kept(self, old: Manifest | None, hashes: Mapping[str, str]) -> dict[str, list[Chunk]]:
        """Chunks of unchanged documents, when the chunker and the embedder are those of the old generation."""
        old = reusable(old, self._settings, self._embedder)
        if old is None:
            return {}
        chunks = {chunk.id: chunk for chunk in load_chunks(self._folder, old.key)}
        kept: dict[str, list[Chunk]] = {}
        for name, entry in old.documents.items():
            if hashes.get(name) == entry.hash and all(key in chunks for key in entry.chunks):
                kept[name] = [chunks[key] for key in entry.chunks]
        return kept

    def _cut(
        self, documents: Sequence[Document], kept: Mapping[str, list[Chunk]], progress: Progress
    ) -> dict[str, list[Chunk]]:
        """Chunks of all documents, by document id."""
        chunker = Chunker(self._settings.chunker, self._embedder)
        found: dict[str, list[Chunk]] = {}
        progress.started(f"cutting {self._name}", len(documents))
        for number, document in enumerate(documents, start=1):
            found[document.id] = kept[document.id] if document.id in kept else chunker.chunks(document)
            progress.advanced(number)
        progress.finished()
        return found

    def _dimensions(self, embedded: Sequence[Chunk], old: Manifest | None) -> int:
        """Of the vectors; a hosted model that had nothing to embed is not asked for them."""
        if not embedded and old is not None and old.embedder == self._embedder.identity:
            return old.dimensions
        return self._embedder.dimensions

    def _embed(self, missing: Sequence[Chunk], vectors: VectorStore, progress: Progress) -> int:
        """Embed and write chunks; the number of those whose text did not have to be embedded."""
        if not missing:
            return 0
        before = reused_by(self._embedder)
        progress.started(f"embedding {self._name}", len(missing))
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            found = self._embedder.embed([chunk.text for chunk in batch])
            expected = (len(batch), self._embedder.dimensions)
            if found.shape != expected or not (abs(found) <= 2).all():
                message = (
                    f"The embedder {self._embedder.identity!r} gave vectors of shape {found.shape}; {expected} was expected."
                )
                if found.shape == expected:
                    message = f"The embedder {self._embedder.identity!r} gave vectors that are not of length 1."
                raise RetrievalError(message, hint="Nothing was switched: the last complete index stays.")
            vectors.upsert(batch, found)
            progress.advanced(start + len(batch))
        progress.finished()
        return reused_by(self._embedder) - before

    def _clean(self, vectors: IndexVectors, gone: Sequence[str], manifest: Manifest, old: Manifest | None) -> None:
        """Remove what the new generation does not need; a kill before this is made good by the next build."""
        vectors.delete(gone)
        vectors.describe(manifest.facts())
        if old is not None and reusable(old, self._settings, self._embedder) is None:
            vectors.drop_others()
        drop_generations(self._folder, [manifest.key])


@contextmanager
def writing(folder: Path, name: str, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the folder of an index against other writers; a killed process lets go of it.

    Args:
        folder: of the index.
        name: of the index, for the message.
        wait_s: seconds to wait for another writer.

    Raises:
        RetrievalError: another process is writing, or the folder cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "writing.lock", timeout=wait_s)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        hint = "Wait for it to end, then run the same command again; readers keep the last complete index."
        raise RetrievalError(f"Another process is building the index {name!r}.", hint=hint) from error
    except OSError as error:
        raise RetrievalError(f"The folder {str(folder)!r} cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()
