"""Routing: what a policy sees and says."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import time
from typing import Protocol

from llmops.domain.records import record


@record
class Tally:
    """How the answers of one model fared so far."""

    good: float = 0.0
    """Answers that passed; a grade between 0 and 1 counts for that much."""
    bad: float = 0.0
    cost_usd: float = 0.0

    @property
    def answers(self) -> float:
        """All of them."""
        return self.good + self.bad


@record
class RouteRequest:
    """What a policy knows of a request before any model has answered."""

    text: str
    """The question."""
    key: str
    """Requests with one key, such as one user's, are treated alike by policies that split the traffic."""
    tags: tuple[str, ...] = ()
    spent_usd: float = 0.0
    """By this route so far."""
    now: time = time()
    """Local time of day."""
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """Of this route so far, by model."""


@record
class Reply:
    """What came back from one model."""

    model: str
    answer: str | None
    error: str = ""
    """Why there is no answer."""
    checks: Mapping[str, bool] = field(default_factory=dict)
    """Whether the answer passed, by the name of the check."""


@record
class Serve:
    """Give the user a reply."""

    reply: int
    """Its position among those that came back."""
    reason: str


@record
class Ask:
    """Ask a model next."""

    model: str
    reason: str
    sample: int = 0
    """Which of several answers of this model it is."""
    meanwhile: Serve | None = None
    """What the user gets without waiting for this answer, which is none to serve; None: the user waits for it."""


Step = Ask | Serve


class Policy(Protocol):
    """Decides one step at a time; equal inputs give equal steps."""

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """What to do after these replies; `Serve` at some point, and never before the first reply."""
        ...


@record
class Decision:
    """The first step of a route, before any model is asked."""

    kind: str
    models: tuple[str, ...]
    model: str
    reason: str
    then: str
    """What happens with its answer."""
