"""Stops a run as soon as its rules are decided, by tests that may be looked at after every case."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from llmops.domain.errors import UsageError
from llmops.domain.reports import RuleVerdict
from llmops.domain.runs import CellResult
from llmops.domain.words import many
from llmops.evaluation.comparing import Baseline
from llmops.evaluation.gating import rule_text, rules_of, status_of, value_of
from llmops.evaluation.planning import Plan
from llmops.evaluation.suite_metrics import OF_A_RUN
from llmops.evaluation.tallies import OVER_TRIES, QUANTILES
from llmops.settings.suite import GateRule
from llmops.statistics.sequential import SequentialTest

DECIDED = "decided early"
"""Why a run stopped whose verdict was certain."""


@dataclass
class _Question:
    """One rule for one prompt x target."""

    rule: GateRule
    prompt: str
    target: str
    test: SequentialTest
    total: float = 0.0
    """Sum of the differences of the cases that have one."""
    counted: int = 0

    def verdict(self) -> RuleVerdict:
        mean = self.total / self.counted if self.counted else None
        if self.rule.min is not None or self.rule.max is not None:
            sign, limit = (1, self.rule.min) if self.rule.min is not None else (-1, self.rule.max)
            mean = None if mean is None or limit is None else limit + sign * mean
        told = "decided" if self.test.verdict != "inconclusive" else "undecided"
        reason = f"{told} after {many(self.test.cases, 'case')} in random order"
        return RuleVerdict(
            rule_text(self.rule), self.prompt, self.target, self.test.verdict, mean, n=self.test.cases, reason=reason
        )


@dataclass
class EarlyStop:
    """Takes the results of a plan whose cases come in random order."""

    plan: Plan
    baseline: Baseline | None
    _waiting: dict[int, CellResult] = field(default_factory=dict)
    _next: int = 0
    _case: list[CellResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set up one question per rule and prompt x target.

        Raises:
            UsageError: a rule cannot be decided early, or needs a baseline that there is not.
        """
        self._per_case = self.plan.size // self.plan.cases
        places = [(prompt, target) for prompt in self.plan.prompts or ("",) for target in self.plan.targets]
        self._questions = [
            _Question(rule, *place, SequentialTest(rule.margin, confidence=rule.confidence))
            for rule in self._rules()
            for place in places
            if rule.target in (None, place[1])
        ]

    def _rules(self) -> Iterator[GateRule]:
        if not self.plan.suite.settings.gate:
            raise UsageError("--sequential decides the rules of a gate, and the suite has none.")
        for rule in rules_of(self.plan):
            name, _, aggregate = (rule.metric or "").partition(".")
            of_cases = aggregate not in (*QUANTILES, *OF_A_RUN) and not OVER_TRIES.fullmatch(aggregate)
            shares = aggregate == "pass_rate" or (
                of_cases and any(each.spec.name == name and each.kind.name == "retrieval" for each in self.plan.evaluators)
            )
            one_limit = (rule.min is None) != (rule.max is None) or rule.non_inferior_to is not None
            if not shares or not one_limit:
                hint = "It decides `min`, `max` and `non_inferior_to` of pass rates and retrieval metrics."
                raise UsageError(f"--sequential cannot decide the rule {rule_text(rule)!r}.", hint=hint)
            if rule.non_inferior_to is not None:
                self._check_baseline(rule, name)
            yield rule

    def _check_baseline(self, rule: GateRule, name: str) -> None:
        """Refuse a relative rule whose evaluator no baseline measured, or one measured otherwise."""
        if self.baseline is None:
            hint = "Name one: --baseline merge-base:origin/main, or llmops runs baseline RUN"
            raise UsageError(f"--sequential needs a baseline for the rule {rule_text(rule)!r}.", hint=hint)
        if self.baseline.evaluators and name in self.baseline.otherwise(self.plan.snapshot()["evaluators"]):
            hint = "Evaluate the baseline with this suite, as --baseline git:REV does."
            raise UsageError(f"--sequential: the baseline measured {name!r} otherwise.", hint=hint)

    def add(self, result: CellResult) -> str | None:
        """Take one result, in any order; the reason to stop once everything is decided, else None."""
        self._waiting[result.position] = result
        while (following := self._waiting.pop(self._next, None)) is not None:
            self._next += 1
            self._case.append(following)
            if len(self._case) == self._per_case:
                self._ask()
                self._case.clear()
        verdicts = {question.test.verdict for question in self._questions}
        return DECIDED if "fail" in verdicts or "inconclusive" not in verdicts else None

    def _ask(self) -> None:
        """Give the case that is complete to each question that is still open."""
        for question in self._questions:
            here = [r for r in self._case if (r.prompt, r.target) == (question.prompt, question.target)]
            found = [each for each in (self._difference(question.rule, r) for r in here) if each is not None]
            if not found or question.test.verdict != "inconclusive":
                continue
            worst, best = (sum(side) / len(found) for side in zip(*found, strict=True))
            question.test.add(worst, best)
            if worst == best:
                question.total += worst
                question.counted += 1

    def _difference(self, rule: GateRule, result: CellResult) -> tuple[float, float] | None:
        """What a cell says of a rule, better is positive, at worst and at best; None: nothing."""
        name, _, aggregate = (rule.metric or "").partition(".")
        if status_of(result, name) == "unmeasured":
            return None
        value = value_of(result, name, aggregate)
        ends = (0.0, 1.0) if value is None else (value, value)
        if rule.min is not None:
            return ends[0] - rule.min, ends[1] - rule.min
        if rule.max is not None:
            return rule.max - ends[1], rule.max - ends[0]
        before = self.baseline.cell(result) if self.baseline is not None else None
        if before is None or status_of(before, name) == "unmeasured":
            return None
        old = value_of(before, name, aggregate)
        olds = (0.0, 1.0) if old is None else (old, old)
        return ends[0] - olds[1], ends[1] - olds[0]

    @property
    def rules(self) -> tuple[RuleVerdict, ...]:
        """Where each rule stands."""
        return tuple(question.verdict() for question in self._questions)

    @property
    def cases(self) -> int:
        """Cases that were looked at."""
        return self._next // self._per_case
