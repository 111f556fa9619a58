from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from llmops.adapters.sql import copying
from llmops.adapters.sql.store import SqlStore, copy_store, open_store, store_status
from llmops.domain.errors import UsageError
from llmops.domain.runs import CellResult, Node, Run

HERE = Path()
RUN = Run("20260101-000000-aa", "evals/a.yaml", "running", "2026-01-01T00:00:00Z", None, "plan", 2, {"tool": "1"})
CELLS = 1203
"""More than two pages."""


class Steps:
    """Counts rows, and may stop the copy after some."""

    def __init__(self, stop_after: int | None = None, meanwhile: Callable[[], None] | None = None) -> None:
        self.total = self.done = 0
        self._stop_after = stop_after
        self._meanwhile = meanwhile

    def started(self, what: str, total: int) -> None:
        self.total = total

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        self.done = done
        if self._stop_after is not None and done >= self._stop_after:
            raise KeyboardInterrupt
        if self._meanwhile is not None and done > 2 * CELLS - 3:  # all results of the first run are read
            self._meanwhile()
            self._meanwhile = None

    def finished(self) -> None:
        pass

    def note(self, text: str) -> None:
        pass


def cell(position: int) -> CellResult:
    return CellResult(position, f"c{position}", "p", "t", 0, "scored", f"\x00 {position}", None, {})


@pytest.fixture
def filled(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    store = open_store(url, HERE)
    store.begin_run(RUN)
    store.commit([Node(f"k{i:05}", "generate", i, RUN.id) for i in range(CELLS)], RUN.id, [cell(i) for i in range(CELLS)])
    store.finish_run(RUN.id, "finished", "2026-01-01T00:00:01Z", {"a": 1})
    store.set_baseline("evals/a.yaml", RUN.id)
    store.close()
    return url


def whole(url: str) -> bool:
    store = open_store(url, HERE)
    try:
        return (
            [r.position for r in store.results(RUN.id)] == list(range(CELLS))
            and len(store.nodes([f"k{i:05}" for i in range(CELLS)])) == CELLS
            and store.run("@last") == replace(RUN, status="finished", finished_at="2026-01-01T00:00:01Z")
            and store.report(RUN.id) == {"a": 1}
            and store.baseline("evals/a.yaml") == RUN.id
        )
    finally:
        store.close()


def test_a_copy_holds_all_and_a_second_one_writes_nothing_new(filled: str, url: str) -> None:
    steps = Steps()
    copied = copy_store(filled, url, HERE, steps)
    assert copied.read == copied.written == {"nodes": CELLS, "results": CELLS, "runs": 1, "baselines": 1}
    assert steps.done == steps.total == 2 * CELLS + 2
    assert whole(url)
    assert set(copy_store(filled, url, HERE, Steps()).written.values()) == {0}


def test_a_stopped_copy_shows_no_run_half_and_goes_on_where_it_stopped(filled: str, url: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        copy_store(filled, url, HERE, Steps(stop_after=CELLS + copying.ROWS_PER_PAGE))
    store = open_store(url, HERE)
    assert store.runs() == []
    store.close()
    again = copy_store(filled, url, HERE, Steps())
    assert again.written["nodes"] == 0
    assert again.written["results"] == CELLS - copying.ROWS_PER_PAGE
    assert whole(url)


def test_what_the_target_has_stays_and_a_run_that_has_ended_since_is_brought_up_to_date(filled: str, url: str) -> None:
    target = open_store(url, HERE)
    target.begin_run(replace(RUN, id="theirs"))
    target.begin_run(RUN)  # an earlier copy, while it was running
    failed = replace(cell(7), status="failed", output=None, error="away")
    target.commit([], RUN.id, [failed])
    target.set_baseline("evals/a.yaml", "theirs")
    target.commit([Node("k00000", "generate", "theirs", "theirs")], "theirs", [])
    target.close()
    copy_store(filled, url, HERE, Steps())
    target = open_store(url, HERE)
    assert {run.id: run.status for run in target.runs()} == {"theirs": "running", RUN.id: "finished"}
    assert list(target.results(RUN.id))[7] == cell(7)
    assert [run.id for run in target.runs()] == [RUN.id, "theirs"]
    assert target.baseline("evals/a.yaml") == "theirs"
    assert target.nodes(["k00000"])["k00000"].value == "theirs"
    target.begin_run(replace(RUN, id="next"))  # the numbers of runs go on
    assert target.run("@last").id == "next"
    target.close()


def test_a_run_that_went_on_in_the_target_is_not_set_back(filled: str, url: str) -> None:
    copy_store(filled, url, HERE, Steps())
    target = open_store(url, HERE)
    again = replace(cell(7), output="asked once more")
    target.commit([], RUN.id, [again])
    target.finish_run(RUN.id, "over budget", "2026-01-02T00:00:00Z", {"a": 2})
    target.close()
    source = open_store(filled, HERE)
    source.continue_run(RUN.id)  # it is running here, or was killed
    source.close()
    for _ in range(2):
        copy_store(filled, url, HERE, Steps())
        target = open_store(url, HERE)
        assert (target.run("@last").status, target.report(RUN.id)) == ("over budget", {"a": 2})
        assert list(target.results(RUN.id))[7] == again
        target.close()
        source = open_store(filled, HERE)
        source.finish_run(RUN.id, "finished", "2026-01-01T12:00:00Z", {"a": 1})
        source.close()


def test_a_run_that_ends_while_the_store_is_copied_comes_whole_with_the_next_copy(filled: str, url: str) -> None:
    source = open_store(filled, HERE)
    for name in ("new", RUN.id):
        source.delete_runs([name])
        source.begin_run(replace(RUN, id=name))
        source.commit([], name, [cell(i) for i in range(CELLS - 1)])

    def end() -> None:
        for name in ("new", RUN.id):
            source.commit([], name, [cell(CELLS - 1)])
            source.finish_run(name, "finished", "2026-01-01T00:00:01Z", {"a": 1})
        source.set_baseline("evals/a.yaml", "new")

    copy_store(filled, url, HERE, Steps(meanwhile=end))
    copied = store_status(url, HERE).rows
    assert (copied["runs"], copied["baselines"], copied["results"] > CELLS) == (0, 0, True)
    copy_store(filled, url, HERE, Steps())
    target = open_store(url, HERE)
    for name in ("new", RUN.id):
        assert (target.run(name).status, len(list(target.results(name)))) == ("finished", CELLS)
    assert target.baseline("evals/a.yaml") == "new"
    target.close()
    source.close()


def test_a_server_is_copied_back_into_a_file(filled: str, url: str, tmp_path: Path) -> None:
    copy_store(filled, url, HERE, Steps())
    back = f"sqlite:///{tmp_path / 'back.db'}"
    copy_store(url, back, HERE, Steps())
    assert whole(back)


def test_nothing_to_copy_and_a_store_into_itself_are_refused(filled: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no store"):
        copy_store(f"sqlite:///{tmp_path / 'none.db'}", filled, HERE, Steps())
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(UsageError, match="the same store"):
        copy_store(filled, filled, HERE, Steps())


def test_a_look_at_a_store_changes_nothing(url: str) -> None:
    assert store_status(url, HERE).schema == 0
    assert store_status(url, HERE).rows == {}
    store: SqlStore = open_store(url, HERE)
    store.begin_run(RUN)
    store.close()
    status = store_status(url, HERE)
    assert (status.schema, dict(status.rows)["runs"]) == (status.newest, 1)
