"""Builds the indexes of a project: from a corpus on disk to a retriever that can be asked."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from llmops.domain.errors import UsageError
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, Progress, Reranker, Store, VectorMemory
from llmops.domain.queries import Query
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.words import many
from llmops.evaluation.batching import Batcher
from llmops.evaluation.judging.judges import Judges
from llmops.evaluation.planning import AskWriter
from llmops.rag.fusing import fusion_of
from llmops.rag.generations import generation_folder, load_chunks
from llmops.rag.indexing import Built, Indexer, writing
from llmops.rag.inspecting import Generation, IndexStatus, index_status, live_generation
from llmops.rag.loading import Corpus, fingerprint, load_corpus
from llmops.rag.manifests import Manifest, index_key, plan_changes
from llmops.rag.remembering import RememberingEmbedder
from llmops.rag.retrieving import Retriever, retrieval_identity
from llmops.rag.searching import vectors_lost
from llmops.settings.files import folder_or_name
from llmops.settings.indexes import IndexSettings
from llmops.wiring.queries import ProjectWriter


@record
class IndexParts:
    """What an index of a project is built with."""

    embedder: Embedder
    store: Store
    """Of its manifest."""
    root: Path
    """Of the project."""
    memory: VectorMemory | None = None
    """Passages that were embedded before; queries do not pass it."""
    writer: ProjectWriter | None = None
    """Of what models write for its queries."""
    corpus: Corpus | None = None
    """Of its settings, where it was loaded before."""


class ProjectIndex:
    """One index of the project, over the corpus as it stands now."""

    def __init__(self, name: str, settings: IndexSettings, parts: IndexParts) -> None:
        self.name = name
        self.settings = settings
        self.writer = parts.writer
        self._embedder = parts.embedder
        self._memory = parts.memory
        self._of_passages = parts.embedder if parts.memory is None else RememberingEmbedder(parts.embedder, parts.memory)
        self._store = parts.store
        self._root = parts.root
        self._loaded = parts.corpus
        self._folder = parts.root / ".llmops" / "indexes" / name

    @cached_property
    def corpus(self) -> Corpus:
        """The documents."""
        if self._loaded is not None:
            return self._loaded
        from llmops.adapters.documents.reader import FileReader

        return load_corpus(self.settings.corpus, self._root, FileReader(self._root / ".llmops" / "documents"))

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return fingerprint(self.corpus)

    @cached_property
    def key(self) -> str:
        """The content key that the index should have."""
        return index_key(self.settings, self._hashes, self._embedder.identity)

    @property
    def facts(self) -> dict[str, Any]:
        """What decides its hits."""
        told = self.settings.model_dump(mode="json", include={"chunker", "retrieve"})
        for stage in ("rewrite", "hyde"):  # one that is not used leaves no trace
            if told["retrieve"][stage] is None:
                del told["retrieve"][stage]
        told |= {"writer": self.writer.identity} if self.writer is not None else {}
        return {"documents": node_key("documents", 1, self._hashes), "embedder": self._embedder.identity, **told}

    @cached_property
    def _vectors(self) -> Any:  # noqa: ANN401 -- a VectorStore
        from llmops.adapters.chroma import ChromaStore

        return ChromaStore(self.settings.store, self._root, self.name, self._embedder.identity)

    @cached_property
    def _reranker(self) -> Reranker | None:
        """Loaded by the first query."""
        settings = self.settings.retrieve.rerank
        if settings is None:
            return None
        from llmops.adapters.cross_encoder import CrossEncoderReranker

        return CrossEncoderReranker(folder_or_name(settings.name, self._root), batch_size=settings.batch_size)

    def build(self, progress: Progress, *, repair: bool = False) -> Built:
        """Bring it up to date; `repair` embeds what the vector store has lost.

        Raises:
            RetrievalError: another process is building it, or the vector store cannot be used or is gone.
        """
        with writing(self._folder, self.name):
            indexer = Indexer(self.name, self.settings, self._of_passages, self._store, self._folder)
            built = indexer.build(self.corpus.documents, self._hashes, self._vectors, progress, repair=repair)
        while self._memory is not None and self._memory.notes:
            progress.note(self._memory.notes.pop(0))
        if built.manifest.size and not self._vectors.is_there():
            lost = len({chunk.vector_id for chunk in load_chunks(self._folder, self.key)})
            raise vectors_lost(lost, lost)
        return built

    def drop(self) -> None:
        """Remove it: its manifest, its vectors and its files.

        Raises:
            RetrievalError: another process is building it, or the vector store cannot be used.
        """
        with writing(self._folder, self.name):
            Indexer(self.name, self.settings, self._embedder, self._store, self._folder).drop(self._vectors)

    def status(self) -> IndexStatus:
        """How it stands against the corpus; its vectors are not opened.

        Raises:
            InvalidFiles: the corpus cannot be read.
        """
        manifest = Manifest.load(self._store, self.name)
        changes = plan_changes(manifest, self.settings, self._hashes, self._embedder)
        there = self._vectors.is_there()
        return index_status(self.name, manifest, changes, self._folder, self.corpus.problems, has_vectors=there)

    @cached_property
    def live(self) -> Generation:
        """The generation that was last built, whatever the corpus is by now.

        Raises:
            UsageError: the index was never built, or its files are lost.
        """
        return live_generation(self.name, Manifest.load(self._store, self.name), self._folder)

    def open(self, progress: Progress) -> Retriever:
        """The retriever over the current corpus; the index is built first when it is not up to date, or damaged.

        Raises:
            UsageError: `retrieve.where` leaves no chunk to search.
        """
        manifest = Manifest.load(self._store, self.name)
        chunks = load_chunks(self._folder, self.key)
        if manifest is None or manifest.key != self.key or len(chunks) != manifest.size:
            progress.note(f"building the index {self.name}: {many(len(self.corpus.documents), 'document')}")
            self.build(progress)
            chunks = load_chunks(self._folder, self.key)
        from llmops.adapters.bm25 import Bm25Index

        by_id = {chunk.id: chunk for chunk in chunks}
        lexical = Bm25Index(chunks, generation_folder(self._folder, self.key) / "bm25")
        how, fusion = self.settings.retrieve, fusion_of(self.settings)
        found = Retriever(how, self._embedder, self._vectors, lexical, by_id, fusion, self._reranker, self.writer)
        if how.where is not None and not found.among:
            hint = "Globs are held against document ids, such as the path of a file. A CSV file holds text: year: '2020'."
            message = f"`retrieve.where` of the index {self.name!r} leaves none of its {many(len(chunks), 'chunk')} to search."
            raise UsageError(message, hint=hint)
        return found

    def retrieval_identity(self, key: str) -> str:
        """Changes whenever the same query could give other hits from the generation with this key."""
        reranker, writer = (each.identity if each else "" for each in (self._reranker, self.writer))
        return retrieval_identity(key, self.settings.retrieve, fusion_of(self.settings), reranker, writer)


class IndexedRetriever:
    """Implements `AskRetriever`: its identity is read off the corpus, and the index is opened by the first query."""

    def __init__(self, index: ProjectIndex, progress: Progress, judges: Judges) -> None:
        """Args: `judges` has the calls of the run that asks."""
        self.writer: AskWriter | None = None if index.writer is None else index.writer.rewriter(judges)
        self.identity = index.retrieval_identity(index.key)
        self.facts: Mapping[str, Any] = index.facts
        self._index = index
        self._progress = progress
        self._opened: Retriever | None = None
        self._ask: Batcher[Query, tuple[Hit, ...]] = Batcher(self._retrieve)

    @property
    def documents(self) -> list[str]:
        """As the port."""
        return [document.id for document in self._index.corpus.documents]

    async def __call__(self, query: Query) -> tuple[Hit, ...]:
        """As the port."""
        return await self._ask(query)

    def _retrieve(self, queries: Sequence[Query]) -> list[tuple[Hit, ...]]:
        if self._opened is None:
            self._opened = self._index.open(self._progress)
        return self._opened.search(queries)
