"""Figures as people read them: percentages, dollars, seconds, with their intervals."""

from collections.abc import Sequence

from llmops.domain.amounts import amount, seconds
from llmops.domain.reports import CELLS, NEW_FAILURES, EvaluatorSummary, Metric, RuleVerdict, Timing
from llmops.domain.words import many
from llmops.reporting.safe import one_line

EXAMPLES = 5
"""Labels that name nothing, of those that are shown."""


def metric_of(summary: EvaluatorSummary, aggregate: str) -> Metric | None:
    """A metric of an evaluator by the part of its name behind the dot."""
    return next((m for m in summary.metrics if m.name == f"{summary.name}.{aggregate}"), None)


def leading(summary: EvaluatorSummary) -> tuple[str, ...]:
    """The aggregates that stand for an evaluator in a table."""
    if summary.kind in ("latency", "tokens"):
        return ("p50", "p95")
    if summary.kind == "cost":
        return ("total",)
    return ("pass_rate",) if summary.judged else ("mean",)


def estimate(metric: Metric) -> str:
    """A figure with its 95 % interval."""
    value = amount(metric.value, metric.unit)
    if metric.low is None or metric.high is None:
        return value
    if metric.unit == "%":
        return f"{value} [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"
    return f"{value} [{amount(metric.low, metric.unit)}, {amount(metric.high, metric.unit)}]"


def duration(timing: Timing) -> str:
    """How long a run took; of one that was continued only the last process was measured, and that is said."""
    return f"{seconds(timing.wall_s)} since it was continued" if timing.continued else seconds(timing.wall_s)


def headline(summary: EvaluatorSummary) -> str:
    """The figures that stand for an evaluator, in one line; several are named."""
    found = [(aggregate, metric_of(summary, aggregate)) for aggregate in leading(summary)]
    metrics = [(aggregate, metric) for aggregate, metric in found if metric is not None]
    if not metrics:
        return "not measured"
    if len(metrics) == 1:
        return estimate(metrics[0][1])
    return ", ".join(f"{aggregate} {amount(metric.value, metric.unit)}" for aggregate, metric in metrics)


def counted(summary: EvaluatorSummary) -> str:
    """How many cells were scored, failed and unmeasured; what is zero is left out, except a zero of scored cells."""
    parts = [f"{summary.scored} scored"]
    if summary.failed:
        parts.append(f"{summary.failed} failed")
    if summary.unmeasured:
        parts.append(f"{summary.unmeasured} unmeasured")
    return " · ".join(parts)


def corrected(summary: EvaluatorSummary) -> str:
    """The figure as people would find it, in a line of its own; nothing without a calibration."""
    found = metric_of(summary, "corrected_pass_rate") or metric_of(summary, "corrected_mean")
    return "" if found is None else f"\ncorrected {estimate(found)}"


def agreed(summary: EvaluatorSummary) -> str:
    """How well the judges of a panel agree, in a line of its own; nothing without a panel."""
    alpha = metric_of(summary, "alpha")
    return "" if alpha is None else f"\nalpha of the judges {alpha.value:.2f}"


def labels_of_nothing(labels: Sequence[str], what: str) -> str:
    """That labels name no place; `what`: that they do name."""
    named = f"{', '.join(one_line(label, 80) for label in labels[:EXAMPLES])}{', ...' if len(labels) > EXAMPLES else ''}"
    told = f"{len(labels)} labels name {what} and count" if len(labels) > 1 else f"1 label names {what} and counts"
    return f"{told} as not found: {named}"


def ends(interval: tuple[float, float] | None) -> str:
    """The interval of a difference of shares, behind the difference; nothing when the data cannot bound it."""
    return "" if interval is None else f" [{interval[0]:+z.3f}, {interval[1]:+z.3f}]"


def estimate_of(rule: RuleVerdict) -> str:
    """The figure of a rule with its interval, where it has one, and the number of cases; nothing when there is no figure."""
    if rule.value is None:
        return ""
    if rule.unit in (CELLS, NEW_FAILURES):
        return f"{rule.value:g} of {many(rule.n, 'cell')} {'failed' if rule.unit == CELLS else 'newly failed'}"
    shown = amount(rule.value, rule.unit)
    if rule.low is not None and rule.high is not None:
        shown += f" [{amount(rule.low, rule.unit)}, {amount(rule.high, rule.unit)}]"
    return f"{shown} n={rule.n}"


def judged(rule: RuleVerdict) -> str:
    """What a rule's verdict rests on, in one line: its figure and the reason."""
    return "; ".join(part for part in (estimate_of(rule), rule.reason) if part)


def levels(rules: Sequence[RuleVerdict]) -> str:
    """At which confidence the intervals of a report are, those of its gate apart."""
    found = [rule.confidence for rule in rules if rule.confidence is not None and rule.low is not None]
    shown = " to ".join(dict.fromkeys(f"{100 * level:.3g}" for level in (min(found), max(found)))) if found else ""
    return f"intervals: 95 %, in the gate {shown} %" if shown else "intervals: 95 %"
