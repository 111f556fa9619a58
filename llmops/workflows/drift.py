"""`llmops drift`: when a model changed under a suite, and where that shows."""

from collections.abc import Collection, Iterable, Iterator

from llmops.domain.drifts import Drift, LeftOut
from llmops.domain.errors import UsageError
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.runs import Run
from llmops.evaluation.drifting import Observation, SameRequests, new_models
from llmops.settings.validation import nearest
from llmops.workflows.differences import changes
from llmops.workflows.sides import run_of


@record
class DriftQuestion:
    """Which runs are looked at, and how sure a change has to be."""

    runs: int = 30
    """The newest so many that say something."""
    since: str | None = None
    """None before this run, which is named as `Store.run` reads it."""
    prompts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    confidence: float = 0.95


def drift_of(suite: str, store: Store, question: DriftQuestion, progress: Progress) -> Drift:
    """Hold the runs of a suite against each other that asked what its newest one asks.

    Args:
        suite: path of the suite file, as runs record it.
        store: holds the runs.
        question: which of them, and at which confidence.
        progress: of reading and of testing them.

    Raises:
        UsageError: no two runs have answers of their own to compare, or no prompt or target is called so.
    """
    candidates = list(_runs(suite, store, question.since))
    if not candidates:
        raise UsageError(f"No whole run of {suite} has finished.", hint=f"Make one: llmops eval {suite}")
    newest = candidates[0]
    _check("prompt", question.prompts, newest.snapshot.get("prompts", ()))
    _check("target", question.targets, newest.snapshot.get("targets", ()))
    same = SameRequests(newest, store.results(newest.id), prompts=question.prompts, targets=question.targets)
    observed: list[Observation] = []
    left_out: list[LeftOut] = []
    progress.started("runs", min(len(candidates), question.runs))
    for run in candidates:
        if len(observed) == question.runs:
            break
        found = same.observe(run, store.results(run.id))
        if isinstance(found, Observation):
            observed.append(found)
        else:
            differing = "; ".join(changes(run.snapshot, newest.snapshot)) or "other requests"
            left_out.append(LeftOut(run.id, found or differing))
        progress.advanced(len(observed))
    progress.finished()
    observed.reverse()
    signals = same.signals(observed, question.confidence, progress)
    runs, models = tuple(each.run for each in observed), tuple(new_models(observed))
    if not (signals or models):
        told = f"{suite} has no two runs with new answers to the same request of its newest run."
        raise UsageError(told, hint=f"Ask again, now and then: llmops eval {suite} --refresh generate")
    changed = bool(models) or any(signal.changes for signal in signals)
    return Drift(suite, question.confidence, runs, tuple(left_out), signals, models, int(changed))


def _runs(suite: str, store: Store, since: str | None) -> Iterator[Run]:
    """The whole runs of a suite that ended, newest first: by their end, since copied ones come to a store late.

    Raises:
        UsageError: the run to begin with is not among the suite's.
    """
    found = sorted(store.runs(None, suite=suite), key=lambda run: run.finished_at or run.started_at, reverse=True)
    if since is not None:
        first = run_of(store, since, suite).id
        if first not in (ids := [run.id for run in found]):
            raise UsageError(f"The run {first} is not one of {suite}.", hint="List them: llmops runs list")
        found = found[: ids.index(first) + 1]
    return (run for run in found if run.status in ("finished", "incomplete") and not (run.partial or run.aside))


def _check(what: str, named: Iterable[str], known: Collection[str]) -> None:
    for name in named:
        if name not in known:
            raise UsageError(f"The newest run has no {what} {name!r}.", hint=nearest(name, known))
