"""llmops.yaml: models, indexes, labels and the store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.settings.files import read_text, shown
from llmops.settings.indexes import IndexSettings
from llmops.settings.models import ModelSettings
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.routes import RouteSettings
from llmops.settings.secrets import declare_credentials
from llmops.settings.validation import InsidePath, Name, Positive, Strict, nearest, validated

FILE_NAME = "llmops.yaml"
OTHER_SUFFIX = "llmops.yml"
"""Not read, and easily written."""
DEFAULT_STORE = "sqlite:///.llmops/llmops.db"
SERVERS = ("postgresql", "postgres", "postgresql+psycopg")
"""Schemes of the servers that can hold the store; else it is a SQLite file."""
NO_MODELS = "Write one under `models:` of llmops.yaml."


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
