"""What differs between the databases that can hold the store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError

from llmops.domain.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Database:
    """One database with its ways."""

    name: str
    """As messages name it."""
    engine: Engine
    insert: Callable[[Table], Any]
    """An INSERT that knows ON CONFLICT."""
    lock: str
    """SQL that keeps other processes from migrating until the transaction ends."""

    def replacing(self, table: Table, *key: str) -> Any:  # noqa: ANN401 -- SQLAlchemy's own generics
        """An INSERT that replaces the row of the same key."""
        statement = self.insert(table)
        new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in key}
        return statement.on_conflict_do_update(index_elements=list(key), set_=new)

    def locked(self, work: Callable[[Connection], None]) -> None:
        """Do something in one transaction while no other process does the same."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(self.lock)
            work(connection)

    def translated(self, error: Exception) -> StoreError:
        """An error of the database, with the next step."""
        reason = str(error.orig) if isinstance(error, DatabaseError) else str(error)
        where = f"The store {self.name!r}"
        if "readonly" in reason or "unable to open" in reason or "permission" in reason:
            return StoreError(f"{where} cannot be written: {reason}.", hint="Check its permissions, or change `store:`.")
        if "malformed" in reason or "not a database" in reason or isinstance(error, ValueError):
            hint = "Move the file away to start anew; nothing in it is deleted by llmops."
            return StoreError(f"{where} is corrupt: {reason}.", hint=hint)
        if "full" in reason:
            return StoreError(f"{where} cannot grow: {reason}.", hint="Free some space and run the same command again.")
        return StoreError(f"{where} failed: {reason}.")


def database(url: str, root: Path) -> Database:
    """The database of a URL; a relative SQLite path starts at `root`, and its folder is made.

    Raises:
        StoreError: an unknown kind of database, or a folder that cannot be made.
    """
    if url.startswith("sqlite:///"):
        return _sqlite(root / url.removeprefix("sqlite:///"))
    scheme = urlsplit(url).scheme or url[:20]
    raise StoreError(f"`store:` is a {scheme!r} URL.", hint="Use a SQLite file: sqlite:///.llmops/llmops.db")


def _sqlite(path: Path) -> Database:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {str(path.parent)!r} cannot be made: {error.strerror}.") from error
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    return Database(str(path), engine, sqlite.insert, "BEGIN IMMEDIATE")


def _set_pragmas(connection: Any, _record: "ConnectionPoolEntry") -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}").close()
