"""Claims on keys: which process makes a node, so that no two pay for one."""

import os
import secrets
import socket
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.exc import SQLAlchemyError

from llmops.adapters.sql.database import Database
from llmops.adapters.sql.rows import node_of
from llmops.adapters.sql.schema import claims, nodes
from llmops.domain.errors import StoreError
from llmops.domain.keys import content_hash
from llmops.domain.runs import Claimed

LEASE_S = 60.0
"""A process that has not been heard of for so long has lost its claims. By the database's clock. One of this machine that
is gone, such as a killed run that is being continued, has lost them at once."""

_STANDING = (
    select(claims.c.key, claims.c.holder, nodes.c.kind, nodes.c.value, nodes.c.run)
    .join(nodes, nodes.c.key == claims.c.key, isouter=True)
    .where(claims.c.key.in_(bindparam("keys", expanding=True)))
)
"""Claims with their nodes, where these are made already."""


class Claims:
    """Those of one process. They are renewed in a thread of their own, so that busy code does not lose them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        fresh = database.insert(claims).values(expires=database.now + bindparam("lease"))
        self._insert = fresh.on_conflict_do_nothing(index_elements=["key"])
        self._holder = f"{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"
        self._held: set[str] = set()
        self._closed = Event()
        self._renewing: Thread | None = None
        self.writing = Lock()
        """Held while claims change, so that two threads of this process never lock the same rows in different orders."""

    def take(self, keys: Sequence[str]) -> Claimed:
        """As `Store.claim`. A node is looked for after its claim, so that none is missed whose claim has just ended."""
        rows = [{"key": key, "holder": self._holder, "lease": LEASE_S} for key in sorted(set(keys))]

        def claim(connection: Connection) -> Claimed:
            connection.execute(self._insert, rows)
            mine, found, others = set(), {}, {}
            for key, holder, *made in connection.execute(_STANDING, {"keys": keys}):
                if made[1] is not None:
                    found[key] = node_of(key, *made)
                elif holder == self._holder:
                    mine.add(key)
                else:
                    others[key] = holder
            self._delete(connection, found.keys())
            if others:
                lost = (claims.c.expires < self._database.now) | claims.c.holder.in_(_gone(set(others.values())))
                connection.execute(delete(claims).where(claims.c.key.in_(sorted(others)), lost))
            return Claimed(frozenset(mine), found)

        claimed = self._database.transaction(claim)
        self._held |= claimed.mine
        if self._renewing is None and claimed.mine:
            self._renewing = Thread(target=self._renew, name="llmops-claims", daemon=True)
            self._renewing.start()
        return claimed

    def end(self, connection: Connection, keys: Iterable[str]) -> None:
        """Give up claims inside a transaction."""
        self._delete(connection, self._held.intersection(keys))

    def _delete(self, connection: Connection, keys: Collection[str]) -> None:
        if keys:
            connection.execute(delete(claims).where(claims.c.holder == self._holder, claims.c.key.in_(sorted(keys))))

    def ended(self, keys: Iterable[str]) -> None:
        """That transaction went through."""
        self._held.difference_update(keys)

    def close(self) -> None:
        """Give up all of them; a database that cannot be reached forgets them by itself."""
        self._closed.set()
        if self._held:
            with suppress(SQLAlchemyError), self._database.engine.begin() as connection:
                connection.execute(delete(claims).where(claims.c.holder == self._holder))

    def _renew(self) -> None:
        longer = update(claims).where(claims.c.holder == self._holder).values(expires=self._database.now + LEASE_S)
        while not self._closed.wait(LEASE_S / 4):
            if self._held:
                with suppress(StoreError), self.writing:  # whoever commits next tells it
                    self._database.transaction(lambda connection: connection.execute(longer))


def _machine() -> str:
    """Names this machine, as it was started, and the processes that can see each other on it."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        known.append(os.readlink("/proc/self/ns/pid"))
    return content_hash("\n".join(known))[:8]


def _gone(holders: Collection[str]) -> list[str]:
    """Those that were processes of this machine and are no more; nothing where that cannot be told."""
    here = f"{_machine()}-"
    return sorted(holder for holder in holders if holder.startswith(here) and not _alive(int(holder.split("-")[1])))


def _alive(pid: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    with suppress(OSError, IndexError):  # killed, and nobody has asked yet how it ended
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] != "Z"
    return True
