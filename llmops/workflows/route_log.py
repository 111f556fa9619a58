"""`llmops route report --log`: what a deployed route did, read off its decisions."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.route_reports import ServedModel, ServedReport
from llmops.settings.files import shown
from llmops.settings.lines import json_lines
from llmops.settings.positions import Positions
from llmops.settings.validation import Amount, Share, Strict, validated
from llmops.statistics.intervals import mean_interval, proportion_interval, quantile

MAX_REASONS = 8


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
    quality: Share | None = None
    """Added later, by a person or an evaluator."""


@dataclass
class _Totals:
    keys: list[int] = field(default_factory=list)
    """The number of each request's key: one user's requests are no independent ones."""
    served: list[str | None] = field(default_factory=list)
    """The model that answered each request."""
    reasons: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    costs: list[float | None] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    qualities: list[float] = field(default_factory=list)
    graded: list[int] = field(default_factory=list)
    """The number of the key of each graded request."""


def served_report(path: Path, root: Path) -> ServedReport:
    """What the decisions of a log came to.

    Raises:
        InvalidFiles: a line that is no decision, or a log without one.
    """
    totals, routes, keys = _Totals(), dict[str, None](), dict[str, int]()
    for decision in decisions(path, root):
        routes[decision.route] = None
        _count(totals, decision, keys.setdefault(decision.key or decision.id, len(keys)))
    if not totals.keys:
        raise InvalidFiles([Problem(shown(path, root), "holds no decision.")])
    known = [cost for cost in totals.costs if cost is not None]
    per_thousand = mean_interval([1000 * cost for cost in known], totals.keys) if len(known) == len(totals.costs) else None
    quality = mean_interval(totals.qualities, totals.graded, bounds=(0, 1))
    return ServedReport(
        ", ".join(routes),
        len(totals.keys),
        totals.served.count(None),
        tuple(_shares(totals)),
        None if per_thousand is None else per_thousand.value,
        None if per_thousand is None else per_thousand.interval,
        quantile(totals.latencies, 0.5),
        quantile(totals.latencies, 0.95),
        None if quality is None else quality.value,
        None if quality is None else quality.interval,
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


def _count(totals: _Totals, decision: LoggedDecision, key: int) -> None:
    totals.keys.append(key)
    totals.latencies.append(sum(call.latency_s for call in decision.calls))
    costs = [call.cost_usd for call in decision.calls]
    totals.costs.append(None if None in costs else sum(cost or 0.0 for cost in costs))
    totals.errors.update(f"{call.model}: {call.error}" for call in decision.calls if call.error)
    if decision.quality is not None:
        totals.qualities.append(decision.quality)
        totals.graded.append(key)
    served = next((call for call in decision.calls if call.served), None)
    totals.served.append(None if served is None else served.model)
    if served is not None:
        totals.reasons[served.reason.partition(";")[0]] += 1


def _shares(totals: _Totals) -> Iterator[ServedModel]:
    for name in sorted({each for each in totals.served if each is not None}):
        found: Any = proportion_interval([float(each == name) for each in totals.served], totals.keys)
        yield ServedModel(name, totals.served.count(name), found.value, (found.low, found.high))
