"""`llmops route report`: recorded requests through every policy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from llmops.domain.errors import UsageError
from llmops.domain.paging import pages
from llmops.domain.ports import Embedder, Progress
from llmops.domain.records import record
from llmops.domain.route_reports import Machine, PolicyReport, RouteReport, TagReport
from llmops.routing.features import shape
from llmops.routing.learning import Features, folds_of, parted
from llmops.routing.recorded_routes import RecordedRoute
from llmops.routing.records import Records, ends_of, told_apart_by, untimed
from llmops.routing.replaying import Ends, Replay
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.validation import nearest
from llmops.statistics.intervals import mean_interval

MIN_TAGGED = 10
"""Requests that a tag needs for a row of its own."""
EMBED_AT_ONCE = 512
HOURS_A_MONTH = 730


class Parts(Protocol):
    """What a report needs of the outside; `wiring` provides it."""

    root: Path

    def embedder(self, settings: EmbedderSettings) -> Embedder:
        """Turns prompts into vectors."""
        ...


@record
class Question:
    """What the report is asked."""

    weak: str | None = None
    strong: str | None = None
    keep: float = 0.95
    """Share of the strong model's quality that a threshold has to keep."""
    prices: Mapping[str, float] | None = None
    """USD per 1,000 requests by model, in place of the recorded costs."""
    embedder: str | None = "minilm"
    """Kind of embedder for the learned router; None leaves it out."""
    routes: Mapping[str, RecordedRoute] | None = None
    """Policies of the project that are replayed, too."""
    current: str | None = None
    """Policy that the others are held against: a model, a route of the project, or a name of the report."""
    usd_per_hour: float | None = None
    """Price of a machine that the weak model runs on, in place of its recorded cost."""
    requests_per_s: float | None = None
    """What the machine serves; None: one request after the other, at the recorded latency."""


def report(records: Records, source: str, question: Question, parts: Parts, progress: Progress) -> RouteReport:
    """Replay every policy.

    Raises:
        UsageError: a model that was not recorded, or both ends are one model.
    """
    known = priced(records, question.prices or {})
    weak, strong = ends_of(known, question.weak, question.strong)
    on_ends = tuple(_notes_on_ends(known, question))
    machine = _machine(known, weak, strong, question)
    if machine is not None:
        known = priced(known, {machine.model: machine.cost})
    features = None if question.embedder is None else features_of(records.prompts, parts, question.embedder, progress)
    replay = Replay(known, Ends(weak, strong, question.keep))
    means = known.quality.mean(axis=0)
    policies = tuple(replay.policies(features, question.routes))
    current = None if question.current is None else _named(question.current, policies)
    if current is not None:
        policies = tuple(replay.against(current, policies))
    return RouteReport(
        source,
        len(known),
        {name: float(means[column]) for column, name in enumerate(known.models)},
        known.models[weak],
        known.models[strong],
        question.keep,
        policies,
        tuple(_tags(known, weak, strong)),
        (*_notes(known), *on_ends, *(note for route in (question.routes or {}).values() for note in route.notes)),
        current,
        machine,
    )


def _named(wanted: str, policies: Sequence[PolicyReport]) -> str:
    """The policy that a user means.

    Raises:
        UsageError: there is none, or it could not be replayed.
    """
    known = {policy.name: policy for policy in policies}
    found = next((known[name] for name in (wanted, f"always {wanted}", f"route {wanted}") if name in known), None)
    if found is None:
        raise UsageError(f"No policy is called {wanted!r}.", hint=nearest(wanted, known) or f"Known: {', '.join(known)}")
    if found.quality is None:
        raise UsageError(f"{found.name} cannot be held against the others: {found.note}.")
    return found.name


def _machine(records: Records, weak: int, strong: int, question: Question) -> Machine | None:
    """What the weak model costs on a machine that is paid by the hour.

    Raises:
        UsageError: its throughput is neither given nor recorded.
    """
    import numpy as np

    if question.usd_per_hour is None:
        return None
    name, rate = records.models[weak], question.requests_per_s
    if rate is None:
        answers = records.latency[~untimed(records)[:, weak], weak]
        latency = float(answers.mean()) if len(answers) else 0.0
        if not latency > 0:
            raise UsageError(
                f"The latency of {name} was not recorded.", hint="Say what it serves: --throughput REQUESTS-PER-SECOND"
            )
        rate = 1 / latency
    hosted = float(records.cost[:, strong].mean())
    capacity = rate * 3600 * HOURS_A_MONTH
    needed = question.usd_per_hour * HOURS_A_MONTH / hosted if np.isfinite(hosted) and hosted > 0 else None
    cost = question.usd_per_hour / (3.6 * rate)
    even = needed if needed is not None and needed <= capacity else None
    return Machine(name, question.usd_per_hour, rate, cost, records.models[strong], even, capacity)


def features_of(prompts: Sequence[str], parts: Parts, kind: str, progress: Progress) -> Features:
    """Embeddings and shapes of prompts."""
    import numpy as np

    embedder = parts.embedder(EmbedderSettings.model_validate({"kind": kind}))
    progress.started("embedding prompts", len(prompts))
    vectors = []
    for some in pages(prompts, EMBED_AT_ONCE):
        vectors.append(embedder.embed(some))
        progress.advanced(len(some))
    progress.finished()
    return Features(np.concatenate(vectors).astype(float), np.array([shape(prompt) for prompt in prompts]))


def priced(records: Records, prices: Mapping[str, float]) -> Records:
    """The records with other prices, in USD per 1,000 requests by model."""
    cost = records.cost.copy()
    for name, price in prices.items():
        cost[:, records.model(name)] = price / 1000
    return replace(records, cost=cost, assumed={name: n for name, n in records.assumed.items() if name not in prices})


def _tags(records: Records, weak: int, strong: int) -> Iterator[TagReport]:
    """Where the weak model is enough: quality of both ends for each tag that is frequent enough."""
    for tag in dict.fromkeys(tag for tags in records.tags for tag in tags):
        rows = [number for number, tags in enumerate(records.tags) if tag in tags]
        if len(rows) < MIN_TAGGED:
            continue
        low, high = records.quality[rows, weak], records.quality[rows, strong]
        found = mean_interval((high - low).tolist(), [records.groups[row] for row in rows], bounds=(-1.0, 1.0))
        if found is not None and found.interval is not None:
            yield TagReport(tag, len(rows), float(low.mean()), float(high.mean()), found.interval)


def _notes(records: Records) -> Iterator[str]:
    import numpy as np

    if records.left_out:
        yield f"{records.left_out} requests that not every model answered are left out"
    if not parted(folds_of(records.groups)):
        yield "all requests are in one fold: thresholds are chosen on the requests that they are judged on"
    for name, count in records.assumed.items():
        known = len(records) - count
        yield f"{name} gave no answer {count} times at a cost that is not known: each counts as the mean of the other {known}"
    missing = int(untimed(records).sum())
    if missing and np.isfinite(records.latency).any():
        yield f"{missing} failed answers have no latency: p50 and p95 leave out the requests that waited for them"
    unknown = _unpriced(records)
    if unknown:
        yield f"the cost of {', '.join(unknown)} is not known: give --price {unknown[0]}=USD-per-1000-requests"


def _notes_on_ends(records: Records, question: Question) -> Iterator[str]:
    told = told_apart_by(records)
    if told != "cost" and (question.weak is None or question.strong is None):
        yield f"the weak and the strong model are told by their {told}, not by their cost: name them with --weak and --strong"
    weak, strong = ends_of(records, question.weak, question.strong)
    if records.quality[:, strong].mean() <= records.quality[:, weak].mean():
        better, other = records.models[strong], records.models[weak]
        yield f"{better} is no better than {other} here: there is no gap to recover, and so no APGR and no CPT"


def _unpriced(records: Records) -> list[str]:
    """Models some of whose answers have no known cost."""
    import numpy as np

    return [name for column, name in enumerate(records.models) if np.isnan(records.cost[:, column]).any()]
