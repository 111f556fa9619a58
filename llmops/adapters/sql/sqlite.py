"""The store in a SQLite file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.dialects import sqlite

from llmops.adapters.sql.database import Database
from llmops.domain.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 30


def sqlite_database(path: Path) -> Database:
    """The database in a file; its folder is made.

    Raises:
        StoreError: the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {str(path.parent)!r} cannot be made: {error.strerror}.") from error
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_pragmas)
    return Database(str(path), engine, sqlite.insert, "BEGIN IMMEDIATE", _explain, compacting="VACUUM")


def _set_pragmas(connection: Any, _record: "ConnectionPoolEntry") -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "temp_store=MEMORY", "mmap_size=268435456"):
        connection.execute(f"PRAGMA {pragma}").close()


def _explain(state: str, reason: str) -> tuple[str, str | None]:
    if "readonly" in reason or "unable to open" in reason or "permission" in reason:
        return "cannot be written", "Check its permissions, or change `store:`."
    if state == "corrupt" or "malformed" in reason or "not a database" in reason:
        return "is corrupt", "Move the file away to start anew; nothing in it is deleted by llmops."
    if "full" in reason:
        return "cannot grow", "Free some space and run the same command again."
    return "failed", None
