"""The store on SQLAlchemy Core: nodes, runs, results and manifests in SQLite."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from llmops.domain.errors import LlmopsError, StoreError, UsageError
from llmops.domain.runs import CellResult, Node, Run, RunStatus
from llmops.domain.serial import plain, result_from_json

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

SCHEMA_VERSION = 1
KEYS_PER_QUERY = 500
ROWS_PER_FETCH = 500
BUSY_TIMEOUT_S = 30

_schema = MetaData()
_meta = Table("meta", _schema, Column("name", String(40), primary_key=True), Column("value", Text, nullable=False))
_nodes = Table(
    "nodes",
    _schema,
    Column("key", String(32), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("value", Text, nullable=False),
    Column("run", String(40), nullable=False),
)
_runs = Table(
    "runs",
    _schema,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("suite", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("finished_at", String(40)),
    Column("plan_key", String(32), nullable=False),
    Column("cells", Integer, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("report", Text),
    Index("runs_by_plan", "plan_key", "status"),
)
_results = Table(
    "results",
    _schema,
    Column("run", String(40), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("value", Text, nullable=False),
)
_baselines = Table(
    "baselines", _schema, Column("suite", String(400), primary_key=True), Column("run", String(40), nullable=False)
)
_manifests = Table("manifests", _schema, Column("name", String(80), primary_key=True), Column("value", Text, nullable=False))


def open_store(url: str, root: Path) -> "SqlStore":
    """Open the store, creating it and its folder when they do not exist.

    Args:
        url: SQLAlchemy URL; a relative SQLite path starts at `root`.
        root: the project's root.

    Raises:
        StoreError: another database than SQLite, an unwritable folder, a corrupt file, or a newer schema.
    """
    if not url.startswith("sqlite:///"):
        scheme = urlsplit(url).scheme or url[:20]
        raise StoreError(f"`store:` is a {scheme!r} URL.", hint="Use a SQLite file: sqlite:///.llmops/llmops.db")
    path = root / url.removeprefix("sqlite:///")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {str(path.parent)!r} cannot be made: {error.strerror}.") from error
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    store = SqlStore(engine, path)
    try:
        store.migrate()
    except LlmopsError:
        store.close()
        raise
    return store


def _set_pragmas(connection: Any, _record: "ConnectionPoolEntry") -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}").close()


class SqlStore:
    """Implements the `Store` port."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def migrate(self) -> None:
        """Make missing tables and check the schema's version."""
        try:
            with self._engine.begin() as connection:
                _schema.create_all(connection)
                version = connection.execute(select(_meta.c.value).where(_meta.c.name == "schema_version")).scalar()
                if version is None:
                    connection.execute(insert(_meta).values(name="schema_version", value=str(SCHEMA_VERSION)))
        except SQLAlchemyError as error:
            raise self._translated(error) from error
        if version is not None and int(version) > SCHEMA_VERSION:
            found = f"The store {str(self._path)!r} has schema {version}; this llmops reads up to {SCHEMA_VERSION}."
            raise StoreError(found, hint="Upgrade llmops, or name another file under `store:` in llmops.yaml.")

    def nodes(self, keys: Sequence[str], *, run: str | None = None) -> dict[str, Node]:
        """As the port."""
        found: dict[str, Node] = {}
        try:
            with self._engine.connect() as connection:
                for start in range(0, len(keys), KEYS_PER_QUERY):
                    query = select(_nodes).where(_nodes.c.key.in_(keys[start : start + KEYS_PER_QUERY]))
                    if run is not None:
                        query = query.where(_nodes.c.run == run)
                    for key, kind, value, maker in connection.execute(query):
                        found[key] = Node(key, kind, json.loads(value), maker)
        except (SQLAlchemyError, ValueError) as error:
            raise self._translated(error) from error
        return found

    def commit(self, nodes: Sequence[Node], run: str, results: Sequence[CellResult]) -> None:
        """As the port."""
        try:
            with self._engine.begin() as connection:
                if nodes:
                    rows = [{"key": n.key, "kind": n.kind, "value": _dumps(n.value), "run": n.run} for n in nodes]
                    connection.execute(_replacing(_nodes, "key"), rows)
                if results:
                    cells = [{"run": run, "position": r.position, "value": _dumps(plain(r))} for r in results]
                    connection.execute(_replacing(_results, "run", "position"), cells)
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    def begin_run(self, run: Run) -> None:
        """As the port."""
        row = {**plain(run), "snapshot": _dumps(run.snapshot)}
        self._write(insert(_runs).values(row))

    def unfinished_run(self, plan_key: str) -> Run | None:
        """As the port."""
        same = (_runs.c.plan_key == plan_key) & _runs.c.status.in_(("running", "interrupted", "over budget"))
        rows = self._rows(select(_runs).where(same).order_by(_runs.c.number.desc()).limit(1))
        return _run(rows[0]) if rows else None

    def finish_run(self, run_id: str, status: RunStatus, finished_at: str, report: object) -> None:
        """As the port."""
        values = {"status": status, "finished_at": finished_at, "report": _dumps(report)}
        self._write(_runs.update().where(_runs.c.id == run_id).values(values))

    def runs(self, limit: int = 50) -> list[Run]:
        """As the port."""
        return [_run(row) for row in self._rows(select(_runs).order_by(_runs.c.number.desc()).limit(limit))]

    def run(self, reference: str) -> Run:
        """As the port."""
        back = re.fullmatch(r"@last(?:~(\d{1,6}))?", reference)
        if back:
            query = select(_runs).order_by(_runs.c.number.desc()).offset(int(back[1] or 0)).limit(1)
        else:
            query = select(_runs).where(func.substr(_runs.c.id, 1, len(reference)) == reference).limit(2)
        rows = self._rows(query)
        if not rows:
            hint = "List them: llmops runs list" if self._rows(select(_runs.c.id).limit(1)) else "Make one: llmops eval"
            raise UsageError(f"No run is called {reference!r}.", hint=hint)
        if len(rows) > 1:
            raise UsageError(f"More than one run begins with {reference!r}.", hint="Give more of its id.")
        return _run(rows[0])

    def results(self, run_id: str) -> Iterator[CellResult]:
        """As the port."""
        query = select(_results.c.value).where(_results.c.run == run_id).order_by(_results.c.position)
        try:
            with self._engine.connect() as connection:
                for (value,) in connection.execution_options(yield_per=ROWS_PER_FETCH).execute(query):
                    yield result_from_json(json.loads(value))
        except (SQLAlchemyError, ValueError) as error:
            raise self._translated(error) from error

    def report(self, run_id: str) -> object | None:
        """As the port."""
        rows = self._rows(select(_runs.c.report).where(_runs.c.id == run_id))
        return json.loads(rows[0][0]) if rows and rows[0][0] else None

    def set_baseline(self, suite: str, run_id: str) -> None:
        """As the port."""
        self._write(_replacing(_baselines, "suite").values(suite=suite, run=run_id))

    def baseline(self, suite: str) -> str | None:
        """As the port."""
        rows = self._rows(select(_baselines.c.run).where(_baselines.c.suite == suite))
        return rows[0][0] if rows else None

    def manifest(self, index: str) -> object | None:
        """As the port."""
        rows = self._rows(select(_manifests.c.value).where(_manifests.c.name == index))
        return json.loads(rows[0][0]) if rows else None

    def set_manifest(self, index: str, manifest: object) -> None:
        """As the port."""
        self._write(_replacing(_manifests, "name").values(name=index, value=_dumps(manifest)))

    def close(self) -> None:
        """As the port."""
        self._engine.dispose()

    def _rows(self, query: Any) -> Sequence[Row[Any]]:  # noqa: ANN401 -- SQLAlchemy's own generics
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    def _write(self, statement: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's own generics
        try:
            with self._engine.begin() as connection:
                connection.execute(statement)
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> StoreError:
        reason = str(error.orig) if isinstance(error, DatabaseError) else str(error)
        where = f"The store {str(self._path)!r}"
        if "readonly" in reason or "unable to open" in reason or "permission" in reason:
            return StoreError(f"{where} cannot be written: {reason}.", hint="Check its permissions, or change `store:`.")
        if "malformed" in reason or "not a database" in reason or isinstance(error, ValueError):
            hint = "Move the file away to start anew; nothing in it is deleted by llmops."
            return StoreError(f"{where} is corrupt: {reason}.", hint=hint)
        if "full" in reason:
            return StoreError(f"{where} cannot grow: {reason}.", hint="Free some space and run the same command again.")
        return StoreError(f"{where} failed: {reason}.")


def _replacing(table: Table, *key: str) -> Any:  # noqa: ANN401 -- SQLAlchemy's own generics
    statement = insert(table)
    new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
    return statement.on_conflict_do_update(index_elements=list(key), set_=new)


def _dumps(value: object) -> str:
    # ASCII, so that a lone surrogate in a model's output cannot make the row unwritable.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _run(row: Row[Any]) -> Run:
    data = dict(row._mapping)
    data["snapshot"] = json.loads(data["snapshot"])
    return Run(**{key: value for key, value in data.items() if key not in ("number", "report")})
