"""Gathers cell results into the figures of a report."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import fsum

from llmops.domain.keys import content_hash
from llmops.domain.reports import Direction, EvaluatorSummary, FlakyCase, Group, LatencySummary, Metric, Spend
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import JudgeUse
from llmops.evaluation.calibrations import Calibration
from llmops.evaluation.evaluators.base import Bounds, BuiltEvaluator, Figures, figures_by_name
from llmops.evaluation.judging.panel import BY_JUDGE
from llmops.evaluation.planning import Plan
from llmops.evaluation.tallies import CORRECTED, OVER_TRIES, QUANTILES, EvaluatorTally, GroupTally, Series
from llmops.statistics.agreement import krippendorff_alpha
from llmops.statistics.intervals import Estimate, mean_interval, proportion_interval, quantile, quantile_interval
from llmops.statistics.passk import flaky_cases, over_tries

WORST = 5
"""Cells that a report shows in full."""


class Aggregator:
    """Takes results in any order, which the figures do not depend on; memory grows by a few numbers per cell."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cells_per_case = max(1, plan.size // plan.cases)
        self._worst: list[tuple[float, int, CellResult]] = []
        self.uncovered: CellResult | None = None
        """The first cell without an answer or with a failed evaluator."""
        self._figures = figures_by_name(plan.all_evaluators())
        self.groups: dict[tuple[str, str], GroupTally] = {
            (prompt, target.name): GroupTally(prompt, target.name, target.model_id)
            for prompt in plan.prompts or ("",)
            for target in plan.targets.values()
        }

    def add(self, result: CellResult) -> None:
        """Count one finished cell."""
        group = self.groups[result.prompt, result.target]
        case = result.position // self._cells_per_case
        group.cells += 1
        group.statuses[result.status] += 1
        group.reused += result.cached
        for turn in result.earlier:
            group.reused += turn.cached
        group.calls += result.attempts
        group.retries += result.retries
        if not result.covered:
            group.uncovered += 1
            if self.uncovered is None or result.position < self.uncovered.position:
                self.uncovered = result
        if self._plan.repeat > 1 and result.passed is not None:
            group.passes.setdefault(result.case_id, []).append(result.passed)
        group.answered += result.status != "failed"
        if result.status == "failed":
            for built in self._plan.evaluators_of(result.case_id):
                self._tally(group, built.spec.name).missing.append(case)
        if result.status != "failed" or result.cost_usd is not None:
            self._add_spend(group, result, case)
        for name, evaluation in result.evaluations.items():
            tally = self._tally(group, name)
            _add_evaluation(tally, evaluation, case)
            if tally.calibration is not None and evaluation.value is not None:
                _add_to_correct(tally, tally.calibration, result, (case, evaluation.value))
        self._add_worst(result)

    def _tally(self, group: GroupTally, name: str) -> EvaluatorTally:
        found = group.evaluators.get(name)
        if found is None:
            calibration, figures = self._plan.calibrations.get(name), self._figures.get(name, Figures())
            found = group.evaluators[name] = EvaluatorTally(calibration=calibration, figures=figures)
        return found

    def _add_spend(self, group: GroupTally, result: CellResult, case: int) -> None:
        if result.latency_s is not None:
            (group.cached if result.cached else group.live).add(case, result.latency_s)
        if result.ttft_s is not None and not result.cached:
            group.ttft.add(case, result.ttft_s)
        if result.usage is not None:
            group.tokens_in += result.usage.input_tokens
            group.tokens_out += result.usage.output_tokens
            group.estimated |= result.usage.estimated
        group.cost.add(result.cost_usd)
        group.spent.add(result.spent_usd)
        if result.served is not None:
            group.served[result.served] = group.served.get(result.served, 0) + 1

    def _add_worst(self, result: CellResult) -> None:
        badness = self._badness(result)
        if not badness:
            return
        if result.error is not None:  # the first cell that failed so stands for all
            alike = [entry for entry in self._worst if entry[2].error == result.error]
            if any(entry[2].position < result.position for entry in alike):
                return
            self._worst = [entry for entry in self._worst if entry not in alike]
        heapq.heappush(self._worst, (badness, -result.position, result))
        if len(self._worst) > WORST:
            heapq.heappop(self._worst)

    def _badness(self, result: CellResult) -> float:
        """Weighted share of evaluators that did not pass; a cell without an answer comes first."""
        if result.status == "failed":
            return 2.0
        bad = [n for n, e in result.evaluations.items() if e.status == "failed" or e.passed is False]
        if not bad:
            return 0.0
        weights = {e.spec.name: e.spec.common.weight for e in self._plan.evaluators_of(result.case_id)}
        total = sum(weights.values())
        return sum(weights[name] for name in bad) / total if total else 0.0

    @property
    def notes(self) -> Iterator[str]:
        """Why a calibrated figure cannot be corrected."""
        for group in self.groups.values():
            for name, tally in sorted(group.evaluators.items()):
                if tally.calibration is not None and (reason := uncorrected(tally)):
                    place = " · ".join(part for part in (group.prompt, group.target) if part)
                    yield f"{name} ({place}) has no corrected rate: {reason}"

    @property
    def flaky(self) -> tuple[FlakyCase, ...]:
        """Cases that pass in some repeats and not in others, the most undecided first."""
        found = [
            FlakyCase(each.case, group.prompt, group.target, each.passed, each.repeats)
            for group in self.groups.values()
            for each in flaky_cases(group.passes)
        ]
        return tuple(sorted(found, key=lambda each: abs(each.passed / each.repeats - 0.5)))

    @property
    def worst(self) -> tuple[CellResult, ...]:
        """The cells that failed most, worst first."""
        return tuple(result for _, _, result in sorted(self._worst, key=lambda entry: entry[:2], reverse=True))

    @property
    def coverage(self) -> float:
        """Share of the plan's cells with an answer and no failed evaluator; cells that were not run do not count as covered."""
        covered = sum(group.cells - group.uncovered for group in self.groups.values())
        return covered / self._plan.size if self._plan.size else 1.0

    @property
    def coverage_of_run(self) -> float:
        """As `coverage`, of the cells that were run."""
        cells = sum(group.cells for group in self.groups.values())
        return 1 - sum(group.uncovered for group in self.groups.values()) / cells if cells else 1.0

    def summaries(self) -> Iterator[Group]:
        """The figures of each group."""
        kinds: dict[str, BuiltEvaluator] = {}
        for built in self._plan.all_evaluators():
            kinds.setdefault(built.spec.name, built)
        for group in self.groups.values():
            if group.cells:
                yield _group(group, kinds, self._plan.repeat)


def metric(name: str, aggregate: str, tally: EvaluatorTally, unit: str, confidence: float) -> Metric | None:
    """One aggregate with its two-sided interval; None when there is nothing to aggregate."""
    estimate = estimated(tally, aggregate, confidence)
    if estimate is None:
        return None
    rate = aggregate.endswith("pass_rate") or OVER_TRIES.fullmatch(aggregate)
    shown = "%" if rate else unit if aggregate in ("mean", "total", *QUANTILES) else ""
    return Metric(f"{name}.{aggregate}", estimate.value, estimate.low, estimate.high, estimate.n, shown, estimate.method)


def estimated(tally: EvaluatorTally, aggregate: str, confidence: float) -> Estimate | None:
    """One aggregate with its two-sided interval at `confidence`, cases as clusters; None when there are no values."""
    if aggregate in CORRECTED:
        return _corrected(tally, aggregate, confidence)
    series = tally.series(aggregate)
    if series is None or not series.values:
        return None
    if (tries := OVER_TRIES.fullmatch(aggregate)) is not None:
        return over_tries(_by_case(series), int(tries[2]), every=tries[1] == "^", confidence=confidence)
    if aggregate == "pass_rate":
        return proportion_interval(series.values, clusters=series.cases, confidence=confidence)
    if aggregate in QUANTILES:
        return quantile_interval(series.values, QUANTILES[aggregate], clusters=series.cases, confidence=confidence)
    if aggregate == "total":
        return Estimate(fsum(series.values), None, None, len(series.values), "sum")
    bounds: Bounds | None = tally.reach(aggregate)
    if bounds is not None and not bounds[0] <= min(series.values) <= max(series.values) <= bounds[1]:
        bounds = None  # of a run whose evaluator had other options
    return mean_interval(series.values, clusters=series.cases, bounds=bounds, confidence=confidence)


def _corrected(tally: EvaluatorTally, aggregate: str, confidence: float) -> Estimate | None:
    if tally.calibration is None:
        return None
    values, cases = tally.unlabelled.values, tally.unlabelled.cases
    if aggregate == "corrected_mean":
        return tally.calibration.mean(values, cases, confidence, tally.labelled)
    return tally.calibration.beside(tally.left_out).rate(sorted(values), len(set(cases)), confidence)[0]


def uncorrected(tally: EvaluatorTally) -> str:
    """Why there is no corrected rate; nothing when there is one, and for labels that are numbers."""
    if tally.calibration is None or not tally.calibration.binary:
        return ""
    calibration, rest = tally.calibration.beside(tally.left_out), tally.unlabelled
    return calibration.rate(rest.values, len(set(rest.cases)), 0.95)[1]


def _add_evaluation(tally: EvaluatorTally, evaluation: EvaluatorResult, case: int) -> None:
    if evaluation.judging is not None:
        tally.judging = (tally.judging or JudgeUse()) + evaluation.judging
        tally.judges_cost.add(evaluation.judging.cost_usd)
        tally.judges_spent.add(evaluation.judging.spent_usd)
    if evaluation.status != "scored" or evaluation.value is None:
        if evaluation.status == "failed":
            tally.missing.append(case)
        tally.unmeasured += evaluation.status == "unmeasured"
        return
    tally.scored += 1
    tally.values.add(case, evaluation.value)
    if evaluation.passed is not None:
        tally.passed += evaluation.passed
        tally.verdicts.add(case, float(evaluation.passed))
    if by_judge := tuple(value for part, value in evaluation.parts.items() if part.startswith(BY_JUDGE)):
        tally.ratings.append(by_judge)
    for part, value in evaluation.parts.items():
        if part not in tally.parts:
            tally.parts[part] = Series()
        tally.parts[part].add(case, value)


def _add_to_correct(tally: EvaluatorTally, calibration: Calibration, result: CellResult, scored: tuple[int, float]) -> None:
    """Take the case and the value of an answer that people have not labelled, and the number of a case that they have."""
    if result.case_id in calibration.labelled_cases:
        tally.labelled[result.case_id] = scored[0]
    answer = (result.case_id, content_hash(result.output or ""))
    if answer in calibration.labelled:
        tally.left_out.add(answer)
    else:
        tally.unlabelled.add(*scored)


def _group(group: GroupTally, kinds: Mapping[str, BuiltEvaluator], repeat: int) -> Group:
    return Group(
        group.prompt,
        group.target,
        group.model,
        group.cells,
        group.answered,
        group.cells - group.answered,
        tuple(_summary(name, group.evaluators[name], kinds[name], repeat) for name in kinds if name in group.evaluators),
        Spend(
            group.tokens_in,
            group.tokens_out,
            group.estimated,
            group.cost.total,
            group.spent.total,
            group.calls,
            group.retries,
        ),
        _latency(group),
        dict(sorted(group.served.items())),
    )


def _by_case(series: Series) -> dict[int, list[bool]]:
    found: dict[int, list[bool]] = {}
    for case, passed in sorted(zip(series.cases, series.values, strict=True)):
        found.setdefault(case, []).append(bool(passed))
    return found


def _summary(name: str, tally: EvaluatorTally, built: BuiltEvaluator, repeat: int) -> EvaluatorSummary:
    unit = built.kind.unit
    aggregates = ["pass_rate", *((f"pass@{repeat}", f"pass^{repeat}") if repeat > 1 else ()), "mean", *CORRECTED]
    if unit:
        aggregates += ["total", *QUANTILES] if unit != "s" else list(QUANTILES)
    metrics = (metric(name, each, tally, unit, 0.95) for each in (*aggregates, *tally.parts))
    found = [m for m in metrics if m is not None]
    if (alpha := _alpha(name, tally)) is not None:
        found.append(alpha)
    direction: Direction = "lower is better" if built.lower_is_better else "higher is better"
    return EvaluatorSummary(
        name,
        built.spec.kind,
        tally.scored,
        tally.failed,
        tally.unmeasured,
        tally.passed,
        len(tally.verdicts.values),
        tuple(found),
        direction,
        None
        if tally.judging is None
        else replace(tally.judging, cost_usd=tally.judges_cost.total, spent_usd=tally.judges_spent.total),
    )


def _alpha(name: str, tally: EvaluatorTally) -> Metric | None:
    """How well the judges of a panel agree; None without a panel, or when all their values are equal."""
    alpha = krippendorff_alpha(sorted(tally.ratings), "interval")
    return None if alpha is None else Metric(f"{name}.alpha", alpha, None, None, len(tally.ratings), "", "Krippendorff's alpha")


def _latency(group: GroupTally) -> LatencySummary:
    return LatencySummary(
        len(group.live.values),
        len(group.cached.values),
        quantile(group.live.values, 0.5),
        quantile(group.live.values, 0.95),
        quantile(group.cached.values, 0.5),
        quantile(group.cached.values, 0.95),
        quantile(group.ttft.values, 0.5),
    )
