import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from llmops.adapters.sql import schema, sqlite
from llmops.adapters.sql.store import SqlStore, open_store
from llmops.domain.errors import StoreError, UsageError
from llmops.domain.models import Usage
from llmops.domain.runs import CellResult, EvaluatorResult, Node, Run
from llmops.domain.scores import JudgeUse, Span
from llmops.domain.serial import completion_from_json

RUN = Run("20260101-000000-aa", "evals/a.yaml", "running", "2026-01-01T00:00:00Z", None, "plan", 2, {"tool": "1"})
HOSTILE = "a\x00b \ud800 \U0001f600 \x1b[31m '); DROP TABLE nodes; --"


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    opened = open_store(url, Path())
    yield opened
    opened.close()


def node(key: str, value: object = "v", run: str = "r1") -> Node:
    return Node(key, "generate", value, run)


def result(position: int, output: str = "text") -> CellResult:
    judged = EvaluatorResult("scored", 0.5, True, "why", (Span(0, 1, "x"),), {"p": 1.0}, JudgeUse(1, 2, 3, 0.1))
    return CellResult(
        position, f"c{position}", "p", "t", 0, "scored", output, None, {"e": judged}, usage=Usage(1, 2), tags=("a", "b")
    )


def test_nodes_come_back_as_they_were_written_by_key_and_by_run(store: SqlStore) -> None:
    store.commit([node("k1", {"text": HOSTILE}), node("k2", [1, None, 0.5], "r2")], "r1", [])
    assert store.nodes(["k1", "k2", "k3"]) == {"k1": node("k1", {"text": HOSTILE}), "k2": node("k2", [1, None, 0.5], "r2")}
    assert set(store.nodes(["k1", "k2"], runs=["r2"])) == {"k2"}
    assert store.nodes([]) == {}


def test_a_node_that_is_broken_is_told_with_its_key(store: SqlStore) -> None:
    store.commit([node("k1", {"text": "no usage"}), node("k2")], "r1", [])
    with pytest.raises(StoreError, match=r"The node k1 of the store \(generate\) is broken: KeyError: 'usage'\."):
        store.nodes(["k1"])["k1"].read(completion_from_json)
    cut = schema.nodes.update().where(schema.nodes.c.key == "k2").values(value='{"text')
    store.database.transaction(lambda connection: connection.execute(cut))
    with pytest.raises(StoreError, match="The node k2 of the store") as told:
        store.nodes(["k2"])
    assert "llmops cache verify --remove" in (told.value.hint or "")


def test_runs_come_newest_first_of_all_suites_or_of_one(store: SqlStore) -> None:
    for number, suite in enumerate(["a", "b", "b", "a", "b"]):
        store.begin_run(replace(RUN, id=f"r{number}", suite=suite))
    assert [run.id for run in store.runs(2)] == ["r4", "r3"]
    assert [run.id for run in store.runs(2, suite="a")] == ["r3", "r0"]
    assert len(store.runs(None)) == 5
    assert store.runs(suite="c") == []


def test_a_name_that_is_not_utf_8_is_no_fault_of_the_store(store: SqlStore) -> None:
    for use in (lambda: store.run("\udcff"), lambda: store.begin_run(replace(RUN, suite="\udcff"))):
        with pytest.raises(StoreError, match=r"cannot hold '\\udcff': a name in UTF-8 was expected") as told:
            use()
        assert told.value.hint is None


def test_more_keys_than_one_query_may_name(store: SqlStore) -> None:
    written = [node(f"k{i}") for i in range(1203)]
    store.commit(written, "r1", [])
    assert len(store.nodes([n.key for n in written])) == 1203


def test_the_last_write_of_a_node_or_a_result_wins(store: SqlStore) -> None:
    store.commit([node("k", "old")], "r1", [result(0, "old")])
    store.commit([node("k", "new", "r2")], "r1", [result(0, "new")])
    assert store.nodes(["k"])["k"] == node("k", "new", "r2")
    assert [each.output for each in store.results("r1")] == ["new"]


def test_results_come_in_the_order_of_the_plan_with_all_their_parts(store: SqlStore) -> None:
    made = [result(position, HOSTILE) for position in range(1100)]
    store.commit([], "r1", made[550:])
    store.commit([], "r1", made[:550])
    assert list(store.results("r1")) == made
    assert list(store.results("another")) == []


def test_a_run_from_its_begin_to_its_report(store: SqlStore) -> None:
    store.begin_run(RUN)
    assert store.unfinished_run("plan") == RUN
    assert store.report(RUN.id) is None
    store.finish_run(RUN.id, "finished", "2026-01-01T00:00:01Z", {"a": [1]})
    assert store.unfinished_run("plan") is None
    assert store.report(RUN.id) == {"a": [1]}
    assert store.run(RUN.id) == replace(RUN, status="finished", finished_at="2026-01-01T00:00:01Z")


def test_runs_are_named_by_place_and_by_prefix(store: SqlStore) -> None:
    with pytest.raises(UsageError, match="No run") as told:
        store.run("@last")
    assert told.value.hint == "Make one: llmops eval"
    store.begin_run(RUN)
    store.begin_run(replace(RUN, id="20260101-000000-ab"))
    assert [run.id for run in store.runs()] == ["20260101-000000-ab", RUN.id]
    assert (store.run("@last").id, store.run("@last~1").id) == ("20260101-000000-ab", RUN.id)
    assert store.run("20260101-000000-aa").id == RUN.id
    with pytest.raises(UsageError, match="More than one"):
        store.run("20260101")
    for reference, hint in (
        ("%", "List them: llmops runs list"),
        ("latest", "Did you mean `@last`?"),
        ("@last~9", "List them"),
    ):
        with pytest.raises(UsageError, match="No run") as told:
            store.run(reference)
        assert (told.value.hint or "").startswith(hint)


def test_the_last_run_is_none_of_those_that_were_made_aside(store: SqlStore) -> None:
    aside = {"options": {"aside": True}}
    for number in range(60):
        snapshot = {} if number in (3, 30) else aside
        store.begin_run(replace(RUN, id=f"20260101-0000{number:02}-aa", snapshot=snapshot))
    assert [store.run(each).id[9:15] for each in ("@last", "@last~1")] == ["000030", "000003"]
    assert store.run("@last", without=["20260101-000030-aa"]).id == "20260101-000003-aa"
    assert store.run("20260101-000059").aside
    with pytest.raises(UsageError, match="No run is called '@last~2'"):
        store.run("@last~2")


def test_a_run_that_is_continued_is_running_and_the_newest(store: SqlStore) -> None:
    store.begin_run(RUN)
    store.finish_run(RUN.id, "interrupted", "2026-01-01T00:00:01Z", {"a": [1]})
    store.begin_run(replace(RUN, id="20260101-000000-ab", plan_key="another"))
    store.continue_run(RUN.id)
    assert store.run("@last") == store.unfinished_run("plan") == RUN
    assert store.run("@last", without=[RUN.id]).id == "20260101-000000-ab"
    assert store.report(RUN.id) == {"a": [1]}
    store.continue_run("nobody's")
    assert len(store.runs()) == 2


def test_baselines_and_manifests_are_switched(store: SqlStore) -> None:
    suite, index = "evals/" + "x" * 500, "i" * 200
    with pytest.raises(UsageError, match="No suite has a baseline"):
        store.run("@baseline")
    assert (store.baseline(suite), store.manifest(index)) == (None, None)
    for number in ("1", "2"):
        store.set_baseline(suite, number)
        store.set_manifest(index, {"generation": number, "name": HOSTILE})
    assert store.baseline(suite) == "2"
    with pytest.raises(UsageError, match=f"Name it: @baseline:{suite}"):
        store.run("@baseline")
    assert store.manifest(index) == {"generation": "2", "name": HOSTILE}


def test_writers_at_the_same_time_lose_no_row_and_block_nobody(url: str, store: SqlStore) -> None:
    errors: list[Exception] = []

    def write(writer: int) -> None:
        other = open_store(url, Path())
        try:
            for batch in range(10):
                order = range(20) if writer % 2 else reversed(range(20))  # the same nodes, locked from both ends
                shared = [node(f"shared{i}", writer) for i in order]
                other.commit([*shared, node(f"own{writer}-{batch}")], f"r{writer}", [result(batch)])
        except Exception as error:
            errors.append(error)
        finally:
            other.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    own = [f"own{writer}-{batch}" for writer in range(4) for batch in range(10)]
    assert set(store.nodes(own)) == set(own)
    assert all(len(list(store.results(f"r{writer}"))) == 10 for writer in range(4))


def test_a_value_that_json_cannot_say_is_refused_before_anything_is_written(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.commit([node("k", float("nan"))], "r1", [result(0)])
    assert store.nodes(["k"]) == {}
    assert list(store.results("r1")) == []


def test_another_database_is_refused_by_its_scheme(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="begins with 'mysql'"):
        open_store("mysql://user:hidden@host/db", tmp_path)


@pytest.mark.parametrize(
    ("column", "read"), [("snapshot", lambda store: store.run("@last")), ("report", lambda store: store.report(RUN.id))]
)
def test_a_run_that_is_broken_is_told_as_a_fault_of_the_store(
    store: SqlStore, column: str, read: Callable[[SqlStore], object]
) -> None:
    store.begin_run(RUN)
    store.database.transaction(lambda connection: connection.execute(schema.runs.update().values({column: "{half"})))
    with pytest.raises(StoreError, match="(is corrupt|failed): "):
        read(store)


def test_a_corrupt_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="corrupt") as told:
        open_store(f"sqlite:///{path}", tmp_path)
    assert told.value.hint is not None
    assert "Move the file away" in told.value.hint
    assert path.read_bytes() == b"this is no database" * 100


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store("sqlite:///file/store.db", tmp_path)


def test_runs_are_found_without_reading_their_reports(store: SqlStore) -> None:
    store.begin_run(RUN)
    store.finish_run(RUN.id, "interrupted", "2026-01-01T00:00:01Z", {"large": "x" * 1000})
    said: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    assert store.runs(None) == [store.run("@last")] == [store.run(RUN.id)] == [store.unfinished_run(RUN.plan_key)]
    assert not [statement for statement in said if "report" in statement]
    assert store.report(RUN.id) == {"large": "x" * 1000}


def test_a_file_that_another_process_keeps_locked_is_told_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0)
    store, other = (open_store(f"sqlite:///{tmp_path / 'store.db'}", Path()) for _ in range(2))
    with other.database.engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="was kept locked by another process for 0 seconds") as told:
            store.begin_run(RUN)
    assert "Run the same command again" in (told.value.hint or "")
    store.close()
    other.close()
