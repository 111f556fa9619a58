"""`llmops route report --log`: what a deployed route did, read off its decisions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.route_reports import ServedModel, ServedReport
from llmops.settings.files import shown
from llmops.settings.lines import json_lines
from llmops.settings.positions import Positions
from llmops.settings.validation import Strict, validated
from llmops.statistics.intervals import mean_interval, proportion_interval, quantile_interval

MAX_REASONS = 8
Amount = Annotated[float, Field(ge=0, strict=False, allow_inf_nan=False)]


class LoggedCall(Strict):
    """One call of a decision."""

    model: str
    reason: str = ""
    latency_s: Amount = 0.0
    cost_usd: Amount | None = None
    error: str = ""
    reused: bool = False
    attempts: int = 0
    served: bool = False
    passed: bool | None = None


class LoggedDecision(Strict):
    """One line of a log."""

    id: str
    at: str
    route: str
    key: str = ""
    tags: list[str] = Field(default_factory=list)
    text: str | None = None
    """The question, when the log was asked to keep it."""
    calls: list[LoggedCall]
    quality: Annotated[float, Field(ge=0, le=1, strict=False)] | None = None
    """Added later, by a person or an evaluator."""


@dataclass
class _Totals:
    requests: int
    served: Counter[str]
    reasons: Counter[str]
    errors: Counter[str]
    costs: list[float | None]
    latencies: list[float]
    qualities: list[float]


def served_report(path: Path, root: Path) -> ServedReport:
    """What the decisions of a log came to.

    Raises:
        InvalidFiles: a line that is no decision, or a log without one.
    """
    totals = _Totals(0, Counter(), Counter(), Counter(), [], [], [])
    routes: dict[str, None] = {}
    for decision in decisions(path, root):
        routes[decision.route] = None
        _count(totals, decision)
    if not totals.requests:
        raise InvalidFiles([Problem(shown(path, root), "holds no decision.")])
    answered = sum(totals.served.values())
    known = [cost for cost in totals.costs if cost is not None]
    per_thousand = mean_interval([1000 * cost for cost in known]) if len(known) == len(totals.costs) else None
    quality = mean_interval(totals.qualities, bounds=(0, 1)) if totals.qualities else None
    late = quantile_interval(totals.latencies, 0.95, confidence=0.95) if totals.latencies else None
    middle = quantile_interval(totals.latencies, 0.5, confidence=0.95) if totals.latencies else None
    return ServedReport(
        ", ".join(routes),
        totals.requests,
        totals.requests - answered,
        tuple(_shares(totals.served, totals.requests)),
        None if per_thousand is None else per_thousand.value,
        None if per_thousand is None or per_thousand.low is None else (per_thousand.low, per_thousand.high or 0.0),
        None if middle is None else middle.value,
        None if late is None else late.value,
        None if quality is None else quality.value,
        None if quality is None or quality.low is None else (quality.low, quality.high or 0.0),
        len(totals.qualities),
        dict(totals.errors),
        dict(totals.reasons.most_common(MAX_REASONS)),
    )


def decisions(path: Path, root: Path) -> Iterator[LoggedDecision]:
    """The decisions of a log, one by one.

    Raises:
        InvalidFiles: a line that is no decision.
    """
    file = shown(path, root)
    for row in json_lines(path, root):
        if isinstance(row, Problem):
            raise InvalidFiles([row])
        yield validated(LoggedDecision, row.value, Positions(file, {(): (row.line, 1)}))


def _count(totals: _Totals, decision: LoggedDecision) -> None:
    totals.requests += 1
    totals.latencies.append(sum(call.latency_s for call in decision.calls))
    costs = [call.cost_usd for call in decision.calls]
    totals.costs.append(None if None in costs else sum(cost or 0.0 for cost in costs))
    totals.errors.update(f"{call.model}: {call.error}" for call in decision.calls if call.error)
    if decision.quality is not None:
        totals.qualities.append(decision.quality)
    for call in decision.calls:
        if call.served:
            totals.served[call.model] += 1
            totals.reasons[call.reason.partition(";")[0]] += 1


def _shares(served: Mapping[str, int], requests: int) -> Iterator[ServedModel]:
    for name in sorted(served):
        found: Any = proportion_interval([1.0] * served[name] + [0.0] * (requests - served[name]))
        yield ServedModel(name, served[name], found.value, (found.low, found.high))
