"""The store in a SQLite file."""

import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, event, func
from sqlalchemy.dialects import sqlite

from llmops.adapters.sql.database import Database
from llmops.adapters.sqlite_files import read_only_uri
from llmops.domain.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 60
"""So long is another process waited for that writes, such as one that writes a large file anew."""
DISK_HINT = (
    "Check its permissions, its disk and any limit on the size of files, or change `store:`; then run the same command again: "
    "what was written is kept."
)
UNIX_EPOCH = 2440587.5
"""As a Julian day."""


def sqlite_database(path: Path) -> Database:
    """The database in a file; its folder is made. A file that cannot be written is read.

    Raises:
        StoreError: the folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {str(path.parent)!r} cannot be made: {error.strerror}.") from error
    uri = read_only_uri(path)
    if uri is None:
        engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _set_pragmas)
    else:
        read = partial(sqlite3.connect, uri, timeout=BUSY_TIMEOUT_S, check_same_thread=False, uri=True)
        engine = create_engine(f"sqlite:///{path}", creator=read)
    now = (func.julianday("now") - UNIX_EPOCH) * 86400.0
    explain = partial(_explain, path)
    return Database(str(path), engine, sqlite.insert, "BEGIN IMMEDIATE", now, explain, compacting=_compact)


def _set_pragmas(connection: Any, _record: "ConnectionPoolEntry") -> None:  # noqa: ANN401 -- a DBAPI connection
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _compact(connection: Connection) -> None:
    """Write the whole file anew, unless no page of it is free."""
    if connection.exec_driver_sql("PRAGMA freelist_count").scalar():
        connection.exec_driver_sql("VACUUM")


def _explain(path: Path, state: str, reason: str) -> tuple[str, str | None]:
    if "I/O" in reason or "readonly" in reason or "unable to open" in reason or "permission" in reason:
        return f"cannot be written{_refused(path)}", DISK_HINT
    if state == "corrupt" or "malformed" in reason or "not a database" in reason:
        return "is corrupt", "Move the file away to start anew; nothing in it is deleted by llmops."
    if "locked" in reason:
        hint = "Run the same command again when that process has come further: what was written is kept."
        return f"was kept locked by another process for {BUSY_TIMEOUT_S} seconds", hint
    if "full" in reason:
        return "cannot grow", "Free some space and run the same command again."
    return "failed", None


def _refused(path: Path) -> str:
    """What the system says to a writer, in brackets: SQLite does not pass it on."""
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            if file.exists():
                os.close(os.open(file, os.O_WRONLY))
        except OSError as error:
            return f" ({error.strerror})"
    return ""
