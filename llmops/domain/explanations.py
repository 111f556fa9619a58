"""What a run would do, and why, without doing it."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from llmops.domain.records import record
from llmops.domain.runs import Step


@record
class Work:
    """One step of the cells of one place."""

    step: Step
    name: str
    """The index, prompt and target, or the evaluator."""
    nodes: int
    """What the plan needs; cells that share a node count once."""
    certain: int
    """Nodes that the store does not hold."""
    possible: int
    """Those, and the ones that depend on a step that has to run first: what comes out of it may be the same as before."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why, and for how many of `possible`; the most frequent first."""


@record
class Estimate:
    """What one model would be asked, judged by the last run; None: not known before it is tried."""

    model: str
    role: Literal["rewrites", "answers", "verdicts"]
    calls: int
    input_tokens: float | None
    output_tokens: float | None
    cost_usd: float | None
    seconds: float | None
    """At the model's concurrency."""
    batched: bool = False
    """In batches of its provider, which take up to a day."""


@record
class Explanation:
    """A plan against the store and the suite's last run."""

    suite: str
    previous: str | None
    """The run that reasons refer to; None: there is none yet."""
    previous_status: str | None
    changes: tuple[str, ...]
    """What differs from the configuration of that run."""
    cells: int
    complete: int
    """Cells whose every stored node exists."""
    work: tuple[Work, ...]
    estimates: tuple[Estimate, ...]

    @property
    def idle(self) -> bool:
        """Nothing has to be computed."""
        return not any(each.possible for each in self.work)
