"""A finished run in figures: what every report format renders and what `--json` prints."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llmops.domain.records import record
from llmops.domain.runs import CellResult, RunStatus
from llmops.domain.scores import JudgeUse

SCHEMA_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""

Verdict = Literal["pass", "fail", "inconclusive", "not judged"]
EXIT_CODES: Mapping[Verdict, int] = {"pass": 0, "not judged": 0, "fail": 1, "inconclusive": 4}
Direction = Literal["higher is better", "lower is better", "neither"]


@record
class Metric:
    """One aggregate of one evaluator over the cells of a prompt x target."""

    name: str
    """`<evaluator name>.<aggregate>`, as a gate rule names it."""
    value: float
    low: float | None
    """Lower end of the two-sided 95 % interval; None where it cannot be estimated."""
    high: float | None
    n: int
    """Independent units behind the figure: cases, not repeats."""
    unit: str = ""
    method: str = ""
    """How the interval was made."""


@record
class EvaluatorSummary:
    """One evaluator over the cells of a prompt x target."""

    name: str
    kind: str
    scored: int
    failed: int
    unmeasured: int
    passed: int
    judged: int
    """Scored cells that a threshold applied to."""
    metrics: tuple[Metric, ...]
    direction: Direction = "higher is better"
    judging: JudgeUse | None = None
    """What its judges took, priced apart from the answers; None: it asks none."""


@record
class Spend:
    """Tokens and dollars of the answers of a prompt x target."""

    input_tokens: int
    output_tokens: int
    estimated_tokens: bool
    """True when some counts are ours, because the provider sent none."""
    cost_usd: float | None
    """What the answers cost when they were made; None when a price is not known."""
    spent_usd: float | None
    """What this run paid: reused answers cost nothing now."""
    calls: int
    """Requests sent in this run, further attempts included."""
    retries: int
    """Part of `calls` that were further attempts."""


@record
class LatencySummary:
    """Seconds per answer, live and reused answers apart."""

    live: int
    """Answers that were generated in this run."""
    cached: int
    """Answers that were reused; their latency was measured in an earlier run."""
    live_p50_s: float | None = None
    live_p95_s: float | None = None
    cached_p50_s: float | None = None
    cached_p95_s: float | None = None
    ttft_p50_s: float | None = None
    """Time to first token of live answers, where it was asked for."""


@record
class Group:
    """The cells of one prompt x target."""

    prompt: str
    target: str
    model: str
    """The model's id."""
    cells: int
    answered: int
    failed: int
    """Cells without an answer."""
    evaluators: tuple[EvaluatorSummary, ...]
    spend: Spend
    latency: LatencySummary
    served: dict[str, int] = field(default_factory=dict)
    """Answers by the model that a route served them from; empty for a plain model."""


CELLS = "cells"
"""Unit of a figure that counts cells which failed."""
NEW_FAILURES = "new failures"
"""Unit of a figure that counts cells which failed and had passed in the baseline."""


@record
class RuleVerdict:
    """One gate rule, judged for one prompt x target."""

    rule: str
    """The rule as a sentence, such as `contains.pass_rate >= 0.80`."""
    prompt: str
    target: str
    verdict: Verdict
    value: float | None = None
    low: float | None = None
    """Interval that the verdict was read from, two-sided at 2 x the rule's confidence - 1."""
    high: float | None = None
    n: int = 0
    reason: str = ""
    discordance: float | None = None
    """Share of cases that flipped against the baseline; None for other rules than those on a paired pass rate."""
    unit: str = ""
    """Of value, low and high, as `Metric.unit`; rates have none here, so that they read as their limits do. `cells`: so many
    of `n` cells failed; `new failures`: so many did that had passed in the baseline."""
    confidence: float | None = None
    """Of the interval; None for a rule without one, and in runs that older versions stored."""


@record
class Flip:
    """A cell that passed on one side and did not on the other."""

    case_id: str
    prompt: str
    target: str
    repeat: int
    broken: bool
    """True: it passed in the baseline. False: it passes now."""
    evaluators: tuple[str, ...]
    """Whose verdicts changed."""
    reason: str
    baseline_output: str
    candidate_output: str
    critical: bool = False
    """A `no_new_failures` rule asks that it does not break."""


@record
class Power:
    """How small a drop of a pass rate the cases of a run can show (Connor 1987), found four times in five."""

    cases: int
    """Those that a rule on a pass rate applies to; of several rules the fewest."""
    discordance: float
    """Share of cases that flip between two versions of the same quality."""
    observed: bool
    """The share was seen against the baseline; else it is assumed."""
    drop: float | None
    """None: with so few cases no drop would be found reliably."""
    margin: float
    """A drop to plan for: the smallest margin of the gate's rules."""
    needed: int
    """Cases that would find a drop of the margin."""


@record
class FlakyCase:
    """A case that passes in some of its repeats and not in others."""

    case_id: str
    prompt: str
    target: str
    passed: int
    repeats: int


@record
class Counts:
    """What the run did."""

    cells: int
    scored: int
    failed: int
    unmeasured: int
    model_calls: int
    generated: int
    """Answers made in this run."""
    reused: int
    """Answers taken from the store."""
    retrieved: int
    """Queries that were searched for in this run."""
    evaluated: int
    """Stored evaluations that were computed in this run."""


@record
class Timing:
    """When a run was made and how long it took."""

    started_at: str
    finished_at: str
    wall_s: float
    """Of the process that brought the run to its end; counts and money are those of the whole run."""
    continued: bool = False
    """The run was begun by an earlier process, whose time `wall_s` does not hold."""


@record
class Report:
    """The summary of one run."""

    schema_version: int
    tool_version: str
    run_id: str
    suite: str
    description: str
    status: RunStatus
    verdict: Verdict
    """Of the gate; `not judged` when there is none."""
    exit_code: int
    coverage: float
    """Share of cells with an answer and no failed evaluator."""
    baseline: str | None
    """Run id that relative rules were held against."""
    groups: tuple[Group, ...]
    rules: tuple[RuleVerdict, ...]
    counts: Counts
    timing: Timing
    notes: tuple[str, ...] = ()
    """What the reader should know before trusting a figure."""
    worst: tuple[CellResult, ...] = field(default=())
    """The cells that failed most, worst first."""
    flips: tuple[Flip, ...] = field(default=())
    """Cells that pass on one side and not on the other, held against the baseline: the first of many, broken ones first."""
    broken: int = 0
    """How many passed on the baseline and do not now."""
    mended: int = 0
    """How many did not and do."""
    flaky: tuple[FlakyCase, ...] = field(default=())
    """The first of many, the most undecided before others."""
    flaky_total: int = 0
    """How many there are."""
    power: Power | None = None
    """None without a gate."""
    writing: JudgeUse | None = None
    """What this run asked of models that write for queries, apart from the answers; None: the index has none."""
    embedding: Mapping[str, JudgeUse] = field(default_factory=dict)
    """What the last process of this run asked of hosted embedders, by the id of their model."""
