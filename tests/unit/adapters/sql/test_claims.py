import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.adapters.sql import claims
from llmops.adapters.sql.store import SqlStore, database, open_store
from llmops.domain.runs import Claimed, Node

Open = Callable[[], SqlStore]


@pytest.fixture
def another(url: str) -> Iterator[Open]:
    """Opens the store as one more process would."""
    opened: list[SqlStore] = []

    def again() -> SqlStore:
        opened.append(open_store(url, Path()))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


def node(key: str) -> Node:
    return Node(key, "generate", "answer", "r")


def left(url: str) -> list[str]:
    engine = database(url, Path()).engine
    with engine.connect() as connection:
        found = [row[0] for row in connection.exec_driver_sql("SELECT key FROM claims ORDER BY key")]
    engine.dispose()
    return found


def test_a_key_belongs_to_the_first_who_claims_it_until_its_node_is_there(another: Open, url: str) -> None:
    first, second = another(), another()
    assert first.claim(["b", "a"]) == Claimed(frozenset("ab"), {})
    assert second.claim(["a", "c"]) == Claimed(frozenset("c"), {})
    first.commit([node("a")], "r", [])
    assert second.claim(["a", "b"]) == Claimed(frozenset(), {"a": node("a")})
    assert left(url) == ["b", "c"]


def test_a_node_that_was_made_since_it_was_looked_for_is_not_made_again(another: Open, url: str) -> None:
    first, second = another(), another()
    assert second.nodes(["a"]) == {}
    first.claim(["a"])
    first.commit([node("a")], "r", [])
    assert second.claim(["a"]) == Claimed(frozenset(), {"a": node("a")})
    assert left(url) == []


def test_a_key_that_is_given_up_is_free_at_once(another: Open) -> None:
    first, second = another(), another()
    first.claim(["a", "b"])
    second.release(["a"])  # not its own
    assert second.claim(["a"]).mine == frozenset()
    first.release(["a"])
    assert second.claim(["a", "b"]).mine == frozenset("a")


def test_who_closes_the_store_gives_up_all(another: Open) -> None:
    first, second = another(), another()
    first.claim(["a", "b"])
    first.close()
    assert second.claim(["a", "b"]).mine == frozenset("ab")


def test_who_is_silent_for_the_lease_loses_the_key_and_who_renews_keeps_it(
    another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = another(), another()
    monkeypatch.setattr(claims, "LEASE_S", -1.0)  # as if its lease had run out the moment it was given
    monkeypatch.setattr(claims.Claims, "_renew", lambda self: None)
    assert first.claim(["a"]).mine == frozenset("a")
    assert second.claim(["a"]).mine == frozenset()
    assert second.claim(["a"]).mine == frozenset("a")
    monkeypatch.undo()
    third = another()
    monkeypatch.setattr(claims, "LEASE_S", 0.4)
    assert third.claim(["z"]).mine == frozenset("z")
    for _ in range(4):  # longer than a lease
        threading.Event().wait(0.2)
        assert second.claim(["z"]).mine == frozenset()


def test_of_many_who_claim_the_same_keys_at_once_each_key_has_one_maker(another: Open, url: str) -> None:
    keys = [f"k{number:03}" for number in range(200)]
    made: Counter[str] = Counter()
    errors: list[Exception] = []

    def make(store: SqlStore, order: list[str]) -> None:
        try:
            for start in range(0, len(order), 10):
                claimed = store.claim(order[start : start + 10])
                made.update(claimed.mine)
                store.commit([node(key) for key in claimed.mine], "r", [])
        except Exception as error:
            errors.append(error)

    orders = [keys, keys[::-1], keys, keys[::-1]]
    threads = [threading.Thread(target=make, args=(another(), order)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert made == Counter(keys)
    assert left(url) == []


TAKES = """
import sys, time
from pathlib import Path
from llmops.adapters.sql.store import open_store
store = open_store(sys.argv[1], Path())
store.claim(["a", "b"])
print("claimed", flush=True)
time.sleep(600)
"""


def test_a_killed_process_of_this_machine_has_lost_its_keys_at_once(another: Open, url: str) -> None:
    store = another()
    with subprocess.Popen([sys.executable, "-c", TAKES, url], stdout=subprocess.PIPE, text=True) as taking:
        assert taking.stdout is not None
        assert taking.stdout.readline() == "claimed\n"
        assert store.claim(["a"]) == Claimed(frozenset(), {})
        assert store.claim(["a"]) == Claimed(frozenset(), {})
        taking.kill()
        os.waitid(os.P_PID, taking.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and nobody has reaped it
        store.claim(["a"])
        assert store.claim(["a"]).mine == {"a"}
    store.claim(["b"])
    assert store.claim(["b"]).mine == {"b"}
