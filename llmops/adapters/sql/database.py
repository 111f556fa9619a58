"""A database that can hold the store: transactions that outlast a restart, and errors told with the next step."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError

from llmops.domain.errors import StoreError
from llmops.domain.records import record

RECONNECT_S = 60.0
"""So long is a server that was there waited for."""
RETRY_EVERY_S = 0.25

Result = TypeVar("Result")
Explain = Callable[[str, str], tuple[str, str | None]]
"""From SQLSTATE and reason to what happened and the next step."""


@record
class Database:
    """One database with its ways."""

    name: str
    """As messages name it, without a password."""
    engine: Engine
    insert: Callable[[Table], Any]
    """An INSERT that knows ON CONFLICT."""
    lock: str
    """SQL that keeps other processes from migrating until the transaction ends."""
    now: ColumnElement[Any]
    """Seconds since 1970 by the database's clock, which all processes share."""
    explain: Explain
    remote: bool = False
    """A server, which may go away and come back."""
    compacting: Callable[[Connection], None] | None = None
    """Gives the room of removed rows back; None where the server does so itself."""

    def replacing(self, table: Table, *key: str) -> Any:  # noqa: ANN401 -- SQLAlchemy's own generics
        """An INSERT that replaces the row of the same key, which keeps its number where it has one."""
        statement = self.insert(table)
        changed = [column.name for column in table.columns if not (column.name in key or column.primary_key)]
        new = {name: statement.excluded[name] for name in changed}
        return statement.on_conflict_do_update(index_elements=list(key), set_=new)

    def locked(self, work: Callable[[Connection], None]) -> None:
        """Do something in one transaction while no other process does the same."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql(self.lock)
            work(connection)

    def compact(self) -> None:
        """Give the room of removed rows back.

        Raises:
            StoreError: there is not enough of it to copy what is left.
        """
        if self.compacting is None:
            return
        try:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                self.compacting(connection)
        except SQLAlchemyError as error:
            raise self.translated(error) from error

    def transaction(self, work: Callable[[Connection], Result], *, patient: bool = True) -> Result:
        """What `work` gives in one transaction.

        `work` has to be repeatable: it is done again when the server goes away meanwhile.

        Raises:
            StoreError: it failed, or the server did not come back within `RECONNECT_S`.
        """
        until = time.monotonic() + (RECONNECT_S if patient else 0.0)
        while True:
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not (self.remote and _passing(error)) or time.monotonic() >= until:
                    raise self.translated(error) from error
                time.sleep(RETRY_EVERY_S)
            except (SQLAlchemyError, ValueError) as error:
                raise self.translated(error) from error

    def translated(self, error: Exception) -> StoreError:
        """An error of the database, with the next step."""
        if isinstance(error, UnicodeEncodeError):  # a command line and a file system may name things in other bytes
            return StoreError(f"The store {self.name!r} cannot hold {error.object!r}: a name in UTF-8 was expected.")
        reason = " ".join((str(error.orig) if isinstance(error, DatabaseError) else str(error)).split())
        state = _state(error) if isinstance(error, DBAPIError) else "corrupt"
        found, hint = self.explain(state, reason)
        return StoreError(f"The store {self.name!r} {found}: {reason.rstrip('.')}.", hint=hint)


def _state(error: DBAPIError) -> str:
    """The SQLSTATE; empty when the server said nothing, and "driver" when it was not asked: its driver refused."""
    lost = error.connection_invalidated or isinstance(error, OperationalError)
    return getattr(error.orig, "sqlstate", None) or ("" if lost else "driver")


def _passing(error: DBAPIError) -> bool:
    """Whether the same work may go through later: the server is away or restarting, or chose us as a deadlock's victim."""
    state = _state(error)
    return error.connection_invalidated or state in ("", "40001", "40P01") or state.startswith(("08", "57P"))
