"""The plan of a run: which cells there are, and the content keys of each cell's nodes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Protocol

from llmops.domain.cases import Case, History
from llmops.domain.errors import UsageError
from llmops.domain.keys import content_hash, node_key
from llmops.domain.models import CompletionRequest, Price
from llmops.domain.ports import ChatBatches, ChatModel
from llmops.domain.prompts import Message
from llmops.domain.queries import Query, Written
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.routing import Policy
from llmops.domain.runs import Cell, Node, Step
from llmops.domain.serial import plain
from llmops.evaluation.calibrations import Calibration
from llmops.evaluation.datasets import Dataset
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.evaluators.evidence import EVALUATE_VERSION, evidence_hash
from llmops.evaluation.judging.panel import judges_named
from llmops.prompting.template import PromptVersion
from llmops.settings.suite import RECORDED, Suite

RETRIEVE_VERSION = 1
GENERATE_VERSION = 1
CALLS_VERSION = 2
"""How the tools that an answer calls are told; counts where a request offers any."""


class AskWriter(Protocol):
    """Has models write for a query before it is searched for, each reply a node of its own."""

    @property
    def identity(self) -> str:
        """Changes whenever the same query could get other texts."""
        ...

    @property
    def targets(self) -> "tuple[Target, ...]":
        """The models that it asks."""
        ...

    def keys(self, text: str, history: History = ()) -> Mapping[str, str]:
        """The keys of the nodes for a query and the conversation before it, each with the name of its model.

        Raises:
            TemplateError: a prompt cannot be rendered.
        """
        ...

    def read(self, text: str, history: History, nodes: Mapping[str, Node], run: str) -> Written | None:
        """What stored nodes say; None: some are missing. Nodes of `run` count as paid for by it."""
        ...

    async def __call__(self, text: str, history: History = ()) -> Written:
        """What is written for a query, by calls where no reply is stored.

        Raises:
            ModelError: a model gave no usable reply.
        """
        ...


class AskRetriever(Protocol):
    """Searches an index; calls of many cells are answered in batches behind the scenes."""

    writer: AskWriter | None
    """Asked for each query before it is searched for."""

    identity: str
    """Changes whenever the same query could give other hits."""
    facts: Mapping[str, Any]
    """What it is made of, as JSON: recorded with a run to say later what has changed."""

    @property
    def documents(self) -> Collection[str]:
        """Ids of what it searches."""
        ...

    async def __call__(self, query: Query) -> tuple[Hit, ...]:
        """The hits of one query for which everything is written, best first."""
        ...


@record
class Route:
    """A policy and the models that it chooses between."""

    identity: str
    """Everything that can change an answer: the policy, its models and its checks."""
    policy: Policy
    targets: "Mapping[str, Target]"
    checks: tuple[BuiltEvaluator, ...] = ()
    """Evaluators that decide whether a model's answer holds."""
    notes: tuple[str, ...] = ()
    """What whoever uses it should know."""


@record
class Target:
    """A model under the name of the suite, with the rules for calling it."""

    name: str
    model_id: str
    model: ChatModel | None
    """None for recorded answers and for a route."""
    params: Mapping[str, Any] = field(default_factory=dict)
    price: Price | None = None
    concurrency: int = 16
    max_retries: int = 4
    timeout_s: float = 60.0
    """Bound on one attempt."""
    route: Route | None = None
    rpm: int | None = None
    """Requests in any minute, at most."""
    tpm: int | None = None
    """Tokens in any minute, at most, questions and answers together."""
    endpoint: str = ""
    """Models with the same text are served by the same server; empty: by one of its own."""
    batches: ChatBatches | None = None
    """Has calls answered in batches; None: each is made by itself."""

    @property
    def rates(self) -> Price | None:
        """What its calls cost now; None: not known."""
        return self.price if self.batches is None or self.price is None else self.price.batch

    @property
    def identity(self) -> str:
        """Changes whenever the same request could get another answer."""
        if self.route is not None:
            return self.route.identity
        return RECORDED if self.model is None else self.model.identity

    @property
    def facts(self) -> dict[str, Any]:
        """What is asked, as JSON: recorded with a run to say later what has changed."""
        if self.route is not None:
            return {"route": self.identity}
        return {"model": self.identity, "params": dict(self.params), "price": plain(self.price)}

    @property
    def embedded(self) -> bool:
        """It comes with llmops, and its answers cost nothing."""
        return self.model_id.startswith("embedded/")

    @property
    def asked(self) -> "tuple[Target, ...]":
        """The models behind it: itself, or those of its route."""
        return (self,) if self.route is None else tuple(self.route.targets.values())


@record
class Selection:
    """Which cases of a dataset are run, and with what changed."""

    limit: int | None = None
    tags: tuple[str, ...] = ()
    """Only cases with one of these tags."""
    case_ids: frozenset[str] | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values that replace the cases' own."""
    shuffled: bool = False
    """In an order that has nothing to do with the dataset's, the same each time."""

    def cases(self, dataset: Dataset) -> Iterator[Case]:
        """The selected cases, in the dataset's order unless shuffled."""
        if self.shuffled:
            ordered = replace(self, shuffled=False).cases(dataset)
            return iter(sorted(ordered, key=lambda case: content_hash(f"order\x00{case.id}")))
        return self._in_order(dataset)

    def _in_order(self, dataset: Dataset) -> Iterator[Case]:
        taken = 0
        for case in dataset.cases():
            if self.limit is not None and taken >= self.limit:
                return
            if self.tags and not set(self.tags) & set(case.tags):
                continue
            if self.case_ids is not None and case.id not in self.case_ids:
                continue
            taken += 1
            yield case.given(self.variables) if self.variables else case


@record
class Plan:
    """Everything that is needed to run a suite, built and checked."""

    suite: Suite
    dataset: Dataset
    selection: Selection
    cases: int
    """Number of selected cases."""
    prompts: Mapping[str, PromptVersion]
    """By reference; empty for recorded answers."""
    targets: Mapping[str, Target]
    retriever: AskRetriever | None
    evaluators: tuple[BuiltEvaluator, ...]
    case_evaluators: Mapping[str, tuple[BuiltEvaluator, ...]]
    """By case id: evaluators of that case alone."""
    repeat: int
    stream: bool
    """Stream the answers, to measure the time to first token."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else tells this run from another of the same suite, such as `--no-cache`."""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    """By evaluator name: what people said of its verdicts."""
    notes: tuple[str, ...] = ()
    """What the reader of a report should know before any cell is run."""

    def asked(self) -> "dict[str, Target]":
        """The models that may be called, by name: the targets, and those that their routes choose between."""
        return {each.name: each for target in self.targets.values() for each in target.asked if each.model is not None}

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.cases * max(1, len(self.prompts)) * len(self.targets) * self.repeat

    @property
    def looks(self) -> tuple[int, ...]:
        """Answers per case at each look that the gate may take, as an inconclusive run may be extended."""
        settings, first = self.suite.settings, self.options.get("first_repeat", self.repeat)
        last = settings.extend.repeats if settings.on_inconclusive == "extend" else first
        return tuple(range(first, max(first, last) + 1))

    def cells(self) -> Iterator[Cell]:
        """All cells, in order."""
        position = 0
        for case in self.selection.cases(self.dataset):
            for prompt in self.prompts or ("",):
                for target in self.targets:
                    for repeat in range(self.repeat):
                        yield Cell(position, prompt, target, case, repeat)
                        position += 1

    def evaluators_of(self, case_id: str) -> tuple[BuiltEvaluator, ...]:
        """The suite's evaluators and the case's own."""
        return self.evaluators + self.case_evaluators.get(case_id, ())

    def all_evaluators(self) -> Iterator[BuiltEvaluator]:
        """The suite's, and those of single cases."""
        yield from self.evaluators
        for own in self.case_evaluators.values():
            yield from own

    def snapshot(self) -> dict[str, Any]:
        """What is run, as JSON: recorded with the run, and compared by `compare`."""
        return {
            "suite": self.suite.path,
            "dataset": {"path": self.dataset.path, "hash": self.dataset.content_hash, "cases": self.cases},
            "selection": plain(replace(self.selection, case_ids=None)),
            "selected_ids": sorted(self.selection.case_ids) if self.selection.case_ids is not None else None,
            "prompts": {reference: version.hash for reference, version in self.prompts.items()},
            "targets": {t.name: t.facts for t in self.targets.values()},
            "index": self.retriever.identity if self.retriever else None,
            "retrieval": {"name": self.suite.settings.index, **self.retriever.facts} if self.retriever else None,
            "code": {"retrieve": RETRIEVE_VERSION, "generate": GENERATE_VERSION, "evaluate": EVALUATE_VERSION},
            "evaluators": {
                e.spec.name: {"identity": e.identity, "common": e.spec.common.model_dump(mode="json")} for e in self.evaluators
            },
            "repeat": self.repeat,
            "options": dict(self.options),
        }

    def key(self) -> str:
        """Equal for equal plans: an unfinished run of the same plan is continued."""
        return node_key("plan", 1, self.snapshot())

    def query(self, case: Case) -> str:
        """The text that is searched for.

        Raises:
            UsageError: the suite names no variable and the case has no obvious one.
        """
        return query_of(case, self.suite.settings.query)


def query_of(case: Case, name: str | None) -> str:
    """The text of a case that is searched for.

    Args:
        case: with its variables.
        name: of the variable, as the suite says; None: `question`, else the only text variable.

    Raises:
        UsageError: the case has no such variable, or no obvious one.
    """
    text = case.question if name is None else case.vars.get(name)
    if isinstance(text, str):
        return text
    found = ", ".join(f"`{key}`" for key in case.vars) or "none"
    wanted = "question" if name is None else name
    hint = "Name one in the suite: `query: VARIABLE`."
    raise UsageError(f"Case {case.id!r} has no text variable `{wanted}` to search for; it has {found}.", hint=hint)


def question_of(case: Case) -> str:
    """What a routing policy sees of a case: its question, else all its variables."""
    if case.question is not None:
        return case.question
    return " ".join(str(plain(value)) for value in case.vars.values())


def retrieve_key(retriever: AskRetriever, query: Query) -> str:
    """Key of the hits of a query; what was written for it counts, where there is anything."""
    written = {name: list(texts) for name, texts in (("rewrites", query.rewrites), ("passages", query.passages)) if texts}
    return node_key("retrieve", RETRIEVE_VERSION, {"index": retriever.identity, "query": query.text, **written})


def request_of(
    target: Target, version: PromptVersion, messages: tuple[Message, ...], sample: int | str, *, stream: bool
) -> CompletionRequest:
    """The call that a cell makes; a prompt's own parameters win over the model's."""
    return CompletionRequest(messages, {**target.params, **version.parameters}, stream, sample)


def generate_key(target: Target, request: CompletionRequest) -> str:
    """Key of an answer: the model, its parameters, the rendered messages, and which sample it is."""
    return node_key("generate", GENERATE_VERSION, _generate_inputs(target, request))


def _generate_inputs(target: Target, request: CompletionRequest) -> dict[str, Any]:
    return {
        "model": target.identity,
        "params": dict(request.params),
        "messages": [[m.role, m.content, *[image.digest for image in m.images]] for m in request.messages],
        "stream": request.stream,
        "repeat": request.sample,
        **({"tool_calls": CALLS_VERSION} if "tools" in request.params else {}),
    }


def route_key(target: Target, route: Route, request: CompletionRequest, case: Case, hits: Sequence[Hit]) -> str:
    """Key of an answer that a route chose: as of a model's, with all that its policy and its checks see of the case."""
    seen = {"id": case.id, "tags": list(case.tags), "question": question_of(case)}
    checked = [evidence_hash(check, case, hits) for check in route.checks]
    inputs = {**_generate_inputs(target, request), "seen": seen, "checked": checked}
    return node_key("generate", GENERATE_VERSION, inputs)


def step_of(evaluator: BuiltEvaluator) -> Step:
    """Whether a stored evaluation is a judge's or a detector's."""
    return "judge" if judges_named(evaluator.spec) else "detect"
