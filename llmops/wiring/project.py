"""One project's objects, each built when it is first needed."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.domain.errors import UsageError
from llmops.domain.jobs import Part, Workshop
from llmops.domain.ports import NO_LABELS, ChatModel, Detector, Embedder, Progress, Store, VectorCache, VectorMemory
from llmops.domain.stores import Copied, StoreStatus
from llmops.rag.remembering import ProcessMemory
from llmops.settings.indexes import EmbedderSettings, IndexSettings
from llmops.settings.project import DEFAULT_STORE, Project

if TYPE_CHECKING:
    from llmops.evaluation.evaluators.base import AskDetector, AskEmbedder, Services
    from llmops.evaluation.judging.judges import Judges
    from llmops.evaluation.planning import Route, Target
    from llmops.evaluation.pool import Pool
    from llmops.evaluation.remote import ServedModel
    from llmops.evaluation.spending import EmbeddingMeter
    from llmops.prompting.registry import Registry
    from llmops.prompting.template import PromptVersion
    from llmops.rag.indexing import Built
    from llmops.rag.loading import Corpus
    from llmops.wiring.indexes import IndexedRetriever, ProjectIndex
    from llmops.wiring.models import Models
    from llmops.wiring.routes import Routes
    from llmops.workflows.prompt_use import ModelFacts
    from llmops.workflows.rag_eval import OpenedIndex

EMBEDDINGS = ".llmops/embeddings.db"
"""The vectors of passages, from the project's root."""
BATCH_OF_JOB = 16
"""Requests that a detector on a worker takes at once: enough to fill the processor, few enough to share."""


class Wiring:
    """The objects of one project, each built when it is first needed."""

    def __init__(self, project: Project, *, embeddings: VectorCache | None = None) -> None:
        """Build nothing yet.

        Args:
            project: its settings.
            embeddings: those of another project, to share them.
        """
        self.project = project
        if embeddings is not None:
            self.embeddings = embeddings
        self.root: Path = project.root
        self._embedders: dict[str, Embedder] = {}
        self._remembered = ProcessMemory()
        self._asking: dict[str, AskEmbedder] = {}
        self._detectors: dict[Part, AskDetector] = {}
        self._pool: Pool | None = None
        self._in_batch: int | None = None

    @cached_property
    def _routes(self) -> "Routes":
        from llmops.wiring.routes import Routes

        return Routes(self.project, self._model_target, self.embedder, lambda: self.services)

    def use_ray(self, address: str | None, progress: Progress) -> None:
        """Have models, detectors and embedders work on a Ray cluster; waits for its first worker.

        Raises:
            MissingExtra: Ray is not installed.
            UsageError: there is no such cluster, or it cannot be used.
        """
        from llmops.adapters.ray_cluster import RayCluster
        from llmops.evaluation.pool import Pool

        cluster = RayCluster(address, Workshop(partial(Wiring, self._without_store()), self._keys()))
        self._pool = Pool(cluster.hire, cluster.cpus, progress.note)
        self._pool.ready()

    def use_batches(self, most: int) -> None:
        """Have models asked in batches of their provider, where they can be, of so many requests at most."""
        self._in_batch = most

    def _without_store(self) -> Project:
        """The project as a worker needs it: only this process opens the store, whose URL may hold a password."""
        settings = self.project.settings.model_copy(update={"store": DEFAULT_STORE})
        return Project(self.root, settings, self.project.positions)

    def _keys(self) -> dict[str, str]:
        """The environment variables of the models' keys that are set."""
        from llmops.adapters.credentials import key_variable

        names = {key_variable(settings) for settings in self.project.settings.models.values()} | {"OPENAI_BASE_URL"}
        return {name: os.environ[name] for name in names if name is not None and name in os.environ}

    @property
    def width(self) -> int:
        """Cells in flight that keep the processors busy."""
        from llmops.evaluation.runner import WIDTH

        return WIDTH if self._pool is None else max(WIDTH, BATCH_OF_JOB * self._pool.size)

    @cached_property
    def store(self) -> Store:
        """The project's store."""
        from llmops.adapters.sql.store import open_store

        return open_store(self.project.settings.store, self.root)

    def close(self) -> None:
        """Release the files of what was opened; SQLite then folds its log into the one file."""
        for name in ("store", "local_store", "embeddings"):
            if name in vars(self):
                vars(self)[name].close()

    @property
    def cache_bytes(self) -> int | None:
        """How much may be kept for reuse; None: no bound."""
        bound = self.project.settings.cache.max_mb
        return None if bound is None else bound * 2**20

    @property
    def price_table(self) -> str:
        """Of the installed LiteLLM."""
        from importlib.metadata import version

        return f"LiteLLM {version('litellm')}"

    @property
    def embeddings_bytes(self) -> int:
        """How much room vectors of passages may take; 0: none are kept."""
        return self.project.settings.cache.embeddings_mb * 2**20

    @cached_property
    def embeddings(self) -> VectorCache:
        """Vectors of passages that were embedded before, whatever index they were for."""
        from llmops.adapters.sqlite_vectors import SqliteVectors

        return SqliteVectors(self.root / EMBEDDINGS, self.embeddings_bytes)

    def store_status(self) -> StoreStatus:
        """What is at the project's `store:`; nothing is made or migrated."""
        from llmops.adapters.sql.store import store_status

        return store_status(self.project.settings.store, self.root)

    def copy_store(self, source: str, target: str | None, progress: Progress) -> Copied:
        """Copy a store into another, by URL; None: into the project's own."""
        from llmops.adapters.sql.store import copy_store

        return copy_store(source, target or self.project.settings.store, self.root, progress)

    @cached_property
    def local_store(self) -> Store:
        """Holds the manifests of the indexes, whose files are on this machine: the store itself, unless it is on a server."""
        from llmops.adapters.sql.store import open_store

        local = self.project.settings.store.startswith("sqlite:")
        return self.store if local else open_store(DEFAULT_STORE, self.root)

    def write_parquet(self, path: Path, columns: Mapping[str, type], rows: Iterable[Sequence[object]]) -> None:
        """Write a table as a Parquet file.

        Raises:
            MissingExtra: the `parquet` extra is not installed.
            OSError: it cannot be written.
        """
        from llmops.adapters.parquet import write_parquet

        write_parquet(path, columns, rows)

    @cached_property
    def models(self) -> "Models":
        """The project's models, as this process asks them."""
        from llmops.wiring.models import Models

        return Models(self.project, self.embedder)

    @cached_property
    def registry(self) -> "Registry":
        """The project's prompts."""
        from llmops.prompting.registry import Registry

        return Registry(self.root)

    @cached_property
    def services(self) -> "Services":
        """What evaluators may ask."""
        from llmops.evaluation.evaluators.base import Services

        return Services(self.root, self._detector, self._asking_embedder, self.judges.judge, self.judges.model, self.prompt)

    @cached_property
    def embedding(self) -> "EmbeddingMeter":
        """What hosted embedders take."""
        from llmops.evaluation.spending import EmbeddingMeter

        return EmbeddingMeter()

    @cached_property
    def judges(self) -> "Judges":
        """The project's models as judges."""
        from llmops.evaluation.judging.judges import Judges

        return Judges(self._model_target, lambda: self.store)

    def prompt(self, reference: str) -> "PromptVersion":
        """The version that a reference names."""
        return self.registry.resolve(reference)

    def target(self, name: str) -> "Target":
        """The model or the route of that name, ready to be called.

        Raises:
            UsageError: no such name, or as `route_to_ask`.
            InvalidFiles: a route whose checks or whose fitted router cannot be used.
        """
        from llmops.evaluation.planning import Target

        if self.project.is_route(name):
            return Target(name, f"route/{name}", None, route=self.route_to_ask(name))
        return self._model_target(name)

    def route(self, name: str) -> "Route":
        """The policy of that name with the models that it chooses between.

        Raises:
            UsageError: no such route.
            InvalidFiles: its checks or its fitted router cannot be used.
        """
        return self._routes.route(name)

    def route_to_ask(self, name: str) -> "Route":
        """As `route`, for what is asked and paid, not replayed.

        Raises:
            UsageError: no such route, one that looks at what is spent over a model whose price is not known, or one that
                cannot be asked in batches.
            InvalidFiles: as `route`.
        """
        from llmops.evaluation.spending import check_prices
        from llmops.routing.policies import looks_back, weighs_cost

        found = self.route(name)
        if self._in_batch is not None and looks_back(found.policy):
            told = f"The route {name!r} looks at how the answers before fared, and those of a batch have none before them."
            raise UsageError(told, hint="Evaluate it without --batch.")
        if weighs_cost(found.policy):
            check_prices(found.targets.values(), f"The route {name!r}")
        return found

    def _model_target(self, name: str) -> "Target":
        """The model of that name, ready to be called.

        Raises:
            UsageError: no such model.
        """
        from llmops.evaluation.planning import Target

        settings = self.project.model(name)
        batches = None if self._in_batch is None else self.models.batches(name)
        at_once = settings.concurrency if batches is None or self._in_batch is None else self._in_batch
        return Target(
            name,
            settings.id,
            self._asked_model(name),
            settings.params,
            self.models.price(name),
            min(at_once, self._processors) if settings.embedded else at_once,
            settings.max_retries,
            settings.timeout_s,
            rpm=settings.rpm,
            tpm=settings.tpm,
            endpoint=settings.api_base or ("" if settings.in_process else settings.id.partition("/")[0]),
            batches=batches,
        )

    def check_model(self, name: str) -> None:
        """Raises InvalidFiles for a model of no provider."""
        self.models.check_provider(name)

    def facts(self, name: str) -> "ModelFacts":
        """What is known of a configured model, or of a LiteLLM id, without asking it."""
        return self.models.facts(name)

    @property
    def _processors(self) -> int:
        return (os.cpu_count() or 1) if self._pool is None else self._pool.size

    def _asked_model(self, name: str) -> ChatModel:
        local = self.models.client(name)
        if self._pool is None:
            return local
        from llmops.evaluation.remote import RemoteModel

        return RemoteModel(local.identity, self._pool, Part("served_model", (name,)))

    def served_model(self, name: str) -> "ServedModel":
        """A model as a worker has it."""
        from llmops.evaluation.remote import ServedModel

        return ServedModel(self.models.client(name))

    def embedder(self, settings: EmbedderSettings) -> Embedder:
        """The embedder that the settings name; one object for equal settings."""
        from llmops.wiring.embedders import build_embedder

        key = repr(settings)
        if key not in self._embedders:
            local = build_embedder(self.root, settings, self.embedding)
            if self._pool is not None and settings.kind != "litellm":  # one process asks an endpoint, so one keeps its limits
                from llmops.evaluation.remote import RemoteEmbedder

                local = RemoteEmbedder(local, self._pool, Part("embedder", (settings,)))
            self._embedders[key] = local
        return self._embedders[key]

    def _detector(self, kind: str, backend: str, labels: Mapping[str, str] = NO_LABELS) -> "AskDetector":
        from llmops.wiring.detectors import BatchedDetector

        part = Part("detector", (kind, backend, tuple(sorted(labels.items()))))
        if part not in self._detectors:
            local = self.detector(*part.names)
            if self._pool is None:
                self._detectors[part] = BatchedDetector(local)
            else:
                from llmops.evaluation.remote import RemoteDetector

                remote = RemoteDetector(local, self._pool, part)
                self._detectors[part] = BatchedDetector(remote, max_batch=BATCH_OF_JOB, lanes=2 * self._pool.size)
        return self._detectors[part]

    def detector(self, kind: str, backend: str, labels: tuple[tuple[str, str], ...]) -> Detector:
        """A detector, in this process.

        Raises:
            UsageError: no such backend.
        """
        from llmops.wiring.detectors import build_detector

        return build_detector(self.root, kind, backend, dict(labels))

    def _asking_embedder(self, settings: EmbedderSettings) -> "AskEmbedder":
        from llmops.wiring.embedders import BatchedEmbedder

        key = repr(settings)
        if key not in self._asking:
            self._asking[key] = BatchedEmbedder(self.embedder(settings))
        return self._asking[key]

    def retriever(self, index: str, progress: Progress) -> "IndexedRetriever":
        """The index of that name; built when it is first asked and not up to date."""
        from llmops.wiring.indexes import IndexedRetriever

        return IndexedRetriever(self.index(index), progress, self.judges)

    def build_index(self, index: str, progress: Progress, *, repair: bool = False) -> "tuple[Built, Corpus]":
        """Bring an index up to date; `repair` looks for vectors that were lost, even when nothing has changed."""
        opened = self.index(index)
        return opened.build(progress, repair=repair), opened.corpus

    def open_index(self, name: str, settings: IndexSettings, progress: Progress) -> "OpenedIndex":
        """An index with settings of its own, built when it is not up to date."""
        from llmops.workflows.rag_eval import OpenedIndex

        index = self.planned_index(name, settings)
        began = time.perf_counter()
        index.build(progress)
        return OpenedIndex(index.open(progress), len(index.corpus.documents), time.perf_counter() - began)

    def planned_index(
        self, name: str, settings: IndexSettings, *, remember: bool = False, corpus: "Corpus | None" = None
    ) -> "ProjectIndex":
        """An index with settings of its own, unopened; `remember` embeds no passage twice in this process.

        `corpus` is that of the settings where it was loaded before.
        """
        from llmops.wiring.indexes import IndexParts, ProjectIndex
        from llmops.wiring.queries import ProjectWriter

        embedder = self.embedder(settings.embedder)
        memory: VectorMemory | None = self._remembered if remember else None
        if embedder.costly and self.embeddings_bytes:
            memory = self.embeddings
        asks = settings.retrieve.rewrite or settings.retrieve.hyde
        writer = ProjectWriter(settings.retrieve, self._model_target, self.prompt, lambda: self.store) if asks else None
        parts = IndexParts(embedder, self.local_store, self.root, memory, writer, corpus)
        return ProjectIndex(name, settings, parts)

    def index(self, name: str) -> "ProjectIndex":
        """The index of that name, unopened.

        Raises:
            UsageError: no such index.
        """
        return self.planned_index(name, self.project.index(name))
