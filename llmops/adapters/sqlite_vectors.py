"""Vectors of passages in a SQLite file: whatever index they were made for, a text is not embedded twice.

The file is a cache. What it cannot give is embedded again, so that no fault of it costs more than time: a damaged file is
started anew, and one that cannot be opened or written is done without.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from llmops.adapters.sqlite_files import read_only_uri
from llmops.domain.caching import LOW_WATER, USED_EVERY_S, Kept, Removed, when_used
from llmops.domain.keys import KEY_BYTES
from llmops.domain.paging import pages

if TYPE_CHECKING:
    from filelock import FileLock
    from numpy import float32
    from numpy.typing import NDArray

KIND = "embed"
"""As `llmops cache` calls it."""
FORMAT = 1
"""Of the file, in its `user_version`."""
BUSY_S = 30.0
PER_QUERY = 500
PAGE_BYTES = 16384
"""Ten vectors of 384 dimensions fill a page, two of 1536."""
LENGTH_TOLERANCE = 0.01
"""How far from 1 the length of a vector may be; what is further off was damaged."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
"""

Result = TypeVar("Result")


class SqliteVectors:
    """Implements `VectorCache`. Several processes may use one file, and several threads one object."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Open nothing yet.

        Args:
            path: of the file; it and its folder are made by the first vector that is kept.
            max_bytes: size of the file; what was not used for longest goes first.
        """
        self.notes: list[str] = []
        self._path = path
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._off = False
        self._lock = Lock()

    def find(self, embedder: str, texts: Sequence[str]) -> "dict[str, NDArray[float32]]":
        """As the port."""
        keys = {_key(embedder, text): text for text in texts}
        nothing: dict[bytes, bytes] = {}
        blobs = self._done(lambda connection: _found(connection, list(keys)), nothing) if self._path.exists() else nothing
        vectors = ((keys[key], _vector(blob)) for key, blob in blobs.items())
        return {text: vector for text, vector in vectors if vector is not None}

    def keep(self, embedder: str, vectors: "Mapping[str, NDArray[float32]]") -> None:
        """As the port."""
        now = int(time.time())
        rows = [(_key(embedder, text), vector.astype("<f4").tobytes(), now) for text, vector in vectors.items()]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
            _evict(connection, self._max_bytes)

        self._done(work, None)

    def kept(self) -> Kept | None:
        """As the port."""
        query = "SELECT count(*), coalesce(sum(length(vector)), 0), min(used), max(used) FROM vectors"
        row = self._done(lambda connection: connection.execute(query).fetchone(), None) if self._path.exists() else None
        return None if row is None or not row[0] else Kept(KIND, row[0], row[1], when_used(row[2]), when_used(row[3]))

    def remove(self, *, before: datetime | None = None) -> Removed:
        """As the port."""
        least = int(before.timestamp()) if before is not None else int(time.time()) + 1

        def work(connection: sqlite3.Connection) -> Removed:
            size = "SELECT count(*), coalesce(sum(length(vector)), 0) FROM vectors"
            count, gone = connection.execute(f"{size} WHERE used < ?", (least,)).fetchone()
            connection.execute("DELETE FROM vectors WHERE used < ?", (least,))
            return Removed(count, gone, connection.execute(size).fetchone()[1])

        if not self._path.exists():
            return Removed()
        removed = self._done(work, Removed())
        self._done(lambda connection: connection.execute("VACUUM").fetchone(), None)
        return removed

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _done(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """What `work` gives in a transaction; `otherwise` when the file cannot be used."""
        with self._lock:
            for _ in range(2):
                if self._off:
                    break
                try:
                    connection = self._opened()
                    with connection:
                        return work(connection)
                except (sqlite3.Error, OSError) as error:
                    self._recover(error)
            return otherwise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if (uri := read_only_uri(self._path)) is not None:
            self._connection = sqlite3.connect(uri, timeout=BUSY_S, check_same_thread=False, uri=True)
            return self._connection
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():  # two processes that make the file at once would find it locked, however long they may wait
            connection = self._connection = sqlite3.connect(self._path, timeout=BUSY_S, check_same_thread=False)
            self._inode = self._path.stat().st_ino
            for pragma in (f"page_size={PAGE_BYTES}", "journal_mode=WAL", "synchronous=NORMAL"):
                connection.execute(f"PRAGMA {pragma}").close()
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, FORMAT):
                raise sqlite3.Error(f"it has format {found}, and this llmops writes {FORMAT}")
            connection.executescript(f"{SCHEMA}PRAGMA user_version={FORMAT};")
        return connection

    def _alone(self) -> "FileLock":
        from filelock import FileLock

        return FileLock(f"{self._path}.lock")

    def _recover(self, error: sqlite3.Error | OSError) -> None:
        """Begin anew with a damaged file; do without one that cannot be used."""
        self.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            self._off = True
            self.notes.append(f"the embedding cache {str(self._path)!r} is not used: {error}; remove it to start anew")
            return
        with self._alone():
            # Where another process has put a new file in its place, that one is left alone.
            if self._path.exists() and self._path.stat().st_ino == self._inode:
                for suffix in ("-wal", "-shm", ""):
                    self._path.with_name(f"{self._path.name}{suffix}").unlink(missing_ok=True)
                told = f"the embedding cache {str(self._path)!r} was damaged ({error}) and is started anew"
                self.notes.append(f"{told}: its texts are embedded again")


def _found(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """The vectors of keys, which are noted as used."""
    now = int(time.time())
    found: dict[bytes, bytes] = {}
    stale: list[bytes] = []
    for some in pages(keys, PER_QUERY):
        query = f"SELECT key, vector, used FROM vectors WHERE key IN ({','.join('?' * len(some))})"
        for key, vector, used in connection.execute(query, some).fetchall():
            found[key] = vector
            stale += [key] if used < now - USED_EVERY_S else []
    for some in pages(stale, PER_QUERY):
        connection.execute(f"UPDATE vectors SET used = ? WHERE key IN ({','.join('?' * len(some))})", (now, *some))
    return found


def _evict(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Remove what was not used for longest, by the share that is too much; pages that get free are filled again."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    used = (pages - free) * size
    if used <= max_bytes:
        return
    rows = connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
    wanted = rows - int(rows * LOW_WATER * max_bytes / used)
    oldest = "SELECT rowid FROM vectors ORDER BY used, rowid LIMIT ?"
    connection.execute(f"DELETE FROM vectors WHERE rowid IN ({oldest})", (wanted,))


def _key(embedder: str, text: str) -> bytes:
    return blake2b(f"{embedder}\x00{text}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def _vector(blob: object) -> "NDArray[float32] | None":
    """A unit vector; None for what is none."""
    import numpy as np

    if not isinstance(blob, bytes) or not blob or len(blob) % 4:
        return None
    vector = np.frombuffer(blob, "<f4").astype(np.float32, copy=False)
    length = float(np.linalg.norm(vector))
    return vector if abs(length - 1) <= LENGTH_TOLERANCE else None  # a NaN is no number near 1
