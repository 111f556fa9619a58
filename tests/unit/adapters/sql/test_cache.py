"""The nodes of a store as a cache, on SQLite and on PostgreSQL."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from llmops.adapters.sql.cache import NODES_PER_PAGE
from llmops.adapters.sql.store import SqlStore, database, open_store
from llmops.domain.runs import Node, Run

HERE = Path()
HOUR = 3600


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url, HERE)
    yield opened
    opened.close()


def execute(url: str, *statements: str) -> None:
    found = database(url, HERE)
    with found.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    found.engine.dispose()


def put(store: SqlStore, url: str, *ages_h: float, size: int = 98) -> None:
    """Nodes k0, k1 ... of `size` + 2 bytes, last used so many hours ago."""
    store.commit([Node(f"k{i}", "generate", "x" * size, "r") for i in range(len(ages_h))], "r", [])
    now = int(time.time())
    execute(url, *(f"UPDATE nodes SET used = {int(now - age * HOUR)} WHERE key = 'k{i}'" for i, age in enumerate(ages_h)))


def begin(store: SqlStore, *, hours_ago: float) -> None:
    started = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat(timespec="milliseconds")
    store.begin_run(Run(f"run-{hours_ago}", "evals/a.yaml", "running", started, None, "plan", 1, {}))


def left(store: SqlStore) -> list[str]:
    return [key for key, _, _ in store.cache.nodes()]


def test_what_was_not_used_for_longest_goes_first(store: SqlStore, url: str) -> None:
    put(store, url, 2, 5, 3, 4)
    assert store.cache.evict(400).nodes == 0
    done = store.cache.evict(250)  # down to nine tenths of it
    assert (done.nodes, done.bytes, done.left, done.busy) == (2, 200, 200, 0)
    assert left(store) == ["k0", "k2"]


def test_use_is_noted_and_saves_a_node(store: SqlStore, url: str) -> None:
    put(store, url, 5, 4)
    assert set(store.nodes(["k0", "k-unknown"])) == {"k0"}
    store.commit([], "r2", [])
    store.cache.evict(120)
    assert left(store) == ["k0"]


def test_use_is_written_once_in_an_hour(store: SqlStore, url: str) -> None:
    put(store, url, 5, 0.5)
    statements: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *about: statements.append(about[2]))
    store.nodes(["k0", "k1"])
    store.commit([], "r2", [])
    assert len([text for text in statements if text.startswith("UPDATE nodes")]) == 1
    statements.clear()
    store.nodes(["k0", "k1"])
    store.commit([], "r2", [])
    assert all(text.startswith("SELECT") for text in statements)


def test_what_a_run_that_is_going_on_may_need_stays(store: SqlStore, url: str) -> None:
    put(store, url, 1.5, 5, 30)
    begin(store, hours_ago=1)
    done = store.cache.evict(0)
    assert (done.nodes, done.busy, left(store)) == (2, 1, ["k0"])
    done = store.cache.remove()
    assert (done.nodes, done.busy, left(store)) == (0, 1, ["k0"])


def test_what_a_stopped_run_has_paid_for_makes_no_room_but_can_be_removed(store: SqlStore, url: str) -> None:
    put(store, url, 0.5, 5)
    begin(store, hours_ago=1)
    store.finish_run("run-1", "over budget", datetime.now(UTC).isoformat(), None)
    assert (store.cache.evict(0).nodes, left(store)) == (1, ["k0"])
    assert (store.cache.remove().nodes, left(store)) == (1, [])


def test_a_run_that_was_killed_days_ago_keeps_nothing(store: SqlStore, url: str) -> None:
    put(store, url, 1, 5)
    begin(store, hours_ago=50)
    assert store.cache.evict(0).nodes == 2


def test_nodes_go_by_kind_and_by_age(store: SqlStore, url: str) -> None:
    put(store, url, 0, 50)
    store.commit([Node("hits", "retrieve", [], "r")], "r", [])
    kept = {each.kind: (each.nodes, each.bytes) for each in store.cache.kept()}
    assert kept == {"generate": (2, 200), "retrieve": (1, 2)}
    assert store.cache.remove(["retrieve"]).nodes == 1
    assert store.cache.remove(before=datetime.now(UTC) - timedelta(days=1)).nodes == 1
    assert left(store) == ["k0"]
    store.cache.drop(["k0"])
    store.cache.compact()
    assert store.cache.kept() == []


def test_nodes_are_read_page_by_page_and_added_only_when_new(store: SqlStore) -> None:
    keys = [f"{number:05d}" for number in range(2 * NODES_PER_PAGE + 1)]
    store.commit([Node(key, "generate", "mine", "r") for key in keys], "r", [])
    assert left(store) == keys
    assert store.cache.add([Node("00000", "generate", "theirs", "r"), Node("new", "generate", "theirs", "r")]) == 1
    found = store.nodes(["00000", "new"])
    assert (found["00000"].value, found["new"].value) == ("mine", "theirs")


def test_nodes_of_schema_1_count_as_used_at_the_migration(url: str) -> None:
    store = open_store(url, HERE)
    store.commit([Node("k", "generate", "kept", "r")], "r", [])
    store.close()
    execute(
        url,
        "DROP TABLE claims",
        "ALTER TABLE nodes DROP COLUMN used",
        "UPDATE meta SET value = '1' WHERE name = 'schema_version'",
    )
    store = open_store(url, HERE)
    assert store.nodes(["k"])["k"].value == "kept"
    (kept,) = store.cache.kept()
    assert abs(datetime.fromisoformat(kept.oldest) - datetime.now(UTC)) < timedelta(minutes=5)
    store.close()
