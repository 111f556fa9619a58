"""Judges pairs of values: the difference of a metric between two sides, and whether it is within a margin."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import asin, sqrt
from statistics import fmean, pstdev
from typing import Any

from llmops.domain.comparisons import Adjustment, ComparedMetric
from llmops.domain.records import record
from llmops.domain.reports import Direction, Flip, Verdict
from llmops.domain.runs import CellResult
from llmops.evaluation.evaluators.base import ANY, SHARE, Bounds, closed
from llmops.settings.secrets import masked
from llmops.statistics.adjust import benjamini_hochberg, holm
from llmops.statistics.gate import Kind, impute, interval_confidence, judge_relative, settle
from llmops.statistics.intervals import Estimate, mean_interval
from llmops.statistics.paired import UNCHANGED, PairedDifference, paired_difference, paired_quantile_difference

MAX_FLIPS = 200
MAX_OUTPUT = 2000
"""Flipped cells, and characters of an answer, that are kept."""

ANY_VALUE = (-1e300, 1e300)
"""Bounds of what a missing value could be where there are none: beyond all values, and what lies between can be computed."""


def partners(before: Sequence[str], after: Sequence[str]) -> dict[str, str]:
    """What each prompt or target of a candidate is held against in the baseline.

    The one of the same name; else the only one that is the same prompt at another version; else a lone one is held against
    a lone one, whatever they are called.

    Returns:
        The baseline's name for each name of the candidate that has a partner.
    """
    found: dict[str, str] = {}
    for name in after:
        same = [each for each in before if each.partition("@")[0] == name.partition("@")[0]]
        if name in before:
            found[name] = name
        elif len(same) == 1:
            found[name] = same[0]
        elif len(before) == len(after) == 1:
            found[name] = before[0]
    return found


Place = tuple[str, str, str, int]
"""Case, prompt, target and repeat of a cell."""


@record
class Baseline:
    """The cells of a run that a candidate is held against."""

    cells: Mapping[Place, CellResult]
    prompts: Mapping[str, str]
    targets: Mapping[str, str]
    """By name in the candidate: what it is held against here."""
    evaluators: Mapping[str, Any] = field(default_factory=dict)
    """By name: how the baseline's evaluators were set, as its run recorded it."""

    @classmethod
    def of(
        cls, results: Iterable[CellResult], prompts: Iterable[str], targets: Iterable[str], evaluators: Mapping[str, Any]
    ) -> "Baseline":
        """Index the cells of the baseline for a candidate with these prompts and targets."""
        cells = {(each.case_id, each.prompt, each.target, each.repeat): each for each in results}
        own, asked = dict.fromkeys(place[1] for place in cells), dict.fromkeys(place[2] for place in cells)
        found = partners(list(own), list(prompts) or [""]), partners(list(asked), list(targets) or [""])
        return cls(cells, *found, evaluators)

    def cases(self) -> dict[str, None]:
        """Those with a cell that could be held against one of the candidate, in order."""
        prompts, targets = {*self.prompts.values()}, {*self.targets.values()}
        return {case: None for case, prompt, target, _ in self.cells if prompt in prompts and target in targets}

    def otherwise(self, evaluators: Mapping[str, Any]) -> frozenset[str]:
        """Those of a candidate's evaluators, by name as its run records them, that had other options or limits here."""
        return frozenset(name for name, now in evaluators.items() if self.evaluators.get(name, now) != now)

    def place(self, result: CellResult) -> Place | None:
        """Where the partner of a cell of the candidate stands; None: nothing is comparable with its prompt or target."""
        prompt, target = self.prompts.get(result.prompt), self.targets.get(result.target)
        return None if prompt is None or target is None else (result.case_id, prompt, target, result.repeat)

    def cell(self, result: CellResult) -> CellResult | None:
        """What a cell of the candidate is held against."""
        place = self.place(result)
        return None if place is None else self.cells.get(place)


def flip(before: CellResult, after: CellResult, critical: frozenset[str] | None = None) -> Flip | None:
    """The flip of a cell when an evaluator passes it on one side and not on the other, else None.

    Args:
        before: the baseline's cell.
        after: the candidate's.
        critical: tags of the cases that must not break; empty: all of them; None: no rule asks.
    """
    names = [
        name
        for name, new in after.evaluations.items()
        if name in before.evaluations and {before.evaluations[name].passed, new.passed} == {True, False}
    ]
    if not names:
        return None
    broken = any(after.evaluations[name].passed is False for name in names)
    worse = (after if broken else before).evaluations
    reason = next((worse[name].reason for name in names if worse[name].passed is False), "")
    was, now = (masked(each.output or "")[:MAX_OUTPUT] for each in (before, after))
    asked = critical is not None and (not critical or bool(critical & set(after.tags)))
    place = (after.case_id, after.prompt, after.target, after.repeat)
    return Flip(*place, broken, tuple(names), reason, was, now, broken and asked)


class Flips:
    """How many cells broke and were mended, and the first of them: critical ones, then broken ones, then mended ones."""

    def __init__(self) -> None:
        self.broken = 0
        self.mended = 0
        self._kept: list[Flip] = []

    def add(self, found: Flip) -> None:
        """Count one; of many only the first are kept, since each holds two answers."""
        self.broken += found.broken
        self.mended += not found.broken
        self._kept.append(found)
        if len(self._kept) == 2 * MAX_FLIPS:
            self._kept = list(self.first)

    @property
    def first(self) -> tuple[Flip, ...]:
        """At most `MAX_FLIPS`."""
        return tuple(sorted(self._kept, key=lambda each: (not each.critical, not each.broken)))[:MAX_FLIPS]


@dataclass(slots=True)
class Pairs:
    """Values of the same cells on both sides."""

    baseline: "array[float]" = field(default_factory=lambda: array("d"))
    candidate: "array[float]" = field(default_factory=lambda: array("d"))
    cases: "array[int]" = field(default_factory=lambda: array("l"))
    missing: list[tuple[float | None, float | None, int]] = field(default_factory=list)
    """Baseline, candidate and case of cells that should have a value on both sides and have not."""
    known: Bounds = ANY
    """Smallest and largest value that the metric can take; infinite: unbounded, or not known."""
    unchanged: bool = False
    """Nothing that leads to the values changed, so that the difference is exactly 0 and not only observed as 0."""

    def add(self, baseline: float | None, candidate: float | None, case: int) -> None:
        """One more cell; None: it has no value on that side."""
        if baseline is None or candidate is None:
            self.missing.append((baseline, candidate, case))
            return
        self.baseline.append(baseline)
        self.candidate.append(candidate)
        self.cases.append(case)

    @property
    def binary(self) -> bool:
        """All values are 0 or 1, and others could not be."""
        return self.bounds == SHARE and {*self.baseline, *self.candidate} <= {0.0, 1.0}

    @property
    def bounds(self) -> Bounds | None:
        """Those that are known; of a metric of which nothing is known 0 and 1, since one that never lies outside is a share.

        None: an end is known to be infinite, or a value lies outside, as in a run whose evaluator had other options.
        """
        bounds = SHARE if self.known == ANY else closed(self.known)
        return bounds and self._holding(bounds)

    @property
    def reach(self) -> Bounds | None:
        """As `bounds`, else those of which one end is known."""
        return self.bounds or self._holding(self.known)

    def _holding(self, bounds: Bounds) -> Bounds | None:
        """Bounds that hold for all values; None: one lies outside."""
        floor, ceiling = bounds
        lone = [value for before, after, _ in self.missing for value in (before, after) if value is not None]
        sides = [side for side in (self.baseline, self.candidate, lone) if side]
        return bounds if all(floor <= min(side) <= max(side) <= ceiling for side in sides) else None


@record
class Question:
    """What is asked of each metric."""

    confidence: float = 0.95
    """One-sided."""
    margin: float | None = None
    """Largest loss that counts as none; None: nothing is judged."""
    kind: Kind = "non_inferior_to"
    adjustment: Adjustment = "holm"


def compared(name: str, pairs: Pairs, question: Question, direction: Direction = "higher is better") -> ComparedMetric | None:
    """One metric, or None without a pair."""
    two_sided = interval_confidence(question.confidence)
    found, verdict = judged_pairs(pairs, question, direction)
    if found is None:
        return None
    before, after = _side(pairs.baseline, pairs, two_sided), _side(pairs.candidate, pairs, two_sided)
    won, lost = (found.wins, found.losses) if direction == "higher is better" else (found.losses, found.wins)
    return ComparedMetric(
        name,
        found.n,
        fmean(pairs.baseline),
        fmean(pairs.candidate),
        None if before is None else before.interval,
        None if after is None else after.interval,
        found.difference,
        found.interval,
        found.p_value,
        None,
        won,
        lost,
        found.ties,
        _effect_size(pairs, found),
        found.method,
        verdict,
        direction,
    )


def judged_pairs(
    pairs: Pairs, question: Question, direction: Direction, q: float | None = None
) -> tuple[PairedDifference | None, Verdict]:
    """The difference over the pairs, and the verdict; inconclusive when the values that are missing could change it.

    Without bounds any missing value could change a mean.

    Args:
        pairs: of one metric.
        question: what is asked of it.
        direction: which way it is better.
        q: hold the quantiles of the two sides against each other, this share of the values below; None: their means. Too
            few cases for a quantile leave it `not judged`.
    """
    bounds, confidence = pairs.bounds if q is None else ANY_VALUE, interval_confidence(question.confidence)
    lower = direction == "lower is better"

    def differ(baseline: Sequence[float], candidate: Sequence[float], cases: Sequence[int]) -> PairedDifference | None:
        if q is not None:
            return paired_quantile_difference(baseline, candidate, q, clusters=cases, confidence=confidence)
        unchanged = pairs.unchanged and len(cases) == len(pairs.cases)
        reach = pairs.reach
        return paired_difference(baseline, candidate, clusters=cases, bounds=reach, confidence=confidence, unchanged=unchanged)

    def judge(difference: PairedDifference | None) -> Verdict:
        few: Verdict = "inconclusive" if q is None else "not judged"
        return judge_relative(difference, question.margin or 0.0, question.kind, lower_is_better=lower, not_estimable=few)

    found = differ(pairs.baseline, pairs.candidate, pairs.cases)
    if found is None or question.margin is None or direction == "neither":
        return found, "not judged"
    verdict = judge(found)
    if not pairs.missing:
        return found, verdict
    if bounds is None:
        return found, "inconclusive"
    before, after, cases = zip(*pairs.missing, strict=True)
    best, worst = (
        judge(differ([*pairs.baseline, *each.baseline], [*pairs.candidate, *each.candidate], [*pairs.cases, *cases]))
        for each in impute(after, before, bounds=bounds, lower_is_better=lower)
    )
    return found, settle(verdict, best, worst)


def _side(values: "array[float]", pairs: Pairs, confidence: float) -> Estimate | None:
    return mean_interval(values, clusters=pairs.cases, bounds=pairs.reach, confidence=confidence)


def _effect_size(pairs: Pairs, found: PairedDifference) -> float | None:
    """Cohen (1988): h, the difference of arcsine-transformed rates, or d_z; None where the differences do not vary."""
    if pairs.binary:
        return 2 * asin(sqrt(fmean(pairs.candidate))) - 2 * asin(sqrt(fmean(pairs.baseline)))
    spread = pstdev(after - before for before, after in zip(pairs.baseline, pairs.candidate, strict=True))
    return found.difference / spread if spread > 0 else None


def adjusted(metrics: Sequence[ComparedMetric], adjustment: Adjustment) -> tuple[ComparedMetric, ...]:
    """The metrics with their p-values adjusted for how many are tested; where nothing changed there is no claim to test."""
    tested = [m.p_value for m in metrics if m.p_value is not None and m.method != UNCHANGED]
    following = iter((holm if adjustment == "holm" else benjamini_hochberg)(tested))
    return tuple(
        replace(m, p_adjusted=m.p_value if m.method == UNCHANGED else next(following)) if m.p_value is not None else m
        for m in metrics
    )
