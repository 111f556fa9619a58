"""What changed between runs that asked a model the same."""

from llmops.domain.records import record
from llmops.domain.reports import Direction

DRIFT_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""


@record
class SeenRun:
    """A run whose answers are looked at."""

    id: str
    started_at: str
    """ISO 8601, UTC."""
    answers: int
    """That it got anew, to requests that the newest run makes as well."""


@record
class LeftOut:
    """A run that says nothing, and why."""

    id: str
    reason: str


@record
class Moved:
    """Mean values of a case, or of the cases with a tag, before and after a change."""

    name: str
    cases: int
    before: float
    after: float


@record
class Change:
    """A change of a signal between two runs."""

    previous: str
    """The last run before it with a value."""
    run: str
    """The first run after it."""
    earliest: str
    latest: str
    """Between these runs the first one after it lies, at the confidence of the report."""
    cases: int
    """With values on both sides."""
    before: float
    after: float
    """Means over those cases, from the change before it and until the next one."""
    difference: float
    """After minus before."""
    interval: tuple[float, float] | None
    """Of the difference, two-sided; None where it cannot be estimated."""
    tags: tuple[Moved, ...]
    """Those whose cases moved most, first."""
    moved: tuple[Moved, ...]
    """The cases that moved most, first."""


@record
class Signal:
    """A figure of the answers over the runs."""

    name: str
    """`<evaluator name>.pass_rate` or `.mean`, or `answer.characters`."""
    prompt: str
    target: str
    direction: Direction
    rate: bool
    """A share of 1."""
    cases: int
    means: tuple[float | None, ...]
    """Of each run, in the order of `Drift.runs`; None where it has no value."""
    p_value: float
    """Of no change, adjusted for every run and every signal."""
    smallest: float | None
    """A change in the newest run that would be found 4 times in 5, alike in each case unless of a rate; None: none would."""
    changes: tuple[Change, ...]


@record
class NewModel:
    """An endpoint that names a model which it has not named before."""

    prompt: str
    target: str
    run: str
    """The first in which it does."""
    before: tuple[str, ...]
    """What it named in the run before."""
    name: str


@record
class Drift:
    """What a suite's runs say about the models behind it."""

    suite: str
    confidence: float
    """1 minus the chance that any change is claimed when there is none."""
    runs: tuple[SeenRun, ...]
    """In the order of time."""
    left_out: tuple[LeftOut, ...]
    signals: tuple[Signal, ...]
    models: tuple[NewModel, ...]
    exit_code: int
    """1 when a signal changed or an endpoint names a new model, else 0."""
    schema_version: int = DRIFT_VERSION
