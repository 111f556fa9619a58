"""The nodes of a store as a cache: their size, their last use, and which of them may go."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from llmops.adapters.sql import schema
from llmops.adapters.sql.database import Database
from llmops.adapters.sql.rows import node_rows
from llmops.domain.caching import LOW_WATER, USED_EVERY_S, Kept, Removed, when_used
from llmops.domain.paging import pages
from llmops.domain.runs import GOING_ON, UNFINISHED, Node, RunStatus

NODES_PER_PAGE = 500

_size = func.length(schema.nodes.c.value)


def mark_used(connection: Connection, keys: Sequence[str]) -> None:
    """Note that nodes were used just now."""
    for page in pages(keys, NODES_PER_PAGE):
        # Who finds a row locked leaves it to the other, so that two processes never wait for each other in a ring.
        mine = select(schema.nodes.c.key).where(schema.nodes.c.key.in_(page)).with_for_update(skip_locked=True)
        connection.execute(schema.nodes.update().where(schema.nodes.c.key.in_(mine)).values(used=int(time.time())))


class SqlCache:
    """Implements the `Cache` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self) -> list[Kept]:
        """As the port."""
        used = schema.nodes.c.used
        columns = (schema.nodes.c.kind, func.count(), func.sum(_size), func.min(used), func.max(used))
        query = select(*columns).group_by(schema.nodes.c.kind).order_by(schema.nodes.c.kind)
        rows = self._database.transaction(lambda connection: connection.execute(query).all())
        return [
            Kept(kind, count, int(size), when_used(oldest), when_used(newest)) for kind, count, size, oldest, newest in rows
        ]

    def evict(self, max_bytes: int) -> Removed:
        """As the port."""
        return self._database.transaction(lambda connection: _evict(connection, max_bytes))

    def remove(self, kinds: Sequence[str] = (), *, before: datetime | None = None) -> Removed:
        """As the port."""
        wanted: ColumnElement[bool] = schema.nodes.c.kind.in_(kinds) if kinds else true()
        if before is not None:
            wanted = and_(wanted, schema.nodes.c.used < int(before.timestamp()))

        def work(connection: Connection) -> Removed:
            free = _free(connection, ("running",))
            nodes, size = _totals(connection, and_(wanted, free))
            connection.execute(schema.nodes.delete().where(and_(wanted, free)))
            return Removed(nodes, size, _totals(connection, true())[1], _totals(connection, wanted)[0])

        return self._database.transaction(work)

    def drop(self, keys: Sequence[str]) -> None:
        """As the port."""
        self._database.transaction(lambda connection: _delete(connection, keys))

    def nodes(self) -> Iterator[tuple[str, str, str]]:
        """As the port."""
        columns = (schema.nodes.c.key, schema.nodes.c.kind, schema.nodes.c.value)
        page = select(*columns).order_by(schema.nodes.c.key).limit(NODES_PER_PAGE)
        last = ""

        def read(connection: Connection) -> list[tuple[str, str, str]]:
            return [(key, kind, value) for key, kind, value in connection.execute(page.where(schema.nodes.c.key > last))]

        while some := self._database.transaction(read):
            yield from some
            last = some[-1][0]

    def add(self, nodes: Sequence[Node]) -> int:
        """As the port."""
        rows = node_rows(nodes)
        given = select(schema.nodes.c.key).where(schema.nodes.c.key.in_([row["key"] for row in rows]))

        def work(connection: Connection) -> int:
            known = set(connection.execute(given).scalars())
            new = [row for row in rows if row["key"] not in known]
            if new:
                connection.execute(self._database.insert(schema.nodes).on_conflict_do_nothing(index_elements=["key"]), new)
            return len(new)

        return self._database.transaction(work)

    def compact(self) -> None:
        """As the port."""
        self._database.compact()


def _evict(connection: Connection, max_bytes: int) -> Removed:
    total = _totals(connection, true())[1]
    if total <= max_bytes:
        return Removed(left=total)
    free, wanted = _free(connection, UNFINISHED), total - int(max_bytes * LOW_WATER)
    oldest = select(schema.nodes.c.key, _size).where(free).order_by(schema.nodes.c.used, schema.nodes.c.key)
    keys: list[str] = []
    freed = 0
    for key, size in connection.execute(oldest):
        keys.append(key)
        freed += size
        if freed >= wanted:
            break
    _delete(connection, keys)
    busy = 0 if total - freed <= max_bytes else _totals(connection, true())[0]
    return Removed(len(keys), freed, total - freed, busy)


def _delete(connection: Connection, keys: Sequence[str]) -> None:
    for page in pages(keys, NODES_PER_PAGE):
        connection.execute(schema.nodes.delete().where(schema.nodes.c.key.in_(page)))


def _totals(connection: Connection, wanted: ColumnElement[bool]) -> tuple[int, int]:
    """Number and bytes of some nodes."""
    nodes, size = connection.execute(select(func.count(), func.coalesce(func.sum(_size), 0)).where(wanted)).one()
    return nodes, int(size)


def _free(connection: Connection, statuses: Sequence[RunStatus]) -> ColumnElement[bool]:
    """The nodes that no run of these statuses can have used."""
    earliest = (datetime.now(UTC) - GOING_ON).isoformat(timespec="milliseconds")
    going = schema.runs.c.status.in_(statuses) & (schema.runs.c.started_at > earliest)
    first = connection.execute(select(func.min(schema.runs.c.started_at)).where(going)).scalar()
    if first is None:
        return true()
    return schema.nodes.c.used < int(datetime.fromisoformat(first).timestamp()) - USED_EVERY_S
