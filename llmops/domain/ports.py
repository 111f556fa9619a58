"""The seams: what llmops needs from the outside. Calls over a network are async; CPU-bound work takes a batch.

`identity` is a text that changes whenever the object could give another result for the same input; it counts into node
keys. Implementations live in `llmops.adapters`, one vendor per file, and raise only errors of `llmops.domain.errors`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

from llmops.domain.batches import Batch
from llmops.domain.caching import Kept, Removed
from llmops.domain.errors import ModelError
from llmops.domain.jobs import Job
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.queries import Written
from llmops.domain.retrieval import Chunk
from llmops.domain.runs import CellResult, Claimed, Node, Run, RunStatus
from llmops.domain.scores import Detection, DetectionRequest, Outcome, Sample


class ChatModel(Protocol):
    """Answers a chat, one attempt per call: retries belong to the runner."""

    identity: str

    @property
    def resumes_at(self) -> float:
        """`time.monotonic()` from when the provider takes requests again, as its last answer said; in the past: now."""
        ...

    async def complete(self, request: CompletionRequest) -> Completion:
        """Send one request.

        Raises:
            ModelError: no usable answer; its class says whether another try may help.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class ChatBatches(Protocol):
    """Has a provider answer many chats together; one attempt per call, as of a `ChatModel`."""

    def encoded(self, id: str, request: CompletionRequest) -> bytes:
        """A request as a line of what is handed over, under an id of ours."""
        ...

    async def upload(self, lines: bytes) -> str:
        """Hand over encoded requests, which begins and costs nothing; an id for them.

        Raises:
            ModelError: they were not taken.
        """
        ...

    async def begin(self, upload: str) -> Batch:
        """Have what was handed over worked on.

        Raises:
            ModelError: it is not.
        """
        ...

    async def find(self, upload: str) -> Batch | None:
        """The batch that was begun with an upload; None: there is none, or no more.

        Raises:
            ModelError: nothing was told.
        """
        ...

    async def state(self, batch: Batch) -> Batch:
        """How it stands now.

        Raises:
            ModelError: nothing was told.
        """
        ...

    async def answers(self, batch: Batch) -> dict[str, Completion | ModelError]:
        """What came of the requests of a batch that has ended, by our ids; those that are missing were not worked on.

        Raises:
            ModelError: nothing was told.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class Tokenizer(Protocol):
    """Counts tokens as one embedder or model does."""

    def count(self, text: str) -> int:
        """Number of tokens, special tokens not included."""
        ...

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Character span of each token, in order."""
        ...


class DocumentReader(Protocol):
    """Turns the files of a corpus into text."""

    def text(self, name: str, data: bytes) -> str:
        """The text of a file, its headings written as Markdown's.

        Args:
            name: path from the project's root; its ending says what the file is.
            data: the content.

        Raises:
            InvalidFiles: the file cannot be read, and why.
            MissingExtra: what reads such files is not installed.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors of length 1."""

    @property
    def identity(self) -> str:
        """Changes whenever the same text could get another vector."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Window, special tokens included; longer texts lose their end."""
        ...

    @property
    def tokenizer(self) -> Tokenizer:
        """Counts as this embedder does."""
        ...

    @property
    def costly(self) -> bool:
        """Computing a vector takes longer than reading one from a disk, or costs money."""
        ...

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """Unit vectors, shape (len(texts), dimensions), float32."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`, for questions: models trained with prefixes treat them differently."""
        ...


class EmbeddingAccount(Protocol):
    """Pays for the requests of one hosted embedder, which makes several at a time, each in a thread."""

    def check(self) -> None:
        """Raise when nothing more may be sent; asked before a batch of texts, whose requests all are sent."""
        ...

    def pay(self, usage: Usage, seconds: float) -> None:
        """Take what an answered request took."""
        ...


class VectorMemory(Protocol):
    """Keeps the vectors of passages beyond the index that they were made for. A fault of it costs time, never a result."""

    notes: list[str]
    """What the user should know of faults; whoever tells one takes it out."""

    def find(self, embedder: str, texts: Sequence[str]) -> "dict[str, NDArray[float32]]":
        """The vectors that are known among those of `texts`, by text.

        Args:
            embedder: identity of the embedder.
            texts: the passages.
        """
        ...

    def keep(self, embedder: str, vectors: "Mapping[str, NDArray[float32]]") -> None:
        """Remember unit vectors, by text."""
        ...


class VectorCache(VectorMemory, Protocol):
    """A memory that outlasts the process."""

    def kept(self) -> Kept | None:
        """How much there is; None: nothing."""
        ...

    def remove(self, *, before: datetime | None = None) -> Removed:
        """Remove all vectors; with `before`, those that were not used since."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class VectorStore(Protocol):
    """Keeps the vectors of one index by `Chunk.vector_id`: many equal points would hide others from a search."""

    def upsert(self, chunks: Sequence[Chunk], vectors: "NDArray[float32]") -> None:
        """Write the vectors of chunks with different texts; an id that exists is replaced."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are ignored."""
        ...

    def ids(self) -> set[str]:
        """Ids of all vectors."""
        ...

    def vectors(self, ids: Sequence[str]) -> "NDArray[float32]":
        """The vectors with these ids, one row each, in their order; an id may stand there more than once.

        Raises:
            RetrievalError: one of them is not there.
        """
        ...

    def query(self, vectors: "NDArray[float32]", k: int) -> list[list[tuple[str, float]]]:
        """For each query vector the ids of the k vectors nearest to it, or nearly so, with their cosine, best first."""
        ...


class LexicalIndex(Protocol):
    """BM25 over the chunks of one index."""

    def query(self, texts: Sequence[str], k: int, among: Set[str] | None = None) -> list[list[tuple[str, float]]]:
        """For each text the ids of its k best chunks with their BM25 score, best first; score 0 is left out.

        Args:
            texts: the queries.
            k: hits of each, at most.
            among: ids that may be hits; None: all.
        """
        ...


class QueryWriter(Protocol):
    """Has a model write other wordings of queries, or passages that would answer them. Blocks."""

    @property
    def identity(self) -> str:
        """Changes whenever the same query could get other texts."""
        ...

    def written(self, texts: Sequence[str]) -> list[Written]:
        """What is written for each text; what was written before is reused.

        Raises:
            ModelError: a model gave no usable reply.
        """
        ...


class Reranker(Protocol):
    """Reads a query and a passage together."""

    @property
    def identity(self) -> str:
        """Changes whenever the same pair could get another score."""
        ...

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """How well each passage answers its query; higher is better, on the model's own scale."""
        ...


NO_LABELS: Mapping[str, str] = MappingProxyType({})
"""Of a detector whose labels tell what they mean."""


class Detector(Protocol):
    """A classifier that an evaluator asks."""

    @property
    def identity(self) -> str:
        """Changes whenever the same request could get another finding."""
        ...

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """One finding per request, in order."""
        ...


class Evaluator(Protocol):
    """Configuration plus one method."""

    @property
    def identity(self) -> str:
        """Everything that can change the outcome, thresholds excluded."""
        ...

    async def evaluate(self, sample: Sample) -> Outcome:
        """Measure one answer. An exception is recorded as a failure of this evaluator on this case."""
        ...


class Cache(Protocol):
    """The nodes of a store, as what they take and whether they are still used. What a run that is going on may need stays."""

    def kept(self) -> list[Kept]:
        """How much there is of each kind."""
        ...

    def evict(self, max_bytes: int) -> Removed:
        """Remove what was not used for longest, until the rest is no larger than this."""
        ...

    def remove(self, kinds: Sequence[str] = (), *, before: datetime | None = None) -> Removed:
        """Remove nodes of these kinds, all without any; with `before`, those that were not used since."""
        ...

    def drop(self, keys: Sequence[str]) -> None:
        """Remove these nodes, whoever uses them."""
        ...

    def nodes(self) -> Iterator[tuple[str, str, str]]:
        """Key, kind and value (JSON text) of every node."""
        ...

    def add(self, nodes: Sequence[Node]) -> int:
        """Write the nodes whose key is not known yet, and say how many they are."""
        ...

    def compact(self) -> None:
        """Give the room of what was removed back to the disk."""
        ...


class Store(Protocol):
    """Nodes, runs and manifests. Calls block; the runner keeps them off the event loop."""

    @property
    def cache(self) -> Cache:
        """Its nodes, to be bounded and carried elsewhere."""
        ...

    def nodes(self, keys: Sequence[str], *, runs: Collection[str] | None = None) -> dict[str, Node]:
        """The nodes that exist among `keys`; with `runs`, only those that these computed."""
        ...

    def claim(self, keys: Sequence[str]) -> Claimed:
        """Say that the nodes of these keys are made here, unless they exist or another process makes them.

        A claim ends when its node is committed or the key released, and when this process is silent for a while.
        """
        ...

    def release(self, keys: Sequence[str]) -> None:
        """Give up claims whose nodes could not be made."""
        ...

    def commit(self, nodes: Sequence[Node], run: str, results: Sequence[CellResult]) -> None:
        """Write nodes and cell results in one transaction, which ends the nodes' claims; and note the use of what was found."""
        ...

    def begin_run(self, run: Run) -> None:
        """Record a run that starts."""
        ...

    def continue_run(self, run_id: str) -> None:
        """Record that a run that was killed or interrupted goes on: it is running again, and the newest."""
        ...

    def unfinished_run(self, plan_key: str) -> Run | None:
        """The newest run of this plan that was killed or interrupted."""
        ...

    def finish_run(self, run_id: str, status: RunStatus, finished_at: str, report: object) -> None:
        """Close a run at a UTC time (ISO 8601); `report` is its JSON summary, None leaves the one that is there."""
        ...

    def runs(self, limit: int | None = 50, *, suite: str | None = None) -> list[Run]:
        """Newest first, at most so many; of one suite or of all."""
        ...

    def run(self, reference: str, *, without: Collection[str] = ()) -> Run:
        """A run by id, unique prefix, `@baseline:SUITE`, `@last` or `@last~N` (N before it).

        The last two count neither `without` nor runs that were made aside.

        Raises:
            UsageError: no such run, or an ambiguous prefix.
        """
        ...

    def results(self, run_id: str) -> Iterator[CellResult]:
        """The cell results of a run, in the order of case, prompt, target and repeat."""
        ...

    def report(self, run_id: str) -> dict[str, Any] | None:
        """The JSON summary of a finished run."""
        ...

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """Remove runs, their results and the baselines that they are; the number of results."""
        ...

    def set_baseline(self, suite: str, run_id: str) -> None:
        """Make a run the baseline of its suite."""
        ...

    def baseline(self, suite: str) -> str | None:
        """Id of the suite's baseline run."""
        ...

    def manifest(self, index: str) -> object | None:
        """The manifest of an index: its content key and live chunks."""
        ...

    def set_manifest(self, index: str, manifest: object) -> None:
        """Switch an index to a new generation; None: the index is gone."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


class Worker(Protocol):
    """A process, on this machine or on another, that builds parts of the project and calls their methods."""

    @property
    def name(self) -> str:
        """Tells it from the others, in messages."""
        ...

    def submit(self, job: Job) -> "Future[Any]":
        """The job's result, at once as a future: it fails with what the method raised, or with `WorkerLost`."""
        ...


class Progress(Protocol):
    """Told what happens; the core never prints."""

    def started(self, what: str, total: int) -> None:
        """A stage of `total` steps begins."""
        ...

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        """`done` steps of the stage are finished."""
        ...

    def finished(self) -> None:
        """The stage is over."""
        ...

    def note(self, text: str) -> None:
        """A line worth showing while work goes on."""
        ...
