"""Copies one store into another, between any two databases. Done again it goes on where it stopped."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, Table, func, select, tuple_

from llmops.adapters.sql.database import Database
from llmops.adapters.sql.schema import baselines, nodes, results, runs
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.stores import Copied

ROWS_PER_PAGE = 500


@record
class _Part:
    """A table with what tells its rows apart."""

    table: Table
    order: tuple[str, ...]
    """Columns that pages follow."""
    key: tuple[str, ...]
    """Columns that name a row in every store."""
    run: str | None = None
    """Column with the run of a row, which is written again where that run has gone on since an earlier copy."""


PARTS = (
    _Part(nodes, ("key",), ("key",)),
    _Part(results, ("run", "position"), ("run", "position"), run="run"),
    _Part(runs, ("number",), ("id",), run="id"),  # after their results: a run that is there is there whole
    _Part(baselines, ("suite",), ("suite",)),
)
"""Claims are of running processes, and manifests of the indexes on one machine: neither is copied."""


def copy(source: Database, target: Database, progress: Progress) -> Copied:
    """Copy what the target lacks. Each page is a transaction of its own, so that an interrupted copy loses little.

    The source may be in use: a run that began, ended or was continued meanwhile comes with the next copy.

    Raises:
        StoreError: one of the two cannot be used.
    """
    totals = {part.table.name: source.transaction(partial(_count, part.table)) for part in PARTS}
    written = dict.fromkeys(totals, 0)
    ends = _ends(source)
    done, settled = 0, _settled(ends, _ends(target))
    progress.started("rows", sum(totals.values()))
    try:
        for part in PARTS:
            for page in _pages(source, part):
                rows = [row for row in page if part.run is None or row._mapping[part.run] not in settled]
                if part.table is runs:  # results that came in behind the pages above were missed
                    rows = [row for row in rows if ends.get(row.id) == (row.finished_at or "")]
                elif part.table is baselines:
                    rows = [row for row in rows if ends.get(row.run)]
                written[part.table.name] += target.transaction(partial(_write, target, part, rows)) if rows else 0
                done += len(page)
                progress.advanced(done)
    finally:
        progress.finished()
    return Copied(totals, written)


def _count(table: Table, connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _ends(database: Database) -> dict[str, str]:
    """By run: when it ended; empty while it has not."""
    query = select(runs.c.id, runs.c.finished_at)
    return {row.id: row.finished_at or "" for row in database.transaction(partial(_read, query))}


def _settled(here: Mapping[str, str], there: Mapping[str, str]) -> set[str]:
    """Runs that ended in the target as late as in the source, or later: what is there of them stays."""
    return {run for run, end in there.items() if end and end >= here.get(run, "")}


def _pages(source: Database, part: _Part) -> Iterator[Sequence[Row[Any]]]:
    order = _columns(part, part.order)
    query = select(part.table).order_by(*order).limit(ROWS_PER_PAGE)
    page = source.transaction(partial(_read, query))
    while page:
        yield page
        last = tuple(page[-1]._mapping[column] for column in order)
        page = source.transaction(partial(_read, query.where(tuple_(*order) > last)))


def _read(query: Select[Any], connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(query).all()


def _write(target: Database, part: _Part, page: Sequence[Row[Any]], connection: Connection) -> int:
    """Write a page; how many of its rows are new."""
    key = _columns(part, part.key)
    rows = {tuple(row._mapping[column] for column in key): _values(row) for row in page}
    known = {tuple(found) for found in connection.execute(select(*key).where(tuple_(*key).in_(list(rows))))}
    if part.run is not None:
        connection.execute(target.replacing(part.table, *part.key), list(rows.values()))
    elif new := [values for place, values in rows.items() if place not in known]:
        connection.execute(target.insert(part.table).on_conflict_do_nothing(index_elements=list(part.key)), new)
    return len(rows) - len(known)


def _columns(part: _Part, names: Sequence[str]) -> list[Column[Any]]:
    return [part.table.c[name] for name in names]


def _values(row: Row[Any]) -> Mapping[str, Any]:
    """A row as it is written; the number of a run is the target's own."""
    return {name: value for name, value in row._mapping.items() if name != "number"}
