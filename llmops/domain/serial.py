"""Domain objects as plain JSON values and back, for the store and for reports."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from llmops.domain.models import Completion, RoutedCall, Usage
from llmops.domain.prompts import Image
from llmops.domain.reports import (
    Counts,
    EvaluatorSummary,
    FlakyCase,
    Flip,
    Group,
    LatencySummary,
    Metric,
    Power,
    Report,
    RuleVerdict,
    Spend,
    Timing,
)
from llmops.domain.retrieval import Hit
from llmops.domain.runs import CellResult, EvaluatorResult, Turn
from llmops.domain.scores import Failure, JudgeUse, Outcome, Score, Span, Unmeasured

Json = dict[str, Any]

_SCALARS = {str, int, float, bool, type(None)}


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """Names of a dataclass's fields; none for any other type."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def plain(value: Any) -> Any:  # noqa: ANN401 -- any domain object
    """A dataclass, recursively, as a JSON value; fields at their default are kept, and of an image its name."""
    kind: Any = type(value)
    if kind in _SCALARS:
        return value
    if kind is Image:
        return value.name
    if names := _fields(kind):
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def members(value: Any) -> Json:  # noqa: ANN401 -- any domain object
    """The fields of a dataclass or the items of a mapping: what an encoder's `default` needs to write any domain object.

    Raises:
        TypeError: `value` is something else.
    """
    kind: Any = type(value)
    if names := _fields(kind):
        return {name: getattr(value, name) for name in names}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{kind.__name__} cannot be written as JSON.")


def hit_from_json(data: Json) -> Hit:
    """The inverse of `plain` for a hit."""
    return Hit(**data)


def hits_from_json(data: Sequence[Json]) -> tuple[Hit, ...]:
    """The inverse of `plain` for hits."""
    return tuple(hit_from_json(each) for each in data)


def completion_from_json(data: Json) -> Completion:
    """The inverse of `plain` for a completion."""
    usage = data["usage"]
    fixed = {"usage": None if usage is None else Usage(**usage), "route": _route_from_json(data), "contexts": _contexts(data)}
    return Completion(**{**data, **fixed})


def completions_from_json(data: Sequence[Json]) -> tuple[Completion, ...]:
    """The inverse of `plain` for completions."""
    return tuple(completion_from_json(each) for each in data)


def _route_from_json(data: Json) -> tuple[RoutedCall, ...]:
    return tuple(RoutedCall(**call) for call in data.get("route", ()))


def _contexts(data: Json) -> tuple[Hit, ...]:
    return hits_from_json(data.get("contexts", ()))


def outcome_to_json(outcome: Outcome) -> Json:
    """An outcome with its status."""
    if isinstance(outcome, Score):
        return {"status": "scored", **plain(outcome)}
    return {"status": "failed" if isinstance(outcome, Failure) else "unmeasured", **plain(outcome)}


def outcome_from_json(data: Json) -> Outcome:
    """The inverse of `outcome_to_json`."""
    judging = _judging_from_json(data)
    if data["status"] == "failed":
        return Failure(data["reason"], judging)
    if data["status"] == "unmeasured":
        return Unmeasured(data["reason"], judging)
    return Score(data["value"], data["reason"], tuple(Span(**span) for span in data["spans"]), data["parts"], judging)


def _judging_from_json(data: Json) -> JudgeUse | None:
    judging = data.get("judging")
    return None if judging is None else JudgeUse(**judging)


def result_from_json(data: Json) -> CellResult:
    """The inverse of `plain` for a cell result."""
    usage = data["usage"]
    evaluations = {
        name: EvaluatorResult(
            **{**each, "spans": tuple(Span(**span) for span in each["spans"]), "judging": _judging_from_json(each)}
        )
        for name, each in data["evaluations"].items()
    }
    fixed = {"usage": None if usage is None else Usage(**usage), "evaluations": evaluations, "tags": tuple(data["tags"])}
    fixed |= {"route": _route_from_json(data), "contexts": _contexts(data)}
    fixed |= {"earlier": tuple(Turn(**turn) for turn in data.get("earlier", ()))}
    return CellResult(**{**data, **fixed})


def report_from_json(data: Json) -> Report:
    """The inverse of `plain` for a report."""
    groups = tuple(
        Group(
            **{
                **group,
                "evaluators": tuple(
                    EvaluatorSummary(
                        **{**e, "metrics": tuple(Metric(**metric) for metric in e["metrics"]), "judging": _judging_from_json(e)}
                    )
                    for e in group["evaluators"]
                ),
                "spend": Spend(**group["spend"]),
                "latency": LatencySummary(**group["latency"]),
            }
        )
        for group in data["groups"]
    )
    built = {
        "groups": groups,
        "rules": tuple(RuleVerdict(**rule) for rule in data["rules"]),
        "counts": Counts(**data["counts"]),
        "timing": Timing(**data["timing"]),
        "notes": tuple(data["notes"]),
        "worst": tuple(result_from_json(result) for result in data["worst"]),
        "flips": tuple(Flip(**{**flip, "evaluators": tuple(flip["evaluators"])}) for flip in data.get("flips", ())),
        "broken": data.get("broken", sum(flip["broken"] for flip in data.get("flips", ()))),
        "mended": data.get("mended", sum(not flip["broken"] for flip in data.get("flips", ()))),
        "flaky": tuple(FlakyCase(**case) for case in data.get("flaky", ())),
        "flaky_total": data.get("flaky_total", len(data.get("flaky", ()))),
        "power": Power(**data["power"]) if data.get("power") else None,
    }
    return Report(**{**data, **built})
