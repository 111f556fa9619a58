"""`llmops runs delete` and `gc`: which runs may go."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from llmops.domain.ports import Store
from llmops.domain.runs import GOING_ON, Run


def needed_runs(store: Store, runs: Iterable[Run]) -> dict[str, str]:
    """Those of some runs that should stay, with the reason."""
    found: dict[str, str] = {}
    for run in runs:
        if store.baseline(run.suite) == run.id:
            found[run.id] = f"is the baseline of {run.suite}"
        elif run.status == "running" and datetime.fromisoformat(run.started_at) > datetime.now(UTC) - GOING_ON:
            found[run.id] = "began within the last day and may be going on"
    return found


def old_runs(store: Store, keep: int) -> list[str]:
    """Ids of the runs that are not needed and not among the newest `keep` of their suite.

    Those that were made aside are counted apart, so that they crowd out no run of the suite as it stands.
    """
    seen: Counter[tuple[str, bool]] = Counter()
    old: list[Run] = []
    for run in store.runs(None):
        seen[run.suite, run.aside] += 1
        if seen[run.suite, run.aside] > keep:
            old.append(run)
    needed = needed_runs(store, old)
    return [run.id for run in old if run.id not in needed]
