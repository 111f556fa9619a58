"""Gathers what the answers of several runs to the same requests were like, and finds when that changed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmops.domain.drifts import Change, Moved, NewModel, SeenRun, Signal
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.reports import Direction
from llmops.domain.runs import CellResult, Run
from llmops.evaluation.evaluators.base import SHARE, direction
from llmops.evaluation.evaluators.catalogue import known_by
from llmops.statistics.changepoints import ChangePoint, find_changes
from llmops.statistics.paired import paired_difference

if TYPE_CHECKING:
    from llmops.statistics.series import Floats, Indices

LENGTH = "answer.characters"
"""The signal that needs no evaluator."""
TAG_CASES = 5
"""Cases with a tag from which its mean is told."""
SHOWN = 10
"""Tags and cases of a change that are kept."""

Place = tuple[str, str]
"""Prompt and target."""


@record
class Observation:
    """What one run adds."""

    run: SeenRun
    values: "Mapping[tuple[str, str, str], Floats]"
    """By prompt, target and signal: shape (cases, repeats), NaN where there is none."""
    models: Mapping[Place, frozenset[str]]
    """Names of the models that said that they answered."""


def _asked(result: CellResult) -> str | None:
    """Key of the request that a cell makes; of a conversation, of those of all turns but for the answers in them."""
    return result.asked or result.node_keys.get("generate")


class SameRequests:
    """The requests of one run, and what other runs got as answers to exactly those."""

    def __init__(self, run: Run, results: Iterable[CellResult], *, prompts: Collection[str], targets: Collection[str]) -> None:
        """Args: `prompts`, `targets`: only these; empty: all."""
        self._evaluators = {
            name: told
            for name, told in run.snapshot.get("evaluators", {}).items()
            if (known := known_by(run.snapshot, name)) is not None and not known[0].unit
        }
        self._snapshot = run.snapshot
        self._keys: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._repeats = 1
        self._tags: dict[str, dict[int, None]] = {}
        for result in results:
            key = _asked(result)
            if key is None or (prompts and result.prompt not in prompts) or (targets and result.target not in targets):
                continue
            self._keys[result.id] = key
            self._repeats = max(self._repeats, result.repeat + 1)
            number = self._numbers.setdefault(result.case_id, len(self._numbers))
            for tag in result.tags:
                self._tags.setdefault(tag, {})[number] = None

    def observe(self, run: Run, results: Iterable[CellResult]) -> Observation | str:
        """What a run got as answers, reused ones left out; or why there are none: empty when it asked something else."""
        names = [name for name, told in self._evaluators.items() if run.snapshot.get("evaluators", {}).get(name) == told]
        values: dict[tuple[str, str, str], Floats] = {}
        models: dict[Place, set[str]] = {}
        answers = 0
        silent: set[str] = set()
        for result in results:
            key = self._keys.get(result.id)
            if key is None or _asked(result) != key:
                continue
            if result.output is None or result.cached:
                silent.add("failed" if result.output is None else "was reused")
                continue
            answers += 1
            if result.model is not None and not result.route:
                models.setdefault((result.prompt, result.target), set()).add(result.model)
            for signal, value in _signals(result, names):
                place = (result.prompt, result.target, signal)
                if place not in values:
                    values[place] = self._nothing()
                values[place][self._numbers[result.case_id], result.repeat] = value
        if not answers:
            return f"every answer {' or '.join(sorted(silent))}" if silent else ""
        named = {place: frozenset(each) for place, each in models.items()}
        return Observation(SeenRun(run.id, run.started_at, answers), values, named)

    def _nothing(self) -> "Floats":
        import numpy as np

        return np.full((len(self._numbers), self._repeats), np.nan)

    def signals(self, observed: list[Observation], confidence: float, progress: Progress) -> tuple[Signal, ...]:
        """Every signal that two runs have, in the order of the suite, with its changes.

        Args:
            observed: in the order of time.
            confidence: 1 minus the chance of claiming a change of any signal when there is none.
            progress: of testing them.
        """
        import numpy as np

        absent = self._nothing()
        places = dict.fromkeys(place for each in observed for place in each.values)
        tables = {place: equally_many([each.values.get(place, absent) for each in observed]) for place in places}
        tables = {place: table for place, table in tables.items() if ((~np.isnan(table)).sum(axis=1) > 1).any()}
        if not tables:
            return ()
        progress.started("signals", len(tables))
        rates = [self._is_rate(place[2]) for place in tables]
        found = find_changes(list(tables.values()), rates=rates, confidence=confidence, done=progress.advanced)
        progress.finished()
        runs = [each.run.id for each in observed]
        return tuple(
            Signal(
                signal,
                prompt,
                target,
                self._direction(signal),
                self._is_rate(signal),
                int((~np.isnan(table)).any(axis=1).sum()),
                tuple(None if np.isnan(column).all() else float(np.nanmean(column)) for column in table.T),
                series.p_value,
                series.smallest,
                tuple(self._change(signal, table, point, runs, confidence) for point in _bounded(series.changes, len(runs))),
            )
            for ((prompt, target, signal), table), series in zip(tables.items(), found, strict=True)
        )

    def _change(
        self, signal: str, table: "Floats", point: tuple[int, ChangePoint, int], runs: list[str], confidence: float
    ) -> Change:
        import numpy as np

        first, at, end = point[0], point[1].at, point[2]
        sides = table[:, first:at], table[:, at:end]
        both = np.flatnonzero(~np.isnan(sides[0]).all(axis=1) & ~np.isnan(sides[1]).all(axis=1))
        before, after = (np.nanmean(side[both], axis=1) for side in sides)
        bounds = SHARE if self._is_rate(signal) else None
        found = paired_difference(before, after, bounds=bounds, confidence=confidence)
        measured = np.flatnonzero(~np.isnan(sides[0]).all(axis=0))
        return Change(
            runs[first + measured[-1]],
            runs[at],
            runs[point[1].earliest],
            runs[point[1].latest],
            len(both),
            float(before.mean()),
            float(after.mean()),
            float(after.mean() - before.mean()),
            None if found is None else found.interval,
            tuple(_most(self._by_tag(both, before, after))),
            tuple(_most(self._by_case(both, before, after))),
        )

    def _by_tag(self, both: "Indices", before: "Floats", after: "Floats") -> Iterator[Moved]:
        rows = {int(case): row for row, case in enumerate(both)}
        for tag, cases in self._tags.items():
            chosen = [rows[case] for case in cases if case in rows]
            if len(chosen) >= TAG_CASES:
                yield Moved(tag, len(chosen), float(before[chosen].mean()), float(after[chosen].mean()))

    def _by_case(self, both: "Indices", before: "Floats", after: "Floats") -> Iterator[Moved]:
        ids = list(self._numbers)
        for row, case in enumerate(both):
            yield Moved(ids[int(case)], 1, float(before[row]), float(after[row]))

    def _is_rate(self, signal: str) -> bool:
        return signal.endswith(".pass_rate")

    def _direction(self, signal: str) -> Direction:
        name, _, aggregate = signal.rpartition(".")
        return "neither" if signal == LENGTH else direction(known_by(self._snapshot, name), aggregate)


def equally_many(answers: "Sequence[Floats]") -> "Floats":
    """The mean of each case in each run over as many answers in one run as in the other; NaN where a run has fewer.

    A mean of more answers varies less, and values that change places have to be alike. As many count of a case as leave
    most answers to hold against those of another run.

    Args:
        answers: of each run, shape (cases, repeats), NaN where there is none.

    Returns:
        Shape (cases, runs).
    """
    import numpy as np

    stacked = np.stack(answers, axis=1)
    absent = np.isnan(stacked)
    counts = (~absent).sum(axis=2)
    sizes = np.arange(1, stacked.shape[2] + 1)
    runs = (counts[:, :, None] >= sizes).sum(axis=1)
    size = sizes[((runs - 1) * sizes).argmax(axis=1), None]
    ordered = np.take_along_axis(np.nan_to_num(stacked), np.argsort(absent, axis=2, kind="stable"), axis=2)
    means: Floats = np.take_along_axis(np.cumsum(ordered, axis=2), size[:, :, None] - 1, axis=2)[:, :, 0] / size
    return np.where(counts >= size, means, np.nan)


def new_models(observed: Iterable[Observation]) -> Iterator[NewModel]:
    """Each name of a model that an endpoint gave for the first time after the first run."""
    seen: dict[Place, set[str]] = {}
    last: dict[Place, frozenset[str]] = {}
    for each in observed:
        for place, names in each.models.items():
            for name in sorted(names - seen.get(place, names)):
                yield NewModel(*place, each.run.id, tuple(sorted(last[place])), name)
            seen.setdefault(place, set()).update(names)
            last[place] = names


def _signals(result: CellResult, names: Iterable[str]) -> Iterator[tuple[str, float]]:
    for name in names:
        found: Any = result.evaluations.get(name)
        if found is not None and found.status == "scored" and found.value is not None:
            yield (f"{name}.mean", found.value) if found.passed is None else (f"{name}.pass_rate", float(found.passed))
    yield LENGTH, float(len(result.output or ""))


def _bounded(changes: tuple[ChangePoint, ...], runs: int) -> Iterator[tuple[int, ChangePoint, int]]:
    """Each change with the first run after the one before it, and with the first run of the next one."""
    at = [0, *(each.at for each in changes), runs]
    return zip(at, changes, at[2:], strict=False)


def _most(moved: Iterable[Moved]) -> list[Moved]:
    """Those that moved most, first."""
    told = sorted(moved, key=lambda each: -abs(each.after - each.before))[:SHOWN]
    return [each for each in told if each.after != each.before]
