"""The store: nodes, runs, results and manifests."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.exc import SQLAlchemyError

from llmops.adapters.sql import schema
from llmops.adapters.sql.databases import Database, database
from llmops.adapters.sql.migrations import Migrations
from llmops.domain.errors import LlmopsError, UsageError
from llmops.domain.runs import CellResult, Node, Run, RunStatus
from llmops.domain.serial import plain, result_from_json

KEYS_PER_QUERY = 500
ROWS_PER_FETCH = 500


def open_store(url: str, root: Path, migrations: Migrations | None = None) -> "SqlStore":
    """Open the store, creating it and its folder when they do not exist, and migrating it when it is older.

    Args:
        url: SQLAlchemy URL; a relative SQLite path starts at `root`.
        root: the project's root.
        migrations: to the newest schema; None: those of this llmops.

    Raises:
        StoreError: an unknown kind of database, an unwritable folder, a corrupt file, or a newer schema.
    """
    store = SqlStore(database(url, root))
    try:
        store.migrate(migrations or Migrations())
    except LlmopsError:
        store.close()
        raise
    return store


class SqlStore:
    """Implements the `Store` port."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._engine = database.engine

    def migrate(self, migrations: Migrations) -> None:
        """Bring the schema to its newest version, in one transaction.

        Raises:
            StoreError: a newer llmops wrote the store, or it cannot be written.
        """
        try:
            with self._engine.connect() as connection:
                newest = migrations.found(connection) == migrations.newest
            if not newest:
                self._database.locked(migrations.apply)
        except (SQLAlchemyError, ValueError) as error:
            raise self._database.translated(error) from error

    def nodes(self, keys: Sequence[str], *, run: str | None = None) -> dict[str, Node]:
        """As the port."""
        found: dict[str, Node] = {}
        try:
            with self._engine.connect() as connection:
                for start in range(0, len(keys), KEYS_PER_QUERY):
                    query = select(schema.nodes).where(schema.nodes.c.key.in_(keys[start : start + KEYS_PER_QUERY]))
                    if run is not None:
                        query = query.where(schema.nodes.c.run == run)
                    for key, kind, value, maker in connection.execute(query):
                        found[key] = Node(key, kind, json.loads(value), maker)
        except (SQLAlchemyError, ValueError) as error:
            raise self._database.translated(error) from error
        return found

    def commit(self, nodes: Sequence[Node], run: str, results: Sequence[CellResult]) -> None:
        """As the port."""
        try:
            with self._engine.begin() as connection:
                if nodes:
                    rows = [{"key": n.key, "kind": n.kind, "value": _dumps(n.value), "run": n.run} for n in nodes]
                    connection.execute(self._database.replacing(schema.nodes, "key"), rows)
                if results:
                    cells = [{"run": run, "position": r.position, "value": _dumps(plain(r))} for r in results]
                    connection.execute(self._database.replacing(schema.results, "run", "position"), cells)
        except SQLAlchemyError as error:
            raise self._database.translated(error) from error

    def begin_run(self, run: Run) -> None:
        """As the port."""
        row = {**plain(run), "snapshot": _dumps(run.snapshot)}
        self._write(self._database.insert(schema.runs).values(row))

    def unfinished_run(self, plan_key: str) -> Run | None:
        """As the port."""
        same = (schema.runs.c.plan_key == plan_key) & schema.runs.c.status.in_(("running", "interrupted", "over budget"))
        rows = self._rows(select(schema.runs).where(same).order_by(schema.runs.c.number.desc()).limit(1))
        return _run(rows[0]) if rows else None

    def finish_run(self, run_id: str, status: RunStatus, finished_at: str, report: object) -> None:
        """As the port."""
        values = {"status": status, "finished_at": finished_at, "report": _dumps(report)}
        self._write(schema.runs.update().where(schema.runs.c.id == run_id).values(values))

    def runs(self, limit: int = 50) -> list[Run]:
        """As the port."""
        return [_run(row) for row in self._rows(select(schema.runs).order_by(schema.runs.c.number.desc()).limit(limit))]

    def run(self, reference: str) -> Run:
        """As the port."""
        back = re.fullmatch(r"@last(?:~(\d{1,6}))?", reference)
        if back:
            query = select(schema.runs).order_by(schema.runs.c.number.desc()).offset(int(back[1] or 0)).limit(1)
        else:
            query = select(schema.runs).where(func.substr(schema.runs.c.id, 1, len(reference)) == reference).limit(2)
        rows = self._rows(query)
        if not rows:
            hint = "List them: llmops runs list" if self._rows(select(schema.runs.c.id).limit(1)) else "Make one: llmops eval"
            raise UsageError(f"No run is called {reference!r}.", hint=hint)
        if len(rows) > 1:
            raise UsageError(f"More than one run begins with {reference!r}.", hint="Give more of its id.")
        return _run(rows[0])

    def results(self, run_id: str) -> Iterator[CellResult]:
        """As the port."""
        query = select(schema.results.c.value).where(schema.results.c.run == run_id).order_by(schema.results.c.position)
        try:
            with self._engine.connect() as connection:
                for (value,) in connection.execution_options(yield_per=ROWS_PER_FETCH).execute(query):
                    yield result_from_json(json.loads(value))
        except (SQLAlchemyError, ValueError) as error:
            raise self._database.translated(error) from error

    def report(self, run_id: str) -> object | None:
        """As the port."""
        rows = self._rows(select(schema.runs.c.report).where(schema.runs.c.id == run_id))
        return json.loads(rows[0][0]) if rows and rows[0][0] else None

    def set_baseline(self, suite: str, run_id: str) -> None:
        """As the port."""
        self._write(self._database.replacing(schema.baselines, "suite").values(suite=suite, run=run_id))

    def baseline(self, suite: str) -> str | None:
        """As the port."""
        rows = self._rows(select(schema.baselines.c.run).where(schema.baselines.c.suite == suite))
        return rows[0][0] if rows else None

    def manifest(self, index: str) -> object | None:
        """As the port."""
        rows = self._rows(select(schema.manifests.c.value).where(schema.manifests.c.name == index))
        return json.loads(rows[0][0]) if rows else None

    def set_manifest(self, index: str, manifest: object) -> None:
        """As the port."""
        self._write(self._database.replacing(schema.manifests, "name").values(name=index, value=_dumps(manifest)))

    def close(self) -> None:
        """As the port."""
        self._engine.dispose()

    def _rows(self, query: Any) -> Sequence[Row[Any]]:  # noqa: ANN401 -- SQLAlchemy's own generics
        try:
            with self._engine.connect() as connection:
                return connection.execute(query).all()
        except SQLAlchemyError as error:
            raise self._database.translated(error) from error

    def _write(self, statement: Any) -> None:  # noqa: ANN401 -- SQLAlchemy's own generics
        try:
            with self._engine.begin() as connection:
                connection.execute(statement)
        except SQLAlchemyError as error:
            raise self._database.translated(error) from error


def _dumps(value: object) -> str:
    # ASCII, so that a lone surrogate in a model's output cannot make the row unwritable.
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _run(row: Row[Any]) -> Run:
    data = dict(row._mapping)
    data["snapshot"] = json.loads(data["snapshot"])
    return Run(**{key: value for key, value in data.items() if key not in ("number", "report")})
