"""Which of the stored runs are held against each other, and what is told meanwhile."""

from pathlib import Path

from llmops.adapters.sql.store import open_store
from llmops.domain.ports import Store
from llmops.domain.runs import CellResult, Run
from llmops.workflows.drift import DriftQuestion, drift_of


class Told:
    """Implements `Progress`."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, list[int]]] = []

    def started(self, what: str, total: int) -> None:
        self.stages.append((what, total, []))

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        self.stages[-1][2].append(done)

    def finished(self) -> None:
        """Nothing to tidy."""

    def note(self, text: str) -> None:
        """Nothing is noted."""


def keep(store: Store, number: int, *, reused: bool = False, ended: int | None = None) -> None:
    """A run that began on a day, and ended on it or on a later one."""
    run = Run(f"r{number}", "evals/s.yaml", "running", f"2026-01-0{number + 1}T00:00:00+00:00", None, "k", 1, {})
    cell = CellResult(0, "c", "p", "t", 0, "scored", "yes", None, {}, cached=reused, node_keys={"generate": "k"})
    store.begin_run(run)
    store.commit([], run.id, [cell])
    end = number if ended is None else ended
    store.finish_run(run.id, "finished", f"2026-01-0{end + 1}T00:01:00+00:00", {})


def test_runs_that_are_left_out_are_no_step_towards_those_that_are_wanted(tmp_path: Path) -> None:
    store = open_store("sqlite:///store.db", tmp_path)
    for number, reused in enumerate((False, True, True, True, False)):
        keep(store, number, reused=reused)
    told = Told()
    found = drift_of("evals/s.yaml", store, DriftQuestion(runs=2), told)
    store.close()
    assert [each.id for each in found.runs] == ["r0", "r4"]
    assert [each.reason for each in found.left_out] == ["every answer was reused"] * 3
    what, total, steps = told.stages[0]
    assert (what, total, steps[-1]) == ("runs", 2, 2)


def test_runs_that_were_copied_late_or_continued_stand_where_their_end_puts_them(tmp_path: Path) -> None:
    store = open_store("sqlite:///store.db", tmp_path)
    for number in (2, 4, 0, 1):
        keep(store, number, ended=3 if number == 0 else None)
    found = drift_of("evals/s.yaml", store, DriftQuestion(), Told())
    since = drift_of("evals/s.yaml", store, DriftQuestion(since="r2"), Told())
    store.close()
    assert [each.id for each in found.runs] == ["r1", "r2", "r0", "r4"]
    assert [each.id for each in since.runs] == ["r2", "r0", "r4"]
