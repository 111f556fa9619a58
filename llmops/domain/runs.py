"""Cells, their results, and runs."""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import timedelta
from typing import Any, Literal, TypeVar, get_args

from llmops.domain.cases import Case
from llmops.domain.errors import StoreError
from llmops.domain.models import RoutedCall, Usage
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.scores import JudgeUse, Span

RunStatus = Literal["running", "finished", "incomplete", "interrupted", "over budget"]
OutcomeStatus = Literal["scored", "failed", "unmeasured"]
NodeKind = Literal["rewrite", "retrieve", "generate", "judge", "evaluate", "sweep", "batch"]
NODE_KINDS: tuple[NodeKind, ...] = get_args(NodeKind)
UNFINISHED: tuple[RunStatus, ...] = ("running", "interrupted", "over budget")
"""Runs that the same command continues."""
GOING_ON = timedelta(days=1)
"""A run that began longer ago and never ended was killed, and nobody will continue one that was stopped."""
Step = Literal["rewrite", "retrieve", "generate", "judge", "detect"]
"""What a user can ask to have done again; `detect` is every stored evaluation that asks no judge."""
STEPS: tuple[Step, ...] = get_args(Step)

BASELINE = "@baseline"
"""How a reference begins that names the run that others are held against."""

Read = TypeVar("Read")


@record
class Node:
    """A finished step of a cell, reusable by its content key."""

    key: str
    kind: NodeKind
    value: Any
    """JSON value; its shape depends on `kind`."""
    run: str
    """Id of the run that computed it: a result of another run is `cached`."""

    def read(self, reader: Callable[[Any], Read]) -> Read:
        """What `reader` makes of the value.

        Raises:
            StoreError: the value is not what such a node holds.
        """
        try:
            return reader(self.value)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise broken_node(self.key, self.kind, error) from error


def broken_node(key: str, kind: NodeKind, error: Exception) -> StoreError:
    """Of a node that cannot be read."""
    found = f"The node {key} of the store ({kind}) is broken: {type(error).__name__}: {error}."
    return StoreError(found, hint="Remove it, and the next run computes it again: llmops cache verify --remove")


@record
class Claimed:
    """What came of claiming some keys; a key that is in neither is being made by another process."""

    mine: frozenset[str]
    """To be made here, and then committed or released."""
    nodes: Mapping[str, Node]
    """Made already."""


@record
class Cell:
    """One prompt version x target x case x repeat."""

    position: int
    """0-based place in the plan: cases in the dataset's order, then prompts, targets, repeats."""
    prompt: str
    """The reference as the suite names it; empty for recorded answers."""
    target: str
    case: Case
    repeat: int
    """0-based."""

    @property
    def id(self) -> str:
        """Unique within a run."""
        return f"{self.case.id}|{self.prompt}|{self.target}|{self.repeat}"


@record
class EvaluatorResult:
    """An outcome with the suite's threshold applied."""

    status: OutcomeStatus
    value: float | None = None
    passed: bool | None = None
    """None when not scored, or when the suite sets no threshold."""
    reason: str = ""
    spans: tuple[Span, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)
    judging: JudgeUse | None = None
    """None: no judge was asked."""


@record
class Turn:
    """One answer of a conversation that went on."""

    output: str
    cost_usd: float | None
    """As of a `CellResult`, of this turn alone, and so are the others."""
    spent_usd: float | None
    latency_s: float
    attempts: int
    cached: bool


@record
class CellResult:
    """One executed cell."""

    position: int
    """As `Cell.position`."""
    case_id: str
    prompt: str
    target: str
    repeat: int
    status: OutcomeStatus
    """`failed` when there is no answer to score."""
    output: str | None
    error: str | None
    """Why there is no answer."""
    evaluations: Mapping[str, EvaluatorResult]
    """By evaluator name."""
    usage: Usage | None = None
    cost_usd: float | None = None
    """What the answer cost when it was generated; None: not known."""
    latency_s: float | None = None
    ttft_s: float | None = None
    attempts: int = 0
    """Calls made in this run; 0 for a reused answer."""
    cached: bool = False
    model: str | None = None
    tags: tuple[str, ...] = ()
    node_keys: Mapping[str, str] = field(default_factory=dict)
    """Keys of the `retrieve` and `generate` nodes, so that hits and prompt can be shown later."""
    route: tuple[RoutedCall, ...] = ()
    """The calls of a route, in order; empty for a plain model."""
    contexts: tuple[Hit, ...] = ()
    """Passages that came with the answer."""
    earlier: tuple[Turn, ...] = ()
    """The conversation's turns before. Tokens, cost and attempts are those of all turns, everything else is the last one's."""
    asked: str | None = None
    """Key of all that a conversation asks, whatever is answered; None: it has one turn."""

    @property
    def served(self) -> str | None:
        """Name of the model whose answer a route served; None without a route."""
        return next((call.model for call in self.route if call.served), None)

    @property
    def spent_usd(self) -> float | None:
        """What the answer cost in this run: nothing when it was reused; None: not known."""
        if self.cached and not self.earlier:
            return 0.0
        spent = [turn.spent_usd for turn in self.earlier]
        if not self.cached:
            before = [call.cost_usd for call in self.route if call.reused] + [turn.cost_usd for turn in self.earlier]
            spent.append(None if self.cost_usd is None else self.cost_usd - sum(cost or 0.0 for cost in before))
        return None if None in spent else sum(cost or 0.0 for cost in spent)

    @property
    def retries(self) -> int:
        """Attempts that followed upon one that failed."""
        if not self.route and not self.earlier:
            return max(0, self.attempts - 1)
        before = [turn.attempts for turn in self.earlier]
        made = [*before, *([call.attempts for call in self.route] or [self.attempts - sum(before)])]
        return sum(max(0, attempts - 1) for attempts in made)

    @property
    def id(self) -> str:
        """As `Cell.id`."""
        return f"{self.case_id}|{self.prompt}|{self.target}|{self.repeat}"

    @property
    def covered(self) -> bool:
        """Whether it has an answer, and no evaluator failed to judge it."""
        return self.status != "failed" and all(each.status != "failed" for each in self.evaluations.values())

    @property
    def passed(self) -> bool | None:
        """True when every evaluator with a threshold passed; None when nothing was judged."""
        verdicts = [e.passed for e in self.evaluations.values() if e.passed is not None]
        return all(verdicts) if verdicts else None


@record
class Run:
    """One execution of a suite."""

    id: str
    suite: str
    """Path of the suite file."""
    status: RunStatus
    started_at: str
    """ISO 8601, UTC."""
    finished_at: str | None
    plan_key: str
    """Equal for equal suite, prompts, dataset, targets and options: an unfinished run of this key is continued."""
    cells: int
    snapshot: Mapping[str, Any]
    """What was run: the suite, prompt hashes, model ids, index key, evaluator identities, tool version."""

    @property
    def aside(self) -> bool:
        """Whether it was made to hold another against, so that it says nothing of the suite as it stands."""
        return bool(self.snapshot.get("options", {}).get("aside"))

    @property
    def partial(self) -> bool:
        """Whether options left out cases of its dataset."""
        selection = self.snapshot.get("selection", {})
        limit = selection.get("limit")
        cut = limit is not None and self.snapshot.get("dataset", {}).get("cases", limit) >= limit
        return cut or self.snapshot.get("selected_ids") is not None or bool(selection.get("tags"))
