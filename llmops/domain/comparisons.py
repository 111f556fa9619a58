"""Two runs, or two columns of results from elsewhere, held against each other case by case."""

from dataclasses import field
from typing import Literal

from llmops.domain.records import record
from llmops.domain.reports import Direction, Flip, Verdict

COMPARISON_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""


Adjustment = Literal["holm", "bh"]
"""Of p-values: Holm bounds the chance of any false claim, Benjamini-Hochberg the expected share of false claims."""


@record
class ComparedMetric:
    """One metric on the cases that both sides have."""

    name: str
    """`<evaluator name>.<aggregate>`, or as the file names it."""
    n: int
    """Cases; repeats of a case are one."""
    baseline: float
    candidate: float
    """Means over the cases that both sides have."""
    baseline_interval: tuple[float, float] | None
    candidate_interval: tuple[float, float] | None
    """Two-sided at 2 x `Comparison.confidence` - 1; None where it cannot be estimated."""
    difference: float
    """Candidate minus baseline."""
    interval: tuple[float, float] | None
    """Of the difference, two-sided at 2 x `Comparison.confidence` - 1, so that its ends are the bounds of the verdict."""
    p_value: float | None
    """Two-sided, of no difference; None where there is no test."""
    p_adjusted: float | None
    """Over the metrics of the comparison, as `Comparison.adjustment` says: hold a claim that something changed against it."""
    wins: int
    """Cases on which the candidate is better, repeats averaged: its value is higher, or lower where less is better. Less
    is better of figures in units of their own, such as seconds, too."""
    losses: int
    ties: int
    effect_size: float | None
    """Cohen's h for rates, mean over standard deviation of the differences (Cohen's d_z) for others."""
    method: str
    """How the interval of the difference was made."""
    verdict: Verdict
    """Non-inferiority at the margin; `not judged` without one."""
    direction: Direction = "higher is better"
    prompt: str = ""
    target: str = ""
    unit: str = ""
    """Of the two means and their difference, such as `s` and `USD`."""


@record
class Comparison:
    """A candidate held against a baseline."""

    baseline: str
    candidate: str
    """Run ids, or the file."""
    confidence: float
    """One-sided: 0.95 means an error rate of 0.05."""
    margin: float | None
    """Largest loss that counts as none, in each metric's own units."""
    verdict: Verdict
    exit_code: int
    metrics: tuple[ComparedMetric, ...]
    changed: tuple[str, ...] = ()
    """What differs between the two runs' configurations, one line each."""
    only_baseline: tuple[str, ...] = ()
    only_candidate: tuple[str, ...] = ()
    """Ids of cases that the other side lacks."""
    unscored: int = 0
    """Pairs of values of which one was not scored."""
    flips: tuple[Flip, ...] = field(default=())
    """The first of many, broken ones first."""
    broken: int = 0
    """Cells that pass in the baseline and not in the candidate."""
    mended: int = 0
    adjustment: Adjustment = "holm"
    schema_version: int = COMPARISON_VERSION
