"""The one place that builds objects: from the settings of a project to models, indexes, detectors and the store."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.jobs import Part, Workshop
from llmops.domain.keys import node_key
from llmops.domain.models import Price
from llmops.domain.ports import ChatModel, Detector, Embedder, Progress, Reranker, Store
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Detection, DetectionRequest
from llmops.domain.stores import Copied, StoreStatus
from llmops.evaluation.batching import Batcher
from llmops.evaluation.evaluators.base import NO_LABELS, AskDetector, AskEmbedder, Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.judging.judges import Judges
from llmops.evaluation.planning import Route, Target
from llmops.evaluation.pool import Pool
from llmops.evaluation.remote import RemoteDetector, RemoteEmbedder, RemoteModel, ServedModel
from llmops.evaluation.runner import WIDTH
from llmops.prompting.registry import Registry
from llmops.prompting.template import PromptVersion
from llmops.rag.fusing import fusion_of
from llmops.rag.generations import generation_folder, load_chunks
from llmops.rag.indexing import Built, Indexer, writing
from llmops.rag.inspecting import Generation, IndexStatus, index_status, live_generation
from llmops.rag.loading import Corpus, fingerprint, load_corpus
from llmops.rag.manifests import Manifest, index_key, plan_changes
from llmops.rag.remembering import RememberingEmbedder
from llmops.rag.retrieving import Retriever, retrieval_identity
from llmops.routing.artefacts import MANIFEST, SavedRouter, load_manifest, load_router, router_identity
from llmops.routing.policies import Learned, policy_of
from llmops.settings.project import DEFAULT_STORE, EmbedderSettings, IndexSettings, ModelSettings, Project
from llmops.settings.routes import CheckedRoute, LearnedRoute
from llmops.settings.suite import evaluator_specs
from llmops.settings.validation import nearest
from llmops.workflows.prompt_use import ModelFacts
from llmops.workflows.rag_eval import OpenedIndex

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer

ROUTE_VERSION = 1
DETECTORS = ("hallucination", "toxicity")
BATCH_OF_JOB = 16
"""Requests that a detector on a worker takes at once: enough to fill the processor, few enough to share."""


class Wiring:
    """The objects of one project, each built when it is first needed."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.root: Path = project.root
        self._embedders: dict[str, Embedder] = {}
        self._remembering: dict[str, Embedder] = {}
        self._asking: dict[str, AskEmbedder] = {}
        self._detectors: dict[Part, AskDetector] = {}
        self._tokenizer: TiktokenTokenizer | None = None
        self._pool: Pool | None = None

    def use_ray(self, address: str | None, progress: Progress) -> None:
        """Have models, detectors and embedders work on a Ray cluster; waits for its first worker.

        Raises:
            MissingExtra: Ray is not installed.
            UsageError: there is no such cluster, or it cannot be used.
        """
        from llmops.adapters.ray_cluster import RayCluster

        cluster = RayCluster(address, Workshop(partial(Wiring, self._without_store()), self._keys()))
        self._pool = Pool(cluster.hire, cluster.cpus, progress.note)
        self._pool.ready()

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
        return WIDTH if self._pool is None else max(WIDTH, BATCH_OF_JOB * self._pool.size)

    @cached_property
    def store(self) -> Store:
        """The project's store."""
        from llmops.adapters.sql.store import open_store

        return open_store(self.project.settings.store, self.root)

    @property
    def cache_bytes(self) -> int | None:
        """How much may be kept for reuse; None: no bound."""
        bound = self.project.settings.cache.max_mb
        return None if bound is None else bound * 2**20

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
    def registry(self) -> Registry:
        """The project's prompts."""
        return Registry(self.root)

    @cached_property
    def services(self) -> Services:
        """What evaluators may ask."""
        return Services(self.root, self._detector, self._asking_embedder, self.judges.judge, self.judges.model, self.prompt)

    @cached_property
    def judges(self) -> Judges:
        """The project's models as judges."""
        return Judges(self._model_target, lambda: self.store)

    def prompt(self, reference: str) -> PromptVersion:
        """The version that a reference names."""
        return self.registry.resolve(reference)

    def target(self, name: str) -> Target:
        """The model or the route of that name, ready to be called.

        Raises:
            UsageError: no such name.
            InvalidFiles: a route whose checks or whose fitted router cannot be used.
        """
        return Target(name, f"route/{name}", None, route=self.route(name)) if self._is_route(name) else self._model_target(name)

    def _is_route(self, name: str) -> bool:
        if not self.project.known_target(name):
            routes = self.project.settings.routes
            known = nearest(name, [*self.project.settings.models, *routes])
            raise UsageError(f"No model{' or route' if routes else ''} is called {name!r}.", hint=known)
        return name in self.project.settings.routes

    def route(self, name: str) -> Route:
        """The policy of that name with the models that it chooses between.

        Raises:
            UsageError: no such route.
            InvalidFiles: its checks or its fitted router cannot be used.
        """
        settings = self.project.route(name)
        targets = {model: self._model_target(model) for model in settings.models}
        positions, at = self.project.positions, ("routes", name, "checks")
        specs = evaluator_specs(settings.checks, positions, at) if isinstance(settings, CheckedRoute) else ()
        checks = build_evaluators(specs, positions, self.services) if specs else []
        facts = {
            "settings": settings.model_dump(mode="json"),
            "models": {each.name: [each.identity, dict(each.params)] for each in targets.values()},
            "checks": [[each.evaluator.identity, each.limits, each.spec.common.negate] for each in checks],
            "router": router_identity(self.root / settings.router) if isinstance(settings, LearnedRoute) else "",
        }
        policy = policy_of(settings, lambda text: self._token_count(text), self._learned)
        return Route(node_key("route", ROUTE_VERSION, facts), policy, targets, tuple(checks))

    def _token_count(self, text: str) -> int:
        from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer

        if self._tokenizer is None:
            self._tokenizer = TiktokenTokenizer()
        return self._tokenizer.count(text)

    def _learned(self, settings: LearnedRoute) -> Learned:
        """A fitted router, read when the first decision is asked for."""
        folder = self.root / settings.router
        loaded: list[SavedRouter] = []
        head = load_manifest(folder, self.root)
        missing = set(head["models"]) ^ set(settings.models)
        if missing:
            found = f"was fitted over {', '.join(head['models'])}, and the route names {', '.join(settings.models)}."
            raise InvalidFiles([Problem(f"{settings.router}/{MANIFEST}", found, hint="Name the same models, or fit it again.")])

        def predict(text: str) -> tuple[list[float], bool]:
            if not loaded:
                loaded.append(load_router(folder, self.root))
            embedder = self.embedder(EmbedderSettings.model_validate({"kind": head["embedder"]}))
            return loaded[0].expected(text, embedder.embed([text])[0])

        weight = head["cost_weight"] if settings.cost_weight is None else settings.cost_weight
        return Learned(tuple(head["models"]), tuple(head["costs"]), weight, head["strong"], predict)

    def _model_target(self, name: str) -> Target:
        """The model of that name, ready to be called.

        Raises:
            UsageError: no such model.
        """
        settings = self.project.model(name)
        return Target(
            name,
            settings.id,
            self._asked_model(name),
            settings.params,
            self.price(name),
            min(settings.concurrency, self._processors) if settings.embedded else settings.concurrency,
            settings.max_retries,
            settings.timeout_s,
            rpm=settings.rpm,
            tpm=settings.tpm,
            endpoint=settings.api_base or ("" if settings.embedded else settings.id.partition("/")[0]),
        )

    def price(self, name: str) -> Price | None:
        """What a model costs: the project's own figure, else LiteLLM's table; None when neither knows."""
        settings = self.project.model(name)
        if settings.price is not None:
            return Price(**settings.price.model_dump())
        if settings.embedded:
            return None
        from llmops.adapters.price_table import listed_price

        return listed_price(settings.id)

    def facts(self, name: str) -> ModelFacts:
        """What is known of a configured model, or of a LiteLLM id, without asking it."""
        from llmops.adapters.message_tokens import message_counter
        from llmops.adapters.price_table import listed_price, listed_window

        configured = name in self.project.settings.models or "/" not in name
        settings = self.project.model(name) if configured else ModelSettings(id=name)
        counter = message_counter(settings)
        price = self.price(name) if configured else listed_price(name)
        window = settings.context_window or (None if settings.embedded else listed_window(settings.id))
        return ModelFacts(name, counter.count, counter.estimated, price, window)

    @property
    def _processors(self) -> int:
        return (os.cpu_count() or 1) if self._pool is None else self._pool.size

    def _asked_model(self, name: str) -> ChatModel:
        local = self.model(name)
        return local if self._pool is None else RemoteModel(local.identity, self._pool, Part("served_model", (name,)))

    def served_model(self, name: str) -> ServedModel:
        """A model as a worker has it."""
        return ServedModel(self.model(name))

    def model(self, name: str) -> ChatModel:
        """The client of a model, in this process.

        Raises:
            UsageError: no such model.
        """
        settings = self.project.model(name)
        if settings.embedded:
            from llmops.adapters.embedded_reader import EmbeddedReader

            large = settings.id.endswith("large")
            return EmbeddedReader(settings.id, self.embedder(EmbedderSettings()) if large else None)
        if self.transport(name) == "direct":
            from llmops.adapters.direct_model import DirectModel

            return DirectModel(name, settings)
        from llmops.adapters.litellm_model import LitellmModel

        return LitellmModel(name, settings)

    def transport(self, name: str) -> str:
        """How a model is asked: `embedded`, `direct` or `litellm`."""
        settings = self.project.model(name)
        if settings.embedded:
            return "embedded"
        from llmops.adapters.direct_model import speaks_openai

        direct = settings.transport == "direct" or (settings.transport == "auto" and speaks_openai(settings))
        return "direct" if direct else "litellm"

    def key_state(self, name: str) -> str:
        """Whether a model's key is set, never the key."""
        settings = self.project.model(name)
        if settings.embedded:
            return "not needed"
        from llmops.adapters.credentials import key_variable

        variable = key_variable(settings)
        if variable is None:
            return "not known"
        return f"{variable} is {'set' if os.environ.get(variable) else 'not set'}"

    def embedder(self, settings: EmbedderSettings) -> Embedder:
        """The embedder that the settings name; one object for equal settings."""
        key = settings.model_dump_json()
        if key not in self._embedders:
            local = _embedder(settings)
            if self._pool is not None and settings.kind != "litellm":  # one process asks an endpoint, so one keeps its limits
                local = RemoteEmbedder(local, self._pool, Part("embedder", (settings,)))
            self._embedders[key] = local
        return self._embedders[key]

    def _detector(self, kind: str, backend: str, labels: Mapping[str, str] = NO_LABELS) -> AskDetector:
        part = Part("detector", (kind, backend, tuple(sorted(labels.items()))))
        if part not in self._detectors:
            local = self.detector(*part.names)
            if self._pool is None:
                self._detectors[part] = BatchedDetector(local)
            else:
                remote = RemoteDetector(local, self._pool, part)
                self._detectors[part] = BatchedDetector(remote, max_batch=BATCH_OF_JOB, lanes=2 * self._pool.size)
        return self._detectors[part]

    def detector(self, kind: str, backend: str, labels: tuple[tuple[str, str], ...]) -> Detector:
        """A detector, in this process.

        Raises:
            UsageError: no such backend.
        """
        return _detector(self.root, kind, backend, dict(labels))

    def _asking_embedder(self, settings: EmbedderSettings) -> AskEmbedder:
        key = f"embedder {settings.model_dump_json()}"
        if key not in self._asking:
            self._asking[key] = BatchedEmbedder(self.embedder(settings))
        return self._asking[key]

    def retriever(self, index: str, progress: Progress) -> "IndexedRetriever":
        """The index of that name; built when it is first asked and not up to date."""
        return IndexedRetriever(self.index(index), progress)

    def build_index(self, index: str, progress: Progress, *, repair: bool = False) -> tuple[Built, Corpus]:
        """Bring an index up to date; `repair` looks for vectors that were lost, even when nothing has changed."""
        opened = self.index(index)
        return opened.build(progress, repair=repair), opened.corpus

    def open_index(self, name: str, settings: IndexSettings, progress: Progress) -> OpenedIndex:
        """An index with settings of its own, built when it is not up to date."""
        index = self.planned_index(name, settings)
        began = time.perf_counter()
        index.build(progress)
        return OpenedIndex(index.open(progress), len(index.corpus.documents), time.perf_counter() - began)

    def planned_index(
        self, name: str, settings: IndexSettings, *, remember: bool = False, corpus: Corpus | None = None
    ) -> "ProjectIndex":
        """An index with settings of its own, unopened; `remember` embeds no passage twice in this process.

        `corpus` is that of the settings where it was loaded before.
        """
        embedder = self.embedder(settings.embedder)
        if remember:
            embedder = self._remembering.setdefault(embedder.identity, RememberingEmbedder(embedder))
        return ProjectIndex(name, settings, embedder, self.local_store, self.root, corpus)

    def index(self, name: str) -> "ProjectIndex":
        """The index of that name, unopened.

        Raises:
            UsageError: no such index.
        """
        return self.planned_index(name, self.project.index(name))


class ProjectIndex:
    """One index of the project, over the corpus as it stands now."""

    def __init__(
        self,
        name: str,
        settings: IndexSettings,
        embedder: Embedder,
        store: Store,
        root: Path,
        corpus: Corpus | None = None,
    ) -> None:
        self.name = name
        self._loaded = corpus
        self.settings = settings
        self._embedder = embedder
        self._store = store
        self._root = root
        self._folder = root / ".llmops" / "indexes" / name

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

        return CrossEncoderReranker(settings.name, batch_size=settings.batch_size)

    def build(self, progress: Progress, *, repair: bool = False) -> Built:
        """Bring it up to date; `repair` embeds what the vector store has lost.

        Raises:
            RetrievalError: another process is building it, or the vector store cannot be used.
        """
        with writing(self._folder, self.name):
            indexer = Indexer(self.name, self.settings, self._embedder, self._store, self._folder)
            return indexer.build(self.corpus.documents, self._hashes, self._vectors, progress, repair=repair)

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
        return index_status(self.name, manifest, changes, self._folder, self.corpus.problems)

    @cached_property
    def live(self) -> Generation:
        """The generation that was last built, whatever the corpus is by now.

        Raises:
            UsageError: the index was never built, or its files are lost.
        """
        return live_generation(self.name, Manifest.load(self._store, self.name), self._folder)

    def open(self, progress: Progress) -> Retriever:
        """The retriever over the current corpus; the index is built first when it is not up to date."""
        manifest = Manifest.load(self._store, self.name)
        chunks = load_chunks(self._folder, self.key) if manifest is not None and manifest.key == self.key else []
        if not chunks:
            progress.note(f"building the index {self.name}: {len(self.corpus.documents)} documents")
            self.build(progress)
            chunks = load_chunks(self._folder, self.key)
        from llmops.adapters.bm25 import Bm25Index

        by_id = {chunk.id: chunk for chunk in chunks}
        lexical = Bm25Index(chunks, generation_folder(self._folder, self.key) / "bm25")
        how, fusion = self.settings.retrieve, fusion_of(self.settings)
        return Retriever(how, self._embedder, self._vectors, lexical, by_id, self.key, fusion, self._reranker)

    def retrieval_identity(self, key: str) -> str:
        """Changes whenever the same query could give other hits from the generation with this key."""
        reranker = self._reranker.identity if self._reranker else ""
        return retrieval_identity(key, self.settings.retrieve, fusion_of(self.settings), reranker)


class IndexedRetriever:
    """Implements `AskRetriever`: its identity is read off the corpus, and the index is opened by the first query."""

    def __init__(self, index: ProjectIndex, progress: Progress) -> None:
        self.identity = index.retrieval_identity(index.key)
        self.facts: Mapping[str, Any] = index.facts
        self._index = index
        self._progress = progress
        self._opened: Retriever | None = None
        self._ask: Batcher[str, tuple[Hit, ...]] = Batcher(self._retrieve)

    async def __call__(self, query: str) -> tuple[Hit, ...]:
        """As the port."""
        return await self._ask(query)

    def _retrieve(self, queries: Sequence[str]) -> list[tuple[Hit, ...]]:
        if self._opened is None:
            self._opened = self._index.open(self._progress)
        return self._opened.retrieve(queries)


class BatchedDetector:
    """Implements `AskDetector`."""

    def __init__(self, detector: Detector, *, max_batch: int = 64, lanes: int = 1) -> None:
        self._detector = detector
        self._ask: Batcher[DetectionRequest, Detection] = Batcher(detector.detect, max_batch=max_batch, lanes=lanes)

    @property
    def identity(self) -> str:
        """As the detector's."""
        return self._detector.identity

    async def __call__(self, request: DetectionRequest) -> Detection:
        """As the port."""
        return await self._ask(request)


class BatchedEmbedder:
    """Implements `AskEmbedder`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._ask: Batcher[str, NDArray[float32]] = Batcher(lambda texts: list(embedder.embed(texts)))

    @property
    def identity(self) -> str:
        """As the embedder's."""
        return self._embedder.identity

    async def __call__(self, text: str) -> "NDArray[float32]":
        """As the port."""
        return await self._ask(text)


def _detector(root: Path, kind: str, backend: str, labels: Mapping[str, str]) -> Detector:
    name, _, model = backend.partition(":")
    found = str(root / model) if model and (root / model).is_dir() else model
    if kind == "pii" and name == "presidio":
        from llmops.adapters.presidio_detector import DEFAULT_MODEL, PresidioDetector

        return PresidioDetector(found or DEFAULT_MODEL)
    if name == "local":
        from llmops.adapters.local_detectors import LocalDetector

        return LocalDetector(kind, found, labels)
    if backend != "embedded":
        raise UsageError(f"No detector backend is called {backend!r}.", hint=nearest(backend, ["embedded"]))
    from llmops.adapters.embedded_detectors import EmbeddedDetector

    return EmbeddedDetector(kind)


def _embedder(settings: EmbedderSettings) -> Embedder:
    builders: dict[str, Callable[[], Embedder]] = {
        "minilm": _minilm,
        "static": _static,
        "sentence-transformers": lambda: _sentence_transformers(settings),
        "litellm": lambda: _litellm(settings),
    }
    return builders[settings.kind]()


def _minilm() -> Embedder:
    from llmops.adapters.onnx_embedder import OnnxEmbedder

    return OnnxEmbedder()


def _static() -> Embedder:
    from llmops.adapters.static_embedder import StaticEmbedder

    return StaticEmbedder()


def _sentence_transformers(settings: EmbedderSettings) -> Embedder:
    from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder

    prefixes = (settings.query_prefix, settings.document_prefix)
    return SentenceTransformersEmbedder(str(settings.name), batch_size=settings.batch_size, prefixes=prefixes)


def _litellm(settings: EmbedderSettings) -> Embedder:
    from llmops.adapters.litellm_embedder import Calls, LitellmEmbedder

    prefixes = (settings.query_prefix, settings.document_prefix)
    calls = Calls(batch_size=settings.batch_size)
    return LitellmEmbedder(str(settings.name), api_base=settings.api_base, prefixes=prefixes, calls=calls)
