"""Judges the rules of a suite's gate on the cells of a run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmops.domain.ports import Store
from llmops.domain.reports import RuleVerdict, Verdict
from llmops.domain.runs import CellResult
from llmops.evaluation.aggregating import Aggregator, EvaluatorTally, GroupTally, metric
from llmops.evaluation.planning import Plan
from llmops.settings.suite import GateRule
from llmops.statistics import gate as rules
from llmops.statistics.intervals import Estimate
from llmops.statistics.paired import PairedDifference, paired_difference

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The run that a candidate is held against."""

    run_id: str
    cells: Mapping[tuple[str, str, int], CellResult]
    """By case, target and repeat; a prompt that the baseline does not have is held against its only one."""


def load_baseline(plan: Plan, store: Store, run_id: str | None) -> Baseline | None:
    """The cells of the baseline run, when a rule of the suite needs them."""
    relative = any(r.non_inferior_to or r.superior_to or r.no_new_failures for r in plan.suite.settings.gate)
    if run_id is None or not relative:
        return None
    return Baseline(run_id, {(r.case_id, r.target, r.repeat): r for r in store.results(run_id)})


def overall(verdicts: Sequence[RuleVerdict]) -> Verdict:
    """The verdict of a whole gate: every rule must pass (an intersection-union test, Berger 1982)."""
    return rules.overall([verdict.verdict for verdict in verdicts])


class Gate:
    """The rules of one suite."""

    def __init__(self, plan: Plan, aggregator: Aggregator, baseline: Baseline | None) -> None:
        self._plan = plan
        self._aggregator = aggregator
        self._baseline = baseline

    def judge(self, results: Callable[[], Iterable[CellResult]]) -> tuple[RuleVerdict, ...]:
        """One verdict per rule and prompt x target; `results` reads the run's cells anew."""
        verdicts: list[RuleVerdict] = []
        for rule in self._plan.suite.settings.gate:
            for group in self._aggregator.groups.values():
                if rule.target is None or rule.target == group.target:
                    verdicts.append(self._judge(rule, group, results))
        return tuple(verdicts)

    def _judge(self, rule: GateRule, group: GroupTally, results: Callable[[], Iterable[CellResult]]) -> RuleVerdict:
        if rule.metric is None:
            return self._no_new_failures(rule, group, results)
        name, _, aggregate = rule.metric.partition(".")
        tally = group.evaluators.get(name)
        if rule.min is not None or rule.max is not None:
            return self._absolute(rule, group, tally, name, aggregate)
        return self._relative(rule, group, results, name, aggregate)
