"""`llmops route promote`: a canary's next share, or none, from what its log says of both models."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.domain.records import record
from llmops.domain.reports import Verdict
from llmops.domain.route_reports import Arm, Promotion
from llmops.settings.editing import with_values
from llmops.settings.files import read_text, write_atomic
from llmops.settings.project import FILE_NAME, Project
from llmops.settings.routes import CanaryRoute
from llmops.statistics.gate import interval_confidence
from llmops.statistics.independent import independent_difference
from llmops.statistics.intervals import Estimate, mean_interval
from llmops.workflows.route_log import LoggedDecision, decisions


@record
class Terms:
    """What a canary has to show."""

    steps: Sequence[float] = (1, 5, 25, 50, 100)
    """Shares in percent, growing; the last is the most that it gets."""
    margin: float = 0.05
    """Quality that the new model may be worse by."""
    confidence: float = 0.95
    """One-sided."""
    after: int = 100
    """Graded answers of the new model without which nothing is judged."""


def promotion(project: Project, name: str, log: Path, terms: Terms) -> Promotion:
    """What the log says about a canary's next share; nothing is written.

    Raises:
        UsageError: the route is no canary, or it serves nobody or everybody with the new model.
        InvalidFiles: a line of the log is no decision.
    """
    route = project.route(name)
    if not isinstance(route, CanaryRoute):
        raise UsageError(f"The route {name!r} is of the kind {route.kind}; only a canary is promoted.")
    if route.percent in (0, 100):
        hint = f"Give it a share first: percent: {terms.steps[0]:g}"
        raise UsageError(f"The route {name!r} stands at {route.percent:g} %: there are not two models to compare.", hint=hint)
    graded = _graded(decisions(log, project.root), name, route)
    old, new = (_arm(model, graded[model], terms) for model in route.models)
    found = _difference(graded, route.models, terms)
    verdict: Verdict = "inconclusive"
    difference, interval = (None, None) if found is None else (found.value, found.interval)
    if interval is not None and new.graded >= terms.after:
        verdict = "pass" if interval[0] > -terms.margin else "fail" if interval[1] <= -terms.margin else "inconclusive"
    share = {"pass": _next(route.percent, terms.steps), "fail": 0.0}.get(verdict, route.percent)
    return Promotion(name, verdict, route.percent, share, old, new, difference, interval, terms.margin, terms.after)


def apply(project: Project, found: Promotion) -> None:
    """Write a canary's share into llmops.yaml; what was logged before counts no more, as it was logged under another share.

    Raises:
        InvalidFiles: the route is not written in a way that can be changed in place.
        OSError: the file cannot be written; what was there is untouched.
    """
    path = project.root / FILE_NAME
    since = datetime.now(UTC).isoformat(timespec="seconds")
    share = int(found.percent_after) if found.percent_after == int(found.percent_after) else found.percent_after
    text = with_values(read_text(path, project.root), FILE_NAME, ("routes", found.route), {"percent": share, "since": since})
    write_atomic(path, text)


def _graded(logged: Iterable[LoggedDecision], name: str, route: CanaryRoute) -> Mapping[str, list[tuple[float, str]]]:
    """What the answers of each model were worth, and whose they were; no answer is worth nothing."""
    found: dict[str, list[tuple[float, str]]] = {model: [] for model in route.models}
    since = None if route.since is None else _instant(route.since)
    for decision in logged:
        if decision.route != name or not decision.calls or (since is not None and _instant(decision.at) < since):
            continue
        call = decision.calls[0]
        worth = 0.0 if call.error else call.passed if decision.quality is None else decision.quality
        if worth is not None and call.model in found:
            found[call.model].append((float(worth), decision.key or decision.id))
    return found


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} in the log is no time; ISO 8601 was expected.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _mean(graded: Sequence[tuple[float, str]], confidence: float) -> Estimate | None:
    if not graded:
        return None
    return mean_interval([w for w, _ in graded], [key for _, key in graded], bounds=(0, 1), confidence=confidence)


def _arm(model: str, graded: Sequence[tuple[float, str]], terms: Terms) -> Arm:
    found = _mean(graded, interval_confidence(terms.confidence))
    if found is None:
        return Arm(model, 0, None, None)
    return Arm(model, len(graded), found.value, found.interval)


def _difference(graded: Mapping[str, list[tuple[float, str]]], models: Sequence[str], terms: Terms) -> Estimate | None:
    old, new = (_mean(graded[model], interval_confidence(terms.confidence)) for model in models)
    return None if old is None or new is None else independent_difference(old, new)


def _next(percent: float, steps: Sequence[float]) -> float:
    """The next step; a canary that has climbed the last one stays."""
    return next((step for step in steps if step > percent), percent)
