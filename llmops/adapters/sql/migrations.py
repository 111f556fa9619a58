"""Versioned steps from the schema of an older llmops to that of this one."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, inspect, select

from llmops.adapters.sql.schema import meta, metadata
from llmops.domain.errors import StoreError
from llmops.domain.records import record

Step = Callable[[Connection], None]


def _note_use(connection: Connection) -> None:
    """1 to 2: when a node was last used, in seconds since 1970; of those that are there, now."""
    connection.exec_driver_sql(f"ALTER TABLE nodes ADD COLUMN used INTEGER NOT NULL DEFAULT {int(time.time())}")


def _claims(connection: Connection) -> None:
    """2 to 3: keys that are being paid for."""
    columns = "key VARCHAR(32) NOT NULL PRIMARY KEY, holder VARCHAR(40) NOT NULL, expires DOUBLE PRECISION NOT NULL"
    connection.exec_driver_sql(f"CREATE TABLE claims ({columns})")
    connection.exec_driver_sql("CREATE INDEX ix_claims_holder ON claims (holder)")


STEPS: tuple[Step, ...] = (_note_use, _claims)
"""STEPS[n - 1] takes schema n to n + 1. A step says in SQL what it does, since the tables of `schema` move on."""


@record
class Migrations:
    """What leads from schema 1 to the newest."""

    steps: Sequence[Step] = STEPS

    @property
    def newest(self) -> int:
        """The version that this llmops writes."""
        return len(self.steps) + 1

    def found(self, connection: Connection) -> int:
        """The version of a store; 0: it has no tables yet.

        Raises:
            StoreError: a newer llmops wrote it.
        """
        if not inspect(connection).has_table(meta.name):
            return 0
        version = int(connection.execute(select(meta.c.value).where(meta.c.name == "schema_version")).scalar() or 0)
        if version > self.newest:
            raise StoreError(
                f"The store {connection.engine.url.database!r} has schema {version}; this llmops reads up to {self.newest}.",
                hint="Upgrade llmops, or name another one under `store:` in llmops.yaml.",
            )
        return version

    def apply(self, connection: Connection) -> None:
        """Bring the store to the newest version, inside the transaction of a connection that keeps others out.

        Raises:
            StoreError: a newer llmops wrote it, or another program has tables there that are called as ours.
        """
        version = self.found(connection)
        if version == 0:
            if taken := sorted(metadata.tables.keys() & inspect(connection).get_table_names()):
                raise StoreError(
                    f"The database {connection.engine.url.database!r} has tables of another program: {', '.join(taken)}.",
                    hint="Have a database made for llmops alone, and name it under `store:` in llmops.yaml.",
                )
            metadata.create_all(connection)
            connection.execute(meta.insert().values(name="schema_version", value=str(self.newest)))
            return
        for step in self.steps[version - 1 :]:
            step(connection)
        connection.execute(meta.update().where(meta.c.name == "schema_version").values(value=str(self.newest)))
