"""Reports on routes: what policies would have cost and lost on recorded answers, and what deployed ones did."""

from collections.abc import Mapping
from dataclasses import field

from llmops.domain.records import record
from llmops.domain.reports import Verdict

ROUTE_REPORT_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""

Interval = tuple[float, float]


@record
class PolicyReport:
    """One policy, replayed."""

    name: str
    quality: float | None
    """Mean over the requests, 0 to 1; None when the policy cannot be replayed."""
    cost: float | None
    """USD per 1,000 requests; None when a model's cost is not known."""
    latency_p50_s: float | None
    latency_p95_s: float | None
    share: Mapping[str, float]
    """Share of the requests that each model served."""
    kept: float | None
    """Quality as a share of the strong model's."""
    apgr: float | None
    """Mean performance gap recovered over all shares of calls to the strong model; None for a policy without a threshold."""
    apgr_cost: float | None
    """The same over cost in place of calls."""
    cpt50: float | None
    """Least share of calls to the strong model that recovers half of the gap; None: never, or no threshold."""
    cpt80: float | None
    aiq: float | None
    """Mean quality over cost along the policy's frontier, between the cheapest and the dearest model (RouterBench)."""
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """95 %, a group as one: of `quality`, `cost`, `kept` and `apgr`."""
    better_than_random: Interval | None = None
    """95 % interval of the quality gained over a random mixture with the same shares."""
    note: str = ""
    """Why the policy could not be replayed, or what to know of it."""
    over_current: Interval | None = None
    """95 % interval of the quality gained over the current policy on the same requests."""


@record
class ServedModel:
    """What one model served of a deployed route's requests."""

    name: str
    requests: int
    share: float
    interval: Interval


@record
class ServedReport:
    """What a deployed route did, from its log."""

    route: str
    requests: int
    failed: int
    """Requests that no model answered."""
    served: tuple[ServedModel, ...]
    cost: float | None
    """USD per 1,000 requests; None when a call's cost is not known."""
    cost_interval: Interval | None
    latency_p50_s: float | None
    latency_p95_s: float | None
    quality: float | None
    """Mean of the lines that somebody graded; None when nobody did."""
    quality_interval: Interval | None
    graded: int
    errors: Mapping[str, int]
    """Failed calls, by model and error."""
    reasons: Mapping[str, int]
    """Why served calls were made, the most frequent first."""


@record
class Arm:
    """One model of a canary, from the log."""

    model: str
    graded: int
    """Answers that somebody or a check graded; a failed call is one, worth nothing."""
    quality: float | None
    interval: Interval | None


@record
class Promotion:
    """What a canary's log says about its next share."""

    route: str
    verdict: Verdict
    percent_before: float
    percent_after: float
    """0 after a fail, the same when it is inconclusive."""
    old: Arm
    new: Arm
    difference: float | None
    """New minus old."""
    interval: Interval | None
    margin: float
    after: int
    """Graded answers of the new model without which nothing is judged."""


@record
class TagReport:
    """The requests with one tag."""

    tag: str
    requests: int
    weak_quality: float
    strong_quality: float
    difference: Interval
    """95 % interval of strong minus weak, over the requests."""


@record
class Machine:
    """A model on a machine that is paid by the hour."""

    model: str
    usd_per_hour: float
    requests_per_s: float
    cost: float
    """USD per 1,000 requests of a machine that is always busy."""
    other: str
    """The model that it is held against."""
    break_even: float | None
    """Requests a month from which the machine, always on, is cheaper than the other model; None: never, or not known."""
    capacity: float
    """Requests a month that it can serve."""


@record
class RouteReport:
    """All policies on one set of recorded requests."""

    source: str
    requests: int
    models: Mapping[str, float]
    """Mean quality by model."""
    weak: str
    strong: str
    keep: float
    """The policies with a threshold were asked to keep this share of the strong model's quality."""
    policies: tuple[PolicyReport, ...]
    tags: tuple[TagReport, ...] = ()
    notes: tuple[str, ...] = ()
    current: str | None = None
    """The policy that the others are held against."""
    machine: Machine | None = None
    schema_version: int = ROUTE_REPORT_VERSION
