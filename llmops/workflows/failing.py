"""The cases of a suite that did not pass, as `llmops eval --failed` runs them again."""

from llmops.domain.errors import NothingFailed, NothingSelected
from llmops.domain.ports import Store
from llmops.domain.runs import Run
from llmops.settings.suite import Suite


def failing_cases(suite: Suite, store: Store) -> frozenset[str]:
    """The cases that failed, were unmeasured or did not pass when they were last run, as `pytest --last-failed` has it.

    Raises:
        NothingFailed: there is none.
        NothingSelected: the suite has no run.
    """
    last: dict[str, bool] = {}
    runs = [run for run in store.runs(None, suite=suite.path) if not (_to_be_continued(run) or run.aside)]
    if not runs:
        hint = f"Run it once: llmops eval {suite.path}"
        raise NothingSelected(f"--failed: {suite.path} has no earlier run.", hint=hint)
    for run in runs:
        cells, failing = 0, dict[str, bool]()
        for result in store.results(run.id):
            cells += 1
            bad = result.status != "scored" or result.passed is False
            failing[result.case_id] = failing.get(result.case_id, False) or bad
        last = {**failing, **last}
        if cells == run.cells and not run.partial:
            break
    found = frozenset(case for case, bad in last.items() if bad)
    if not found:
        raise NothingFailed(f"nothing failed in run {runs[0].id}")
    return found


def _to_be_continued(run: Run) -> bool:
    """Whether it says too little of the cases: it is still running, or the same `--failed` will continue it."""
    stopped = run.status in ("interrupted", "over budget")
    return run.status == "running" or (stopped and "--failed" in run.snapshot.get("arguments", ()))
