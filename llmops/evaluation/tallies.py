"""What is counted of the cells of a run while they come in: a few numbers for each."""

import re
from array import array
from dataclasses import dataclass, field
from math import fsum

from llmops.domain.scores import JudgeUse
from llmops.evaluation.calibrations import Calibration
from llmops.evaluation.evaluators.base import Bounds, Figures

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
OVER_TRIES = re.compile(r"pass([@^])([1-9][0-9]*)")
"""pass@k, at least one of k tries passes, and pass^k, all of them do."""
CORRECTED = ("corrected_pass_rate", "corrected_mean")
"""Aggregates as people would find them, from a calibration."""


@dataclass(slots=True)
class Series:
    """The values of one metric: one for each cell that has it, with the number of its case."""

    cases: "array[int]" = field(default_factory=lambda: array("l"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, case: int, value: float) -> None:
        """Take one value."""
        self.cases.append(case)
        self.values.append(value)

    def filled(self, missing: "array[int]", value: float) -> "Series":
        """With a value in place of each missing one, whose cases are given: a case's repeats stay together."""
        return Series(self.cases + missing, self.values + array("d", [value]) * len(missing))


@dataclass(slots=True)
class Amounts:
    """Dollars whose sum is the same in whatever order they come."""

    values: "array[float]" = field(default_factory=lambda: array("d"))
    unknown: bool = False

    def add(self, value: float | None) -> None:
        """Take one amount; None: it is not known."""
        if value is None:
            self.unknown = True
        elif value:
            self.values.append(value)

    @property
    def total(self) -> float | None:
        """None when one of them is not known."""
        return None if self.unknown else fsum(self.values)


@dataclass(slots=True)
class EvaluatorTally:
    """What one evaluator said of the cells of a group."""

    scored: int = 0
    missing: "array[int]" = field(default_factory=lambda: array("l"))
    """The case of each cell whose evaluation failed; cells without an answer among them."""
    unmeasured: int = 0
    passed: int = 0
    values: Series = field(default_factory=Series)
    verdicts: Series = field(default_factory=Series)
    """1 for passed, 0 for not; empty without a threshold."""
    parts: dict[str, Series] = field(default_factory=dict)
    calibration: Calibration | None = None
    unlabelled: Series = field(default_factory=Series)
    """Values of the answers that people have not labelled; empty without a calibration."""
    left_out: set[tuple[str, str]] = field(default_factory=set)
    """Case and hash of the others."""
    labelled: dict[str, int] = field(default_factory=dict)
    """The numbers of the cases that have a label, by id."""
    ratings: list[tuple[float, ...]] = field(default_factory=list)
    """For each cell that a panel scored the values of its judges."""
    figures: Figures = Figures()
    judging: JudgeUse | None = None
    judges_cost: Amounts = field(default_factory=Amounts)
    judges_spent: Amounts = field(default_factory=Amounts)

    @property
    def failed(self) -> int:
        """Cells whose evaluation failed."""
        return len(self.missing)

    def series(self, aggregate: str) -> Series | None:
        """The values behind an aggregate; None when there is no such aggregate."""
        if aggregate == "pass_rate" or OVER_TRIES.fullmatch(aggregate):
            return self.verdicts
        if aggregate in ("mean", "total", *QUANTILES):
            return self.values
        return self.parts.get(aggregate)

    def reach(self, aggregate: str) -> Bounds:
        """Of the values behind an aggregate, as `Figures.reach`."""
        return self.figures.reach(None if aggregate in ("mean", "total", *QUANTILES) else aggregate)


@dataclass(slots=True)
class GroupTally:
    """The cells of one prompt x target."""

    prompt: str
    target: str
    model: str
    cells: int = 0
    answered: int = 0
    uncovered: int = 0
    """Cells without an answer or with a failed evaluator."""
    statuses: dict[str, int] = field(default_factory=lambda: {"scored": 0, "failed": 0, "unmeasured": 0})
    evaluators: dict[str, EvaluatorTally] = field(default_factory=dict)
    live: Series = field(default_factory=Series)
    cached: Series = field(default_factory=Series)
    ttft: Series = field(default_factory=Series)
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    cost: Amounts = field(default_factory=Amounts)
    spent: Amounts = field(default_factory=Amounts)
    reused: int = 0
    calls: int = 0
    retries: int = 0
    served: dict[str, int] = field(default_factory=dict)
    """Answers by the model that a route served them from."""
    passes: dict[str, list[bool]] = field(default_factory=dict)
    """Whether each repeat of a case passed, by the case's id; empty without repeats."""
