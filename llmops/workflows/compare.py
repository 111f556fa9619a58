"""`llmops compare`: two runs of the store, or a file of pairs, held against each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmops.domain.comparisons import ComparedMetric, Comparison
from llmops.domain.errors import RunIncomplete, UsageError
from llmops.domain.ports import Store
from llmops.domain.records import record
from llmops.domain.reports import EXIT_CODES, Direction
from llmops.domain.runs import UNFINISHED, CellResult, EvaluatorResult, Run
from llmops.evaluation.comparing import Baseline, Flips, Pairs, Question, adjusted, compared, flip
from llmops.evaluation.evaluators.base import ANY, Bounds, Figures, Kind, direction, within
from llmops.evaluation.evaluators.catalogue import known_by
from llmops.evaluation.gating import status_of, value_of
from llmops.evaluation.pair_files import read_pairs
from llmops.settings.validation import nearest
from llmops.statistics.gate import overall
from llmops.workflows.continuing import continuing
from llmops.workflows.differences import changes


@record
class Choice:
    """What of two runs is compared."""

    metrics: tuple[str, ...] = ()
    """Only these; empty: all."""
    prompts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    """One: only it. Two: the first as the baseline has it, held against the second of the candidate. Empty: all, by name."""

    @property
    def apart(self) -> bool:
        """Whether the sides differ even within one run."""
        return any(len({*names}) > 1 for names in (self.prompts, self.targets))


def compare_runs(store: Store, baseline: Run, candidate: Run, question: Question, choice: Choice) -> Comparison:
    """Pair the cells of two runs by case, prompt, target and repeat, and compare every metric that both have.

    Args:
        store: holds both runs.
        baseline: the run to hold against.
        candidate: the run to judge; may be the same, when `choice` names two of its prompts or targets.
        question: confidence and margin.
        choice: of metrics, prompts and targets.

    Raises:
        UsageError: the runs have no cell in common, nothing that a margin judges, or no metric, prompt or target that is
            called so.
        RunIncomplete: a margin is to be judged, and one of the runs has not come to its end.
    """
    if question.margin is not None:
        _check_ended(candidate, baseline)
    snapshot, metrics = candidate.snapshot, choice.metrics
    held = Baseline.of(store.results(baseline.id), snapshot.get("prompts", ()), snapshot.get("targets", ()), {})
    _, prompts, targets, _ = zip(*held.cells, strict=True) if held.cells else [()] * 4
    held = replace(
        held,
        prompts=_facing("prompt", choice.prompts, held.prompts, prompts, snapshot.get("prompts", ())),
        targets=_facing("target", choice.targets, held.targets, targets, snapshot.get("targets", ())),
    )
    collected = _Collected(baseline, candidate)
    for result in store.results(candidate.id):
        place = held.place(result)
        if place is not None:
            collected.add(held.cells.get(place), result)
    collected.spread()
    lost = (case for case in held.cases() if case not in collected.numbers)
    gained = (case for case in collected.gained if case not in collected.numbers)
    judged = {f"{key[0]}.{key[1]}": p for key, p in collected.pairs.items() if collected.direction(*key[:2]) != "neither"}
    if question.margin is not None:
        _check_values(judged, metrics)
    _check_margin(question, judged, metrics)
    rows = [_metric(key, pairs, question, collected) for key, pairs in collected.pairs.items()]
    found = [row for row in rows if row is not None]
    if not found:
        undone = (run for run in (candidate, baseline) if run.status != "finished")
        told = (f"{run.id} is {run.status}, so continue it: llmops eval {run.suite}" for run in undone)
        hint = next(told, "Compare runs of one suite: llmops runs list")
        raise UsageError(f"{baseline.id} and {candidate.id} share no scored cell.", hint=hint)
    selected = _selected(found, metrics)
    _check_judged(question, selected)
    return _comparison(
        (baseline.id, candidate.id),
        selected,
        question,
        changed=(*_stopped(baseline, candidate), *_crossed(choice), *changes(baseline.snapshot, candidate.snapshot)),
        only=(tuple(lost), tuple(gained)),
        unscored=sum(len(pairs.missing) for pairs in collected.pairs.values()),
        flips=collected.flips,
    )


def _facing(
    what: str, named: Sequence[str], known: Mapping[str, str], before: Iterable[str], after: Iterable[str]
) -> Mapping[str, str]:
    """By name in the candidate: the prompts or the targets of the baseline that are held against those.

    Raises:
        UsageError: a name that is not there, or more than two.
    """
    if len(named) > 2:
        raise UsageError(f"--{what} is given {len(named)} times.", hint="Once for both sides, or twice: the baseline's first.")
    if len(named) == 2:
        for name, names, side in zip(named, (before, after), ("baseline", "candidate"), strict=True):
            if name not in (there := list(dict.fromkeys(names))):
                raise UsageError(f"The {side} has no {what} {name!r}.", hint=nearest(name, there))
        return {named[1]: named[0]}
    for name in named:
        if name not in known:
            raise UsageError(f"The runs share no {what} {name!r}.", hint=nearest(name, known))
    return {name: known[name] for name in named or known}


def _check_ended(*runs: Run) -> None:
    """Refuse to judge the cases that a run came to before it was stopped: those may be the quick ones.

    Raises:
        RunIncomplete: one of them has not come to its end.
    """
    for run in runs:
        if run.status in UNFINISHED:
            told = f"Run {run.id} is {run.status}: some of its cases alone are no ground for a verdict."
            raise RunIncomplete(told, hint=continuing(run))


def _stopped(baseline: Run, candidate: Run) -> Iterator[str]:
    """What is to be known of runs that have not come to their end."""
    for side, run in {"baseline": baseline, "candidate": candidate}.items():
        if run.status in UNFINISHED:
            yield f"the {side} is {run.status}: cases that it has not come to are left out"


def _crossed(choice: Choice) -> Iterator[str]:
    """What the sides differ in because it was asked for."""
    for what, named in (("prompt", choice.prompts), ("target", choice.targets)):
        if len({*named}) == 2:
            yield f"{what}: {named[0]} → {named[1]}"


def compare_file(path: Path, root: Path, question: Question, metrics: Sequence[str], lower: Sequence[str]) -> Comparison:
    """Compare the pairs of a file; `lower` names the metrics of which less is better.

    Raises:
        InvalidFiles: a bad line.
        UsageError: no metric is called so.
    """
    pairs = read_pairs(path, root)
    for name in lower:
        if name not in pairs:
            raise UsageError(f"No metric is called {name!r}.", hint=nearest(name, pairs))
    _check_values(pairs, ())
    _check_margin(question, pairs, metrics)
    rows = [
        compared(name, p, question, "lower is better" if name in lower else "higher is better") for name, p in pairs.items()
    ]
    unscored = sum(len(p.missing) for p in pairs.values())
    found = _selected([row for row in rows if row is not None], metrics)
    return _comparison(("baseline", "candidate"), found, question, unscored=unscored)


def _check_values(pairs: Mapping[str, Pairs], metrics: Sequence[str]) -> None:
    """Refuse a metric that would drop out silently.

    Raises:
        UsageError: no case has a value of it on both sides.
    """
    for name, each in pairs.items():
        if not each.baseline and (not metrics or name in metrics):
            raise UsageError(f"The metric {name!r} has no case with a value on both sides.")


def _check_margin(question: Question, pairs: Mapping[str, Pairs], metrics: Sequence[str]) -> None:
    """Refuse a margin that no loss can exceed.

    Raises:
        UsageError: the values of a metric that is judged lie closer together than that.
    """
    for name, each in pairs.items():
        bounds = each.bounds
        if question.margin is None or bounds is None or not each.baseline or (metrics and name not in metrics):
            continue
        if question.margin >= bounds[1] - bounds[0]:
            found = f"every value of {name!r} lies {within(bounds)}, so that no loss is too large."
            raise UsageError(f"--margin {question.margin:g}: {found}", hint="0.05 of a rate is five points; --metric chooses.")


def _check_judged(question: Question, rows: Sequence[ComparedMetric]) -> None:
    """Refuse a margin that would pass without a judgement, as when the evaluator that it is for was renamed.

    Raises:
        UsageError: all figures are in units of their own.
    """
    if question.margin is not None and all(row.verdict == "not judged" for row in rows):
        told = f"--margin {question.margin:g} judges nothing: {', '.join(sorted({row.name for row in rows}))} cannot be judged."
        raise UsageError(told, hint="Compare runs that share an evaluator of quality under one name, or leave the margin out.")


def _selected(found: Sequence[ComparedMetric], metrics: Sequence[str]) -> list[ComparedMetric]:
    names = {metric.name for metric in found}
    for name in metrics:
        if name not in names:
            raise UsageError(f"No metric is called {name!r}.", hint=nearest(name, names))
    return [metric for metric in found if not metrics or metric.name in metrics]


def _comparison(
    sides: tuple[str, str],
    metrics: Sequence[ComparedMetric],
    question: Question,
    *,
    changed: tuple[str, ...] = (),
    only: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
    unscored: int = 0,
    flips: Flips | None = None,
) -> Comparison:
    verdict, flipped = overall(metric.verdict for metric in metrics), flips or Flips()
    return Comparison(
        *sides,
        question.confidence,
        question.margin,
        verdict,
        EXIT_CODES[verdict],
        adjusted(metrics, question.adjustment),
        changed,
        *only,
        unscored,
        flipped.first,
        flipped.broken,
        flipped.mended,
        question.adjustment,
    )


@dataclass
class _Collected:
    """The pairs of two runs, as they are read."""

    baseline: Run
    candidate: Run
    pairs: dict[tuple[str, str, str, str], Pairs] = field(default_factory=dict)
    """By evaluator, aggregate, prompt and target."""
    flips: Flips = field(default_factory=Flips)
    gained: dict[str, None] = field(default_factory=dict)
    """Cases with a cell that the baseline lacks."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Of the cases with a cell that both runs have."""
    kinds: dict[str, tuple[Kind, Figures] | None] = field(default_factory=dict)
    """By evaluator: what is known of it."""
    seen: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    """Evaluators with a result in the baseline and in the candidate."""
    valueless: list[tuple[str | None, str, str, int]] = field(default_factory=list)
    """Evaluator, prompt, target and case of what failed on both sides; None: there is no answer, and all of them did."""

    def add(self, before: CellResult | None, after: CellResult) -> None:
        """One cell of the candidate with the baseline's, when there is one."""
        if before is None:
            self.gained[after.case_id] = None
            return
        case = self.numbers.setdefault(after.case_id, len(self.numbers))
        names = {**before.evaluations, **after.evaluations}
        for seen, side in zip(self.seen, (before, after), strict=True):
            seen.update(side.evaluations)
        for name in names:
            if "unmeasured" not in (status_of(before, name), status_of(after, name)):
                self._take(name, before, after, case)
        if not names:
            self.valueless.append((None, after.prompt, after.target, case))
        found = flip(before, after)
        if found is not None:
            self.flips.add(found)

    def _take(self, name: str, before: CellResult, after: CellResult, case: int) -> None:
        same = before.node_keys == after.node_keys
        aggregates = {**_aggregates(before.evaluations.get(name)), **_aggregates(after.evaluations.get(name))}
        for aggregate in aggregates:
            key = (name, aggregate, after.prompt, after.target)
            if key not in self.pairs:
                self.pairs[key] = Pairs(known=self._reach(name, aggregate), unchanged=True)
            pairs = self.pairs[key]
            old, new = (value_of(each, name, aggregate) for each in (before, after))
            pairs.add(old, new, case)
            pairs.unchanged &= same and old == new
        if not aggregates:
            self.valueless.append((name, after.prompt, after.target, case))

    def spread(self) -> None:
        """Once all cells are added: what failed on both sides lacks a value in every metric that others have there.

        What only one of the runs evaluates is no metric of theirs.
        """
        sides = zip(self.seen, (self.baseline, self.candidate), strict=True)
        known = [seen | set(run.snapshot.get("evaluators", ())) for seen, run in sides]
        self.pairs = {key: pairs for key, pairs in self.pairs.items() if all(key[0] in names for names in known)}
        for key, pairs in self.pairs.items():
            for name, prompt, target, case in self.valueless:
                if name in (None, key[0]) and (prompt, target) == key[2:]:
                    pairs.add(None, None, case)

    def _reach(self, name: str, aggregate: str) -> Bounds:
        known = self._kind(name)
        if known is None or aggregate == "pass_rate":
            return ANY
        return known[1].reach(None if aggregate == "mean" else aggregate)

    def direction(self, name: str, aggregate: str) -> Direction:
        """Which way is better; figures in units of their own, such as seconds, are compared and not judged by the margin."""
        return direction(self._kind(name), aggregate)

    def unit(self, name: str, aggregate: str) -> str:
        """Of a figure; empty without one, and where the evaluator is not known."""
        known = self._kind(name)
        return known[0].unit if known is not None and aggregate == "mean" else ""

    def _kind(self, name: str) -> tuple[Kind, Figures] | None:
        if name not in self.kinds:
            self.kinds[name] = known_by(self.candidate.snapshot, name)
        return self.kinds[name]


def _aggregates(result: EvaluatorResult | None) -> dict[str, None]:
    """What a result counts into."""
    if result is None or result.status != "scored" or result.value is None:
        return {}
    return dict.fromkeys(("mean" if result.passed is None else "pass_rate", *result.parts))


def _metric(key: tuple[str, str, str, str], pairs: Pairs, question: Question, collected: _Collected) -> ComparedMetric | None:
    name, aggregate, prompt, target = key
    found = compared(f"{name}.{aggregate}", pairs, question, collected.direction(name, aggregate))
    if found is None:
        return None
    return replace(found, prompt=prompt, target=target, unit=collected.unit(name, aggregate))
