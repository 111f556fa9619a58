from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from llmops.adapters.sql.migrations import STEPS, Migrations
from llmops.adapters.sql.store import database, open_store
from llmops.domain.errors import StoreError
from llmops.domain.runs import Node

HERE = Path()


def add_notes(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE notes (text VARCHAR(20))")
    connection.exec_driver_sql("INSERT INTO notes SELECT key FROM nodes")


def fail(connection: Connection) -> None:
    raise ValueError("this step cannot be taken")


ONE_MORE = Migrations((*STEPS, add_notes))
BROKEN = Migrations((*STEPS, add_notes, fail))


@pytest.fixture
def filled(url: str) -> str:
    store = open_store(url, HERE)
    store.commit([Node("k", "generate", {"text": "kept"}, "r")], "r", [])
    store.close()
    return url


def read(url: str, query: str) -> list[object]:
    engine = database(url, HERE).engine
    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.exec_driver_sql(query)]
    finally:
        engine.dispose()


def version(url: str) -> str:
    (found,) = read(url, "SELECT value FROM meta WHERE name = 'schema_version'")
    return str(found)


def test_a_new_store_has_the_newest_schema_at_once(url: str) -> None:
    open_store(url, HERE).close()
    assert version(url) == str(len(STEPS) + 1)


def test_an_older_store_goes_through_each_step_once_and_keeps_its_rows(filled: str) -> None:
    for _ in range(2):
        open_store(filled, HERE, ONE_MORE).close()
        assert read(filled, "SELECT text FROM notes") == ["k"]
    assert version(filled) == str(ONE_MORE.newest)
    store = open_store(filled, HERE, ONE_MORE)
    assert store.nodes(["k"])["k"].value == {"text": "kept"}
    store.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(filled: str) -> None:
    before = version(filled)
    with pytest.raises(StoreError, match="this step cannot be taken"):
        open_store(filled, HERE, BROKEN)
    assert version(filled) == before
    open_store(filled, HERE, ONE_MORE).close()  # `notes` was not left behind half made
    assert read(filled, "SELECT text FROM notes") == ["k"]


def test_a_newer_store_is_refused_with_both_versions_and_left_alone(filled: str) -> None:
    open_store(filled, HERE, ONE_MORE).close()
    with pytest.raises(
        StoreError, match=f"has schema {ONE_MORE.newest}; this llmops reads up to {ONE_MORE.newest - 1}"
    ) as told:
        open_store(filled, HERE)
    assert told.value.hint is not None
    assert "Upgrade llmops" in told.value.hint
    assert version(filled) == str(ONE_MORE.newest)


SCHEMA_1 = (
    "CREATE TABLE meta (name VARCHAR(40) NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE nodes (key VARCHAR(32) NOT NULL PRIMARY KEY, kind VARCHAR(20) NOT NULL, value TEXT NOT NULL, "
    "run VARCHAR(40) NOT NULL)",
    "INSERT INTO meta VALUES ('schema_version', '1')",
    "INSERT INTO nodes VALUES ('k', 'generate', '{\"text\":\"kept\"}', 'r')",
)


def test_a_store_of_the_first_release_is_brought_up_to_date(url: str) -> None:
    engine = database(url, HERE).engine
    with engine.begin() as connection:
        for statement in SCHEMA_1:
            connection.exec_driver_sql(statement)
    engine.dispose()
    store = open_store(url, HERE)
    assert store.nodes(["k"])["k"].value == {"text": "kept"}
    assert store.claim(["a"]).mine == {"a"}
    store.close()
    assert version(url) == str(len(STEPS) + 1)


def test_a_database_where_another_program_has_tables_of_our_names_is_left_alone(url: str) -> None:
    theirs = database(url, HERE)
    with theirs.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (experiment VARCHAR(20))")
    theirs.engine.dispose()
    with pytest.raises(StoreError, match=r"has tables of another program: runs\."):
        open_store(url, HERE)
    theirs = database(url, HERE)
    with theirs.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["runs"]
    theirs.engine.dispose()
