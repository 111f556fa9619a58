"""The metrics that a suite can give, and what of a gate rule no run could ever judge."""

from collections.abc import Iterable, Iterator, Mapping

from llmops.domain.errors import Problem
from llmops.domain.records import record
from llmops.evaluation.evaluators.base import ANY, COUNT, SHARE, Bounds, outside, within
from llmops.evaluation.evaluators.catalogue import options_of
from llmops.evaluation.tallies import CORRECTED, OVER_TRIES, QUANTILES
from llmops.settings.suite import EvaluatorSpec, GateRule, Suite
from llmops.settings.validation import nearest

OF_A_RUN = ("total", *CORRECTED)
"""Aggregates that a run has and a single cell has not, so that no two cells can be paired; pass@k and pass^k are others."""


@record
class Metrics:
    """What evaluators of one name can give a rule."""

    name: str
    bounds: Mapping[str, Bounds]
    """By aggregate."""
    usual: tuple[str, ...]
    """Aggregates that are worth naming in a hint."""
    verdicts: bool
    """Something passes or fails, so that there are rates."""
    complete: bool
    """There are no further parts that only a run can tell."""


def refused_rules(suite: Suite, specs: Iterable[EvaluatorSpec], repeat: int) -> list[Problem]:
    """Rules that no run of a suite could judge, or that every run would pass.

    Args:
        suite: as it was read.
        specs: its evaluators, and those that cases bring along.
        repeat: answers per case, at most.
    """
    named: dict[str, list[EvaluatorSpec]] = {}
    for spec in specs:
        named.setdefault(spec.name, []).append(spec)
    return [
        suite.positions.problem(("gate", number, key), message, hint=hint)
        for number, rule in enumerate(suite.settings.gate)
        for key, message, hint in _refused(rule, named, repeat)
    ]


def _refused(rule: GateRule, named: Mapping[str, list[EvaluatorSpec]], repeat: int) -> Iterator[tuple[str, str, str | None]]:
    """Key, message and hint of what is wrong with a rule."""
    name, _, aggregate = (rule.metric or "").partition(".")
    if not name:
        return
    if name not in named:
        yield "metric", f"no evaluator is called {name!r}.", nearest(name, named)
        return
    metrics = _metrics(named[name], repeat)
    if metrics is None:
        return
    relative = bool(rule.non_inferior_to or rule.superior_to)
    if (told := _no_such_metric(metrics, aggregate, repeat)) is not None:
        yield ("metric", *told)
    elif relative and (aggregate in OF_A_RUN or OVER_TRIES.fullmatch(aggregate)):
        hint = f"Give the rule `min` or `max`, or compare `{name}.{'pass_rate' if metrics.verdicts else 'mean'}`."
        yield "metric", f"`{aggregate}` is a figure of a whole run, which has no pairs to compare.", hint
    else:
        yield from _no_limits(rule, metrics.bounds.get(aggregate, ANY))


def _no_such_metric(metrics: Metrics, aggregate: str, repeat: int) -> tuple[str, str | None] | None:
    if aggregate in metrics.bounds:
        return None
    tries = OVER_TRIES.fullmatch(aggregate)
    if not metrics.verdicts and (tries or aggregate == "pass_rate"):
        hint = "Give the evaluator `min` or `max`, or judge its `mean`."
        return f"`{metrics.name}` has no limit, so that nothing passes or fails.", hint
    if tries is not None:
        return f"`{aggregate}` takes {tries[2]} answers per case, and `repeat` is {repeat}.", f"Write `repeat: {tries[2]}`."
    if metrics.complete:
        return f"`{metrics.name}` has no figure {aggregate!r}.", nearest(aggregate, metrics.usual)
    return None


def _no_limits(rule: GateRule, bounds: Bounds) -> Iterator[tuple[str, str, str | None]]:
    for key, limit in (("min", rule.min), ("max", rule.max)):
        if limit is not None and (told := outside(limit, f"`{rule.metric}`", bounds)) is not None:
            yield (key, *told)
    if (rule.non_inferior_to or rule.superior_to) and rule.margin >= bounds[1] - bounds[0]:
        found = f"{rule.margin:g} is no margin: `{rule.metric}` lies {within(bounds)}, and cannot change by more."
        yield "margin", found, "A margin is in the metric's own units: 0.05 of a rate is five points."


def _metrics(specs: Iterable[EvaluatorSpec], repeat: int) -> Metrics | None:
    """What one or several evaluators of a name can give; None when the options of one are not valid."""
    found = [_of_one(spec, repeat) for spec in specs]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    bounds: dict[str, Bounds] = {}
    for each in known:
        for aggregate, (low, high) in each.bounds.items():
            least, most = bounds.get(aggregate, (low, high))
            bounds[aggregate] = (min(low, least), max(high, most))
    usual = tuple(dict.fromkeys(name for each in known for name in each.usual))
    return Metrics(known[0].name, bounds, usual, any(k.verdicts for k in known), all(k.complete for k in known))


def _of_one(spec: EvaluatorSpec, repeat: int) -> Metrics | None:
    found = options_of(spec)
    if found is None:
        return None
    kind, options = found
    figures = kind.figures_of(options)
    limits = (spec.common.min, spec.common.max, kind.min, kind.max)
    verdicts = kind.verdict is not None or any(limit is not None for limit in limits)
    tries = (f"pass{sign}{k}" for k in range(1, repeat + 1) for sign in "@^")
    rates = ("pass_rate", *tries) if verdicts else ()
    parts = figures.parts or {}
    bounds = dict.fromkeys(("mean", *QUANTILES, "corrected_mean"), figures.value)
    bounds["total"] = COUNT if figures.value[0] >= 0 else ANY
    bounds |= {"corrected_pass_rate": SHARE, **dict.fromkeys(rates, SHARE), **parts}
    usual = (*rates[:1], "mean", *parts, *((*QUANTILES, "total") if kind.unit else ()))
    return Metrics(spec.name, bounds, usual, verdicts, figures.parts is not None)
