"""llmops.yaml: models, indexes, labels and the store."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.settings.addresses import Address
from llmops.settings.files import read_text, shown
from llmops.settings.functions import FUNCTION
from llmops.settings.parameters import Parameters
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.retrieval import RetrieveSettings
from llmops.settings.routes import RouteSettings
from llmops.settings.secrets import declare_credentials
from llmops.settings.validation import Amount, Positive, Shape, Strict, nearest, validated

FILE_NAME = "llmops.yaml"
OTHER_SUFFIX = "llmops.yml"
"""Not read, and easily written."""
DEFAULT_STORE = "sqlite:///.llmops/llmops.db"
SERVERS = ("postgresql", "postgres", "postgresql+psycopg")
"""Schemes of the servers that can hold the store; else it is a SQLite file."""
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What a variable of the environment may be called."""
NO_MODELS = "Write one under `models:` of llmops.yaml."
EMBEDDED_READERS = ("embedded/reader-small", "embedded/reader-large")

Name = Annotated[
    str,
    Field(max_length=80),
    Shape(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "letters, digits, `.`, `_` and `-`, a letter or a digit first"),
]


def _relative(path: str) -> str:
    """Keeps what a project reads and writes inside the project."""
    if path.startswith(("/", "~")) or ".." in path.replace("\\", "/").split("/"):
        raise ValueError("should be a path inside the project, relative to its root")
    return path


InsidePath = Annotated[str, Field(min_length=1), AfterValidator(_relative)]


class PriceSettings(Strict):
    """What a model costs: per token, or per hour of the machine."""

    input_per_million: Amount | None = None
    output_per_million: Amount | None = None
    cached_input_per_million: Amount | None = None
    reasoning_per_million: Amount | None = None
    usd_per_hour: Amount | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        per_token = (self.input_per_million, self.output_per_million)
        if self.usd_per_hour is None and None in per_token:
            raise ValueError("needs `input_per_million` and `output_per_million`, or `usd_per_hour`")
        if self.usd_per_hour is not None and any(value is not None for value in per_token):
            raise ValueError("has both a price per token and `usd_per_hour`; one of them was expected")
        return self


class ModelSettings(Strict):
    """A model under the name that suites use."""

    id: Annotated[str, Field(min_length=1)]
    """LiteLLM id such as `openai/gpt-4o-mini`, `embedded/reader-small`, or `python/FILE.py:FUNCTION`."""
    api_base: Address | None = None
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    """Environment variable that holds the key; default: the provider's usual one."""
    params: Parameters = Field(default_factory=dict)
    """Sampling parameters, passed through."""
    timeout_s: Annotated[float, Field(gt=0, strict=False, allow_inf_nan=False)] = 60.0
    """Bound on one attempt."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Further attempts after the first."""
    concurrency: Positive = 16
    """Calls in flight at once, at most."""
    rpm: Positive | None = None
    """Requests in any minute, at most."""
    tpm: Positive | None = None
    """Tokens in any minute, at most."""
    transport: Literal["auto", "direct", "litellm"] = "auto"
    price: PriceSettings | None = None
    context_window: Positive | None = None
    """Tokens; default: LiteLLM's table."""

    @model_validator(mode="after")
    def _known_reader(self) -> Self:
        meant = get_close_matches(self.id.partition("/")[0], ["embedded"], cutoff=0.8)
        if meant and "/" in self.id and self.id not in EMBEDDED_READERS:
            raise ValueError(f"`id` {self.id!r} is not an embedded reader; those are {', '.join(EMBEDDED_READERS)}")
        return self

    @model_validator(mode="after")
    def _known_function(self) -> Self:
        if self.function is None and not self.id.startswith(("python:", "file://")):
            return self
        if self.function is None or re.fullmatch(FUNCTION, self.function) is None:
            raise ValueError(f"`id` {self.id!r} should be `python/FILE.py:FUNCTION`, such as `python/app/bot.py:answer`")
        for key in ("api_base", "api_key_env", "transport"):
            if key in self.model_fields_set:
                raise ValueError(f"has `{key}`, which a function of your own does not take: it looks after its calls itself")
        return self

    @model_validator(mode="after")
    def _names_a_variable(self) -> Self:
        """Does not repeat what was written, which may be the key."""
        if self.api_key_env is not None and re.fullmatch(VARIABLE, self.api_key_env) is None:
            raise ValueError(
                "`api_key_env` is the name of the environment variable that holds the key, such as OPENAI_API_KEY; "
                "a key itself stands in the environment or in `.env`"
            )
        return self

    @property
    def embedded(self) -> bool:
        """Answered by a reader in this process."""
        return self.id.startswith("embedded/")

    @property
    def in_process(self) -> bool:
        """Answered here, not by a server."""
        return self.embedded or self.function is not None

    @property
    def function(self) -> str | None:
        """`FILE.py:FUNCTION` of the user's own that answers; None: a model does."""
        return self.id.removeprefix("python/") if self.id.startswith("python/") else None


class CorpusSettings(Strict):
    """Where documents come from; exactly one of `paths`, `beir`, `jsonl`, `csv`."""

    paths: list[InsidePath] | None = None
    """Globs, relative to the project root."""
    exclude: list[InsidePath] = Field(default_factory=list)
    beir: str | None = None
    """A folder with `corpus.jsonl`."""
    jsonl: str | None = None
    csv: str | None = None
    """A file whose first line names its columns."""
    text: str = "text"
    """Field of a row that holds the text."""
    id: str = "id"
    """Field of a row that holds the id."""
    metadata: list[str] = Field(default_factory=list)
    """Fields of a row that `retrieve.where` may ask for."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.paths, self.beir, self.jsonl, self.csv)) != 1:
            raise ValueError("needs exactly one of `paths`, `beir`, `jsonl`, `csv`")
        if self.metadata and self.paths is not None:
            raise ValueError("`metadata` names fields of rows, which `paths` do not have")
        return self


class ChunkerSettings(Strict):
    """How documents are cut."""

    kind: Literal["markdown", "tokens", "sentences", "recursive", "semantic", "code"] = "markdown"
    max_tokens: Annotated[int, Field(gt=0, le=8192)] = 240
    """Tokens of the embedder, heading prefix and special tokens included."""
    overlap: Annotated[int, Field(ge=0)] = 32
    """Tokens that neighbouring chunks share."""
    heading_prefix: bool = True
    """Put the heading path in front of a chunk's text."""

    @model_validator(mode="after")
    def _overlap_below(self) -> Self:
        if self.overlap >= self.max_tokens:
            raise ValueError(f"`overlap` {self.overlap} should be below `max_tokens` {self.max_tokens}")
        return self


class EmbedderPriceSettings(Strict):
    """What a hosted embedder costs: per token, or per hour of the machine."""

    input_per_million: Amount | None = None
    usd_per_hour: Amount | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.input_per_million is None) is (self.usd_per_hour is None):
            raise ValueError("needs either `input_per_million` or `usd_per_hour`")
        return self


class EmbedderSettings(Strict):
    """What turns text into vectors."""

    kind: Literal["minilm", "static", "sentence-transformers", "litellm"] = "minilm"
    name: str | None = None
    """Model name or local path, for `sentence-transformers` and `litellm`."""
    api_base: Address | None = None
    batch_size: Positive = 32
    query_prefix: str = ""
    document_prefix: str = ""
    price: EmbedderPriceSettings | None = Field(default=None, exclude=True)
    """Of kind `litellm`; default: LiteLLM's table. Changes no vector, so it is no part of what identifies one."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.kind in ("sentence-transformers", "litellm") and not self.name:
            raise ValueError(f"needs `name` for kind {self.kind!r}")
        if self.kind != "litellm" and self.price is not None:
            raise ValueError(f"has a `price`, which kind {self.kind!r} does not take: it costs nothing")
        return self


class VectorStoreSettings(Strict):
    """Where Chroma keeps the vectors: a folder, or a server."""

    kind: Literal["chroma"] = "chroma"
    path: InsidePath = ".llmops/chroma"
    url: Address | None = None
    namespace: Name | None = None
    """In front of the names of collections: projects that share a server and have an index of one name need one each."""


class IndexSettings(Strict):
    """One corpus, cut, embedded and searchable."""

    corpus: CorpusSettings
    chunker: ChunkerSettings = ChunkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    store: VectorStoreSettings = VectorStoreSettings()
    retrieve: RetrieveSettings = RetrieveSettings()

    @model_validator(mode="after")
    def _room_for_a_hit(self) -> Self:
        room = self.retrieve.max_tokens
        if room is not None and room < self.chunker.max_tokens:
            raise ValueError(
                f"`retrieve.max_tokens` {room} is below `chunker.max_tokens` {self.chunker.max_tokens}: no hit may fit"
            )
        return self


class LabelSettings(Strict):
    """A movable name for prompt versions."""

    protected: bool = False
    guarded_by: list[InsidePath] = Field(default_factory=list)
    """Suites whose gate a version must have passed before the label may move onto it."""


class CacheSettings(Strict):
    """How much is kept for reuse."""

    max_mb: Positive | None = None
    """MiB; what was not used for longest goes first. None: no bound."""
    embeddings_mb: Annotated[int, Field(ge=0)] = 512
    """MiB of vectors of passages; 0: none are kept."""


class ProjectSettings(Strict):
    """The content of llmops.yaml."""

    models: dict[Name, ModelSettings] = Field(default_factory=dict)
    indexes: dict[Name, IndexSettings] = Field(default_factory=dict)
    labels: dict[Name, LabelSettings] = Field(default_factory=dict)
    routes: dict[Name, RouteSettings] = Field(default_factory=dict)
    """Policies that choose between models, under names that suites use as targets."""
    store: str = Field(default=DEFAULT_STORE, repr=False)
    """SQLAlchemy URL of a SQLite file or a PostgreSQL server; a relative SQLite path starts at the project root."""
    cache: CacheSettings = CacheSettings()

    @field_validator("store")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith("sqlite:///") and url.partition(":")[0] not in SERVERS:
            raise ValueError(
                "is neither a SQLite file nor a PostgreSQL server: sqlite:///FILE or postgresql://USER@HOST/DATABASE"
            )
        return url


class Project:
    """A project on disk: its root, its settings, and where each setting stands."""

    def __init__(self, root: Path, settings: ProjectSettings, positions: Positions) -> None:
        self.root = root
        self.settings = settings
        self.positions = positions

    def model(self, name: str) -> ModelSettings:
        """The settings of a model.

        Raises:
            UsageError: no such name.
        """
        if name not in self.settings.models:
            raise UsageError(f"No model is called {name!r}.", hint=nearest(name, self.settings.models) or NO_MODELS)
        return self.settings.models[name]

    def route(self, name: str) -> RouteSettings:
        """The settings of a route.

        Raises:
            UsageError: no such name.
        """
        if name not in self.settings.routes:
            hint = nearest(name, self.settings.routes) or "Write one under `routes:` of llmops.yaml."
            raise UsageError(f"No route is called {name!r}.", hint=hint)
        return self.settings.routes[name]

    def is_route(self, name: str) -> bool:
        """Whether a target of a suite is a route; else it is a model.

        Raises:
            UsageError: it is neither.
        """
        models, routes = self.settings.models, self.settings.routes
        if name not in models and name not in routes:
            found = f"No model{' or route' if routes else ''} is called {name!r}."
            unnamed = f"Give it a name under `models` of {FILE_NAME}, such as `mine: {{id: {name}}}`."
            raise UsageError(found, hint=unnamed if "/" in name else nearest(name, [*models, *routes]) or NO_MODELS)
        return name in routes

    def index(self, name: str) -> IndexSettings:
        """The settings of an index.

        Raises:
            UsageError: no such name.
        """
        if name not in self.settings.indexes:
            raise UsageError(f"No index is called {name!r}.", hint=nearest(name, self.settings.indexes))
        return self.settings.indexes[name]


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds llmops.yaml.

    Raises:
        UsageError: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    renamed = f"There is an {OTHER_SUFFIX}: rename it." if (start / OTHER_SUFFIX).is_file() else None
    raise UsageError(f"No {FILE_NAME} in {str(start)!r} or above it.", hint=renamed or "Start a project here: llmops init")


def load_project(root: Path) -> Project:
    """Read llmops.yaml.

    Raises:
        InvalidFiles: with every problem of the file.
    """
    path = root / FILE_NAME
    data, positions = parse_yaml(read_text(path, root), shown(path, root))
    settings = validated(ProjectSettings, {} if data is None else data, positions)
    declare_credentials(model.api_key_env for model in settings.models.values() if model.api_key_env)
    problems = [*_unknown_writers(settings, positions), *_unknown_routed(settings, positions)]
    if problems:
        raise InvalidFiles(problems)
    return Project(root, settings, positions)


def _unknown_writers(settings: ProjectSettings, positions: Positions) -> Iterator[Problem]:
    """Models that indexes have write for queries, and that cannot."""
    for name, index in settings.indexes.items():
        for stage, writer in (("rewrite", index.retrieve.rewrite), ("hyde", index.retrieve.hyde)):
            at = ("indexes", name, "retrieve", stage, "model")
            if writer is None:
                continue
            if writer.model not in settings.models:
                yield positions.problem(at, _no_model(writer.model), hint=nearest(writer.model, settings.models))
            elif settings.models[writer.model].embedded:
                found = f"{writer.model!r} is an embedded reader: it copies sentences and cannot write."
                yield positions.problem(at, found, hint="Name a language model.")


def _unknown_routed(settings: ProjectSettings, positions: Positions) -> Iterator[Problem]:
    """Models that routes choose between and that do not exist, and names that are taken."""
    for name, route in settings.routes.items():
        if name in settings.models:
            yield positions.problem(("routes", name), f"a model is called {name!r}, too.", hint="Give the route another name.")
        listed = "models" in type(route).model_fields
        for number, model in enumerate(route.models):
            if model not in settings.models:
                at = ("routes", name, "models", number) if listed else ("routes", name)
                yield positions.problem(at, _no_model(model), hint=nearest(model, settings.models))


def _no_model(name: str) -> str:
    return f"names the model {name!r}, which `models` does not have."
