"""What an evaluator says of one answer: scored, failed or unmeasured, never a silent zero."""

from collections.abc import Mapping
from dataclasses import field, replace

from llmops.domain.cases import Case
from llmops.domain.models import Completion
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import Hit


@record
class Span:
    """A part of the answer that a score is about."""

    start: int
    """First character in the answer, 0-based."""
    end: int
    kind: str
    """`contradicted`, `not found`, `number differs`, `hate` ..."""
    evidence: str = ""
    """The closest passage."""
    source: str = ""
    """Where the evidence stands."""


@record
class JudgeUse:
    """Calls to judges behind an outcome, priced apart from the answers."""

    calls: int = 0
    """Requests that were sent for it, now or when it was first judged."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    """What they cost when they were made; None: a price is not known."""
    sent: int = 0
    """Part of `calls` that this run sent."""
    spent_usd: float | None = 0.0
    """Part of `cost_usd` that this run paid."""
    seconds: float = 0.0
    """What the calls took, added up."""

    def __add__(self, other: "JudgeUse") -> "JudgeUse":
        def total(mine: float | None, theirs: float | None) -> float | None:
            return None if mine is None or theirs is None else mine + theirs

        return JudgeUse(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            total(self.cost_usd, other.cost_usd),
            self.sent + other.sent,
            total(self.spent_usd, other.spent_usd),
            self.seconds + other.seconds,
        )

    def reused(self) -> "JudgeUse":
        """The same calls, none of them made by this run."""
        return replace(self, sent=0, spent_usd=0.0)


@record
class Score:
    """A measured value. Whether it passes is decided by the threshold of the suite, not here."""

    value: float
    reason: str = ""
    spans: tuple[Span, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """Further figures by metric name, such as `recall@5`; each is aggregated as a mean."""
    judging: JudgeUse | None = None
    """None: no judge was asked."""


@record
class Failure:
    """The evaluator should have given a value and could not."""

    reason: str
    judging: JudgeUse | None = None


@record
class Unmeasured:
    """The evaluator does not apply to this case."""

    reason: str
    judging: JudgeUse | None = None


Outcome = Score | Failure | Unmeasured


@record
class Sample:
    """All that an evaluator may look at."""

    case: Case
    target: str
    messages: tuple[Message, ...]
    """The rendered prompt; empty for a recorded answer."""
    hits: tuple[Hit, ...]
    """Retrieved and given passages, in the order the prompt saw them."""
    completion: Completion
    cached: bool = False
    """The completion was reused from an earlier run, so its latency is not of this one."""
    cost_usd: float | None = None
    """What the completion cost when it was made; None: not known."""


@record
class DetectionRequest:
    """A text for a detector, with what it is held against."""

    output: str
    contexts: tuple[str, ...] = ()
    """Passages that should support the output; a toxicity detector ignores them."""
    sources: tuple[str, ...] = ()
    """Names of the passages, as many as `contexts`."""
    input: str = ""
    """What the output answers."""


@record
class Detection:
    """A detector's finding."""

    value: float
    """Calibrated probability of the fault, 0 to 1: higher is worse."""
    spans: tuple[Span, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    """Probability by category, such as `hate`."""
