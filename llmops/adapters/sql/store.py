"""The store: nodes, runs, results and manifests."""

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable, Row, Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from llmops.adapters.sql import schema
from llmops.adapters.sql.cache import SqlCache, mark_used
from llmops.adapters.sql.claims import Claims
from llmops.adapters.sql.database import Database
from llmops.adapters.sql.migrations import Migrations
from llmops.adapters.sql.rows import dump_result, dumps, loads, node_of, node_rows, run_of
from llmops.adapters.sql.sqlite import sqlite_database
from llmops.domain.caching import USED_EVERY_S
from llmops.domain.errors import LlmopsError, StoreError, UsageError
from llmops.domain.paging import pages
from llmops.domain.ports import Progress
from llmops.domain.runs import BASELINE, UNFINISHED, CellResult, Claimed, Node, NodeKind, Run, RunStatus
from llmops.domain.serial import plain, result_from_json
from llmops.domain.stores import Copied, StoreStatus
from llmops.settings.project import SERVERS
from llmops.settings.validation import close_to

Read = TypeVar("Read")
_NodeRow = Row[str, NodeKind, str, str, int]

KEYS_PER_QUERY = 500
ROWS_PER_FETCH = 500
RUNS_PER_FETCH = 10

_OF_A_RUN = [column for column in schema.runs.columns if column is not schema.runs.c.report]
"""A report may be a thousand times as large as the rest of a run, and is asked for alone."""


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


def store_status(url: str, root: Path) -> StoreStatus:
    """What is at a URL; nothing is made or migrated.

    Raises:
        StoreError: it cannot be read, or a newer llmops wrote it.
    """
    if url.startswith("sqlite:///") and not (root / url.removeprefix("sqlite:///")).is_file():
        return StoreStatus(str(root / url.removeprefix("sqlite:///")), 0, Migrations().newest, {})
    found = database(url, root)

    def look(connection: Connection) -> StoreStatus:
        version = Migrations().found(connection)
        if version != Migrations().newest:
            return StoreStatus(found.name, version, Migrations().newest, {})
        tables = (schema.runs, schema.results, schema.nodes, schema.baselines, schema.claims)
        rows = {each.name: connection.execute(select(func.count()).select_from(each)).scalar_one() for each in tables}
        return StoreStatus(found.name, version, Migrations().newest, rows)

    try:
        return found.transaction(look, patient=False)
    finally:
        found.engine.dispose()


def copy_store(source: str, target: str, root: Path, progress: Progress) -> Copied:
    """Copy what one store holds and the other lacks; both are brought to the newest schema.

    Raises:
        UsageError: there is no store to copy, or it is the target.
        StoreError: one of them cannot be used.
    """
    from llmops.adapters.sql.copying import copy

    status = store_status(source, root)
    if not status.schema:
        raise UsageError(f"There is no store at {status.name!r}.", hint="Name one: sqlite:///.llmops/llmops.db")
    if status.name == database(target, root).name:
        raise UsageError("Both URLs name the same store.")
    with closing(open_store(source, root)) as old, closing(open_store(target, root)) as new:
        return copy(old.database, new.database, progress)


def database(url: str, root: Path) -> Database:
    """The database of a URL, not connected to yet.

    Raises:
        StoreError: an unknown kind of database, or a folder that cannot be made.
        MissingExtra: a driver is not installed.
    """
    if url.startswith("sqlite:///"):
        return sqlite_database(root / url.removeprefix("sqlite:///"))
    scheme = url.partition(":")[0][:20]
    if scheme in SERVERS:
        from llmops.adapters.sql.postgresql import postgresql_database

        return postgresql_database(url)
    hint = "Use a SQLite file or a PostgreSQL server: sqlite:///.llmops/llmops.db, postgresql://USER@HOST/DATABASE"
    raise StoreError(f"No store has a URL that begins with {scheme!r}.", hint=hint)


class SqlStore:
    """Implements the `Store` port."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._engine = database.engine
        self.cache = SqlCache(database)
        self._claims = Claims(database)
        self._noting = Lock()
        self._unnoted: set[str] = set()
        """Nodes that were found, and whose last use is to be written again."""

    def migrate(self, migrations: Migrations) -> None:
        """Bring the schema to its newest version, in one transaction.

        Raises:
            StoreError: a newer llmops wrote the store, or it cannot be written.
        """
        try:
            with self._engine.connect() as connection:
                newest = migrations.found(connection) == migrations.newest
            if not newest:
                self.database.locked(migrations.apply)
        except (SQLAlchemyError, ValueError) as error:
            raise self.database.translated(error) from error

    def nodes(self, keys: Sequence[str], *, runs: Collection[str] | None = None) -> dict[str, Node]:
        """As the port."""
        found = self.database.transaction(lambda connection: _nodes(connection, keys, runs))
        noted_after = int(time.time()) - USED_EVERY_S
        with self._noting:
            self._unnoted.update(key for key, _, _, _, used in found if used < noted_after)
        return {key: node_of(key, kind, value, made_by) for key, kind, value, made_by, _ in found}

    def claim(self, keys: Sequence[str]) -> Claimed:
        """As the port."""
        return self._claims.take(keys)

    def release(self, keys: Sequence[str]) -> None:
        """As the port."""
        with self._claims.writing:
            self.database.transaction(lambda connection: self._claims.end(connection, keys))
            self._claims.ended(keys)

    def commit(self, nodes: Sequence[Node], run: str, results: Sequence[CellResult]) -> None:
        """As the port."""
        with self._noting:
            used, self._unnoted = sorted(self._unnoted), set()
        if not (nodes or results or used):
            return
        made = node_rows(nodes)
        cells = [
            {"run": run, "position": r.position, "value": dump_result(r)} for r in sorted(results, key=lambda r: r.position)
        ]

        def write(connection: Connection) -> None:
            if made:
                connection.execute(self.database.replacing(schema.nodes, "key"), made)
            if cells:
                connection.execute(self.database.replacing(schema.results, "run", "position"), cells)
            mark_used(connection, used)
            self._claims.end(connection, keys)

        keys = [node.key for node in nodes]
        with self._claims.writing:
            self.database.transaction(write)
            self._claims.ended(keys)

    def begin_run(self, run: Run) -> None:
        """As the port."""
        row = {**plain(run), "snapshot": dumps(run.snapshot)}
        self._write(self.database.insert(schema.runs).values(row).on_conflict_do_nothing(index_elements=["id"]))

    def continue_run(self, run_id: str) -> None:
        """As the port."""
        this = schema.runs.c.id == run_id

        def renew(connection: Connection) -> None:
            row = connection.execute(select(schema.runs).where(this)).mappings().one_or_none()
            if row is not None:
                connection.execute(schema.runs.delete().where(this))
                again = {name: value for name, value in row.items() if name != "number"}  # the next one
                again |= {"status": "running", "finished_at": None}
                insert = self.database.insert(schema.runs).values(again)
                connection.execute(insert.on_conflict_do_nothing(index_elements=["id"]))

        self.database.transaction(renew)

    def unfinished_run(self, plan_key: str) -> Run | None:
        """As the port."""
        same = (schema.runs.c.plan_key == plan_key) & schema.runs.c.status.in_(UNFINISHED)
        found = self._runs(select(*_OF_A_RUN).where(same).order_by(schema.runs.c.number.desc()).limit(1))
        return found[0] if found else None

    def finish_run(self, run_id: str, status: RunStatus, finished_at: str, report: object) -> None:
        """As the port."""
        values = {"status": status, "finished_at": finished_at}
        if report is not None:
            values["report"] = dumps(report)
        self._write(schema.runs.update().where(schema.runs.c.id == run_id).values(values))

    def runs(self, limit: int | None = 50, *, suite: str | None = None) -> list[Run]:
        """As the port."""
        chosen = select(*_OF_A_RUN) if suite is None else select(*_OF_A_RUN).where(schema.runs.c.suite == suite)
        return self._runs(chosen.order_by(schema.runs.c.number.desc()).limit(limit))

    def run(self, reference: str, *, without: Collection[str] = ()) -> Run:
        """As the port."""
        if reference.startswith(BASELINE):
            reference = self._baseline_of(reference.removeprefix(BASELINE).removeprefix(":"))
        back = re.fullmatch(r"@last(?:~(\d{1,6}))?", reference)
        if back:
            counted = (run for run in self._newest_first() if run.id not in without and not run.aside)
            found = list(islice(counted, int(back[1] or 0), int(back[1] or 0) + 1))
        else:
            found = self._runs(select(*_OF_A_RUN).where(func.substr(schema.runs.c.id, 1, len(reference)) == reference).limit(2))
        if not found:
            known = (None if back else close_to(reference, ["@last"])) or "List them: llmops runs list"
            hint = known if self._first(select(schema.runs.c.id).limit(1), str) else "Make one: llmops eval"
            raise UsageError(f"No run is called {reference!r}.", hint=hint)
        if len(found) > 1:
            raise UsageError(f"More than one run begins with {reference!r}.", hint="Give more of its id.")
        return found[0]

    def _newest_first(self) -> Iterator[Run]:
        number = schema.runs.c.number
        query = select(*_OF_A_RUN).order_by(number.desc()).limit(RUNS_PER_FETCH)
        found = self._numbered(query)
        while found:
            yield from (run for _, run in found)
            found = self._numbered(query.where(number < found[-1][0]))

    def _baseline_of(self, suite: str) -> str:
        found = self.baseline(suite)
        if found is None and not suite and (one := self._first(select(schema.baselines.c.suite).limit(1), str)):
            raise UsageError(f"{BASELINE} is that of a suite.", hint=f"Name it: {BASELINE}:{one}")
        if found is None:
            told = f"{suite} has no baseline." if suite else "No suite has a baseline."
            raise UsageError(told, hint="Choose one: llmops runs baseline RUN")
        return found

    def results(self, run_id: str) -> Iterator[CellResult]:
        """As the port."""
        position, value = schema.results.c.position, schema.results.c.value
        of_run = select(value).where(schema.results.c.run == run_id).order_by(position).limit(ROWS_PER_FETCH)

        def page(connection: Connection) -> list[CellResult]:
            found = connection.execute(of_run.where(position > last)).scalars()
            return [result_from_json(loads(text)) for text in found]

        last = -1
        while some := self.database.transaction(page):
            yield from some
            last = some[-1].position

    def report(self, run_id: str) -> dict[str, Any] | None:
        """As the port."""
        return self._first(select(schema.runs.c.report).where(schema.runs.c.id == run_id), loads)

    def delete_runs(self, run_ids: Sequence[str]) -> int:
        """As the port."""

        def work(connection: Connection) -> int:
            removed: int = 0
            for some in pages(run_ids, KEYS_PER_QUERY):
                removed += connection.execute(schema.results.delete().where(schema.results.c.run.in_(some))).rowcount
                connection.execute(schema.baselines.delete().where(schema.baselines.c.run.in_(some)))
                connection.execute(schema.runs.delete().where(schema.runs.c.id.in_(some)))
            return removed

        return self.database.transaction(work)

    def set_baseline(self, suite: str, run_id: str) -> None:
        """As the port."""
        self._write(self.database.replacing(schema.baselines, "suite").values(suite=suite, run=run_id))

    def baseline(self, suite: str) -> str | None:
        """As the port."""
        return self._first(select(schema.baselines.c.run).where(schema.baselines.c.suite == suite), str)

    def manifest(self, index: str) -> object | None:
        """As the port."""
        return self._first(select(schema.manifests.c.value).where(schema.manifests.c.name == index), loads)

    def set_manifest(self, index: str, manifest: object) -> None:
        """As the port."""
        self._write(self.database.replacing(schema.manifests, "name").values(name=index, value=dumps(manifest)))

    def close(self) -> None:
        """As the port."""
        self._claims.close()
        self._engine.dispose()

    def _runs(self, query: Select[Any]) -> list[Run]:
        return [run for _, run in self._numbered(query)]

    def _numbered(self, query: Select[Any]) -> list[tuple[int, Run]]:
        return self.database.transaction(lambda connection: [(row.number, run_of(row)) for row in connection.execute(query)])

    def _first(self, query: Select[Any], read: Callable[[str], Read]) -> Read | None:
        """What `read` makes of the only value of the first row; None: there is none."""

        def work(connection: Connection) -> Read | None:
            value = connection.execute(query).scalar()
            return None if value is None else read(value)

        return self.database.transaction(work)

    def _write(self, statement: Executable) -> None:
        self.database.transaction(lambda connection: connection.execute(statement))


def _nodes(connection: Connection, keys: Sequence[str], runs: Collection[str] | None) -> list[_NodeRow]:
    found: list[_NodeRow] = []
    for some in pages(keys, KEYS_PER_QUERY):
        query = select(schema.nodes).where(schema.nodes.c.key.in_(some))
        if runs is not None:
            query = query.where(schema.nodes.c.run.in_(runs))
        found += connection.execute(query).all()
    return found
