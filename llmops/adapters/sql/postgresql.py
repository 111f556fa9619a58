"""The store on a PostgreSQL server, through psycopg."""

import logging

from sqlalchemy import URL, create_engine, extract, func, make_url
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ArgumentError

from llmops.adapters.sql.database import Database
from llmops.domain.errors import MissingExtra, StoreError

CONNECT_TIMEOUT_S = 10
CUT_OFF = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "20000"}
"""Options of libpq: a connection that the network has cut off is given up after 20 to 25 s, not after 15 minutes."""
MIGRATION_LOCK = 5_110_770_211
"""Any number that nobody else takes an advisory lock on."""


def postgresql_database(text: str) -> Database:
    """The database of a URL; its options, such as `sslmode`, go to the driver.

    Raises:
        StoreError: no URL.
        MissingExtra: the driver is not installed.
    """
    try:
        url = make_url(text).set(drivername="postgresql+psycopg")
        ways = {"connect_timeout": str(CONNECT_TIMEOUT_S), "application_name": "llmops", **CUT_OFF}
        url = url.update_query_dict({**ways, **url.query})
        if "@" in (url.host or ""):
            raise ValueError("a password with an @ that is not encoded")
        engine = create_engine(url)
    except (ArgumentError, ValueError):
        # The parser's own message repeats the URL, password included.
        hint = "Write it as postgresql://USER@HOST:5432/DATABASE, with special characters percent-encoded."
        raise StoreError("`store:` is no valid URL.", hint=hint) from None
    except ImportError:
        raise MissingExtra("A PostgreSQL store", "postgres") from None
    for library in ("sqlalchemy.pool", "psycopg"):  # they print tracebacks of a lost connection, which is made anew
        logging.getLogger(library).setLevel(logging.CRITICAL)
    name = URL.create("postgresql", url.username, None, url.host, url.port, url.database).render_as_string()
    now = extract("epoch", func.clock_timestamp())
    lock = f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"
    return Database(name, engine, postgresql.insert, lock, now, _explain, remote=True)


def _explain(state: str, reason: str) -> tuple[str, str | None]:
    if state.startswith("28") or "password" in reason:
        return "refuses the login", "Set PGPASSWORD, or write the password to ~/.pgpass; and check the user of `store:`."
    if state == "3D000" or ("database" in reason and "does not exist" in reason):
        return "does not exist", "Have it made: createdb DATABASE"
    if state == "42501":
        return "cannot be written", "Let its owner say: GRANT CREATE ON SCHEMA public TO USER"
    if state.startswith("53"):
        return "has no room", "Free disk space or connections of the server, and run the same command again."
    if state == "" or state.startswith(("08", "57P")):
        return "cannot be reached", "Check that the server runs, and the host, port and sslmode under `store:` in llmops.yaml."
    return "failed", None
