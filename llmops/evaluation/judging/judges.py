"""Asks models to grade: rendered prompts in, validated replies out, each reply stored under its own key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from llmops.domain.errors import ModelError, TemplateError, UsageError
from llmops.domain.keys import canonical, node_key
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.ports import Store
from llmops.domain.prompts import Message
from llmops.domain.runs import Node, Step
from llmops.domain.scores import JudgeUse
from llmops.domain.serial import completions_from_json, plain
from llmops.evaluation.batch_calls import BatchLog
from llmops.evaluation.batching import Batcher
from llmops.evaluation.calling import Callers
from llmops.evaluation.claiming import Claims
from llmops.evaluation.endpoints import REST_S
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.evaluation.judging.asking import Judged, JudgeFailed
from llmops.evaluation.judging.replies import Check, Read, Unreadable, read_reply
from llmops.evaluation.planning import Target
from llmops.evaluation.sharing import InFlight
from llmops.evaluation.spending import PaidCaller, Purse, check_prices
from llmops.prompting.template import PromptVersion

Ask = Callable[[PaidCaller], Awaitable[tuple[Completion, ...]]]

NO_JUDGE = "is an embedded reader, which copies sentences and cannot judge"
LANGUAGE_MODEL = "Name a language model of llmops.yaml."
JUDGE_VERSION = 2
CUT_OFF = "was cut off at its limit of tokens (`max_tokens`)"
REPAIR = "Your reply cannot be used: it {problem}. Reply again with the JSON object alone, in the form asked for above."


@dataclass(slots=True)
class _Session:
    """What one run shares between its judges."""

    run: str = ""
    fresh: frozenset[Step] = frozenset()
    own_runs: tuple[str, ...] = ()
    callers: Callers = field(default_factory=lambda: Callers(REST_S))
    """Outside of a run those of an application."""
    purse: Purse = field(default_factory=Purse)
    continued: bool = False
    paid: set[str] = field(default_factory=set)
    """Keys of the replies of a continued run that are paid from this purse."""
    slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    in_flight: InFlight[tuple[Completion, ...]] = field(default_factory=InFlight)


class Judges:
    """The judges of a project, by the names of its models."""

    def __init__(self, target: Callable[[str], Target], store: Callable[[], Store]) -> None:
        """Args: `target` builds a model; `store` opens the store, when a judge is first asked."""
        self._target = target
        self._store = store
        self._claims = Claims(store)
        self._session = _Session()
        self._find: Batcher[tuple[str, bool], Node | None] = Batcher(self._found)
        self._save: Batcher[Node, None] = Batcher(self._saved)

    def judge(self, name: str) -> "Judge":
        """The judge of this name.

        Raises:
            UsageError: no such model, or one that cannot judge.
        """
        target = self._target(name)
        if target.embedded:
            raise UsageError(f"{name!r} {NO_JUDGE}.", hint=LANGUAGE_MODEL)
        return Judge(target, self)

    def check_price(self, name: str) -> None:
        """Refuse a model that a budget cannot be kept with.

        Raises:
            UsageError: its price is not known.
        """
        check_prices([self._target(name)])

    def model(self, name: str) -> "Again":
        """The target of this name, to be asked again by an evaluator."""
        return Again(self._target(name), self)

    @asynccontextmanager
    async def running(
        self,
        run: str = "",
        fresh: Collection[Step] = (),
        own_runs: tuple[str, ...] = (),
        *,
        purse: Purse | None = None,
        continued: bool = False,
        log: BatchLog | None = None,
    ) -> AsyncIterator[Callers]:
        """Replies belong to this run; the connections of its callers are closed at its end.

        Args:
            run: id of the run.
            fresh: of these steps reuse only what this very run computed before, and ...
            own_runs: ... what these runs computed.
            purse: pays for the replies; once it is empty, no further call is made, and what asks for one is stopped.
            continued: another process has begun the run, and may have paid for replies that nothing has come of yet.
            log: as `Callers`.
        """
        callers = Callers(log=log)
        self._session = session = _Session(run, frozenset(fresh), own_runs, callers, purse or Purse(), continued)
        session.purse.on_empty = partial(callers.stop, leave=False)
        try:
            yield self._session.callers
        finally:
            await self._session.callers.close()
            self._session = _Session()

    async def complete(
        self, target: Target, key: str, ask: Ask, step: Literal["judge", "rewrite"] = "judge"
    ) -> tuple[tuple[Completion, ...], bool]:
        """The completions stored under a key, else what `ask` gives; and whether this run asked, now or before."""
        session, asked = self._session, False
        fresh = step in session.fresh

        async def judge() -> Node:
            nonlocal asked
            asked = True
            if session.continued:
                session.paid.add(key)
            completions = await ask(PaidCaller(session.callers.of(target), target.price, session.purse))
            node = Node(key, step, plain(completions), session.run)
            await self._save(node)
            return node

        async def make() -> tuple[Completion, ...]:
            nonlocal asked
            node = await self._find((key, fresh))
            if node is None and fresh:
                node = await judge()
            elif node is None:
                slots = session.slots.setdefault(target.name, asyncio.Semaphore(target.concurrency))
                node = await self._claims.node(key, slots, judge, session.callers.pause)
            completions = node.read(completions_from_json)
            if session.continued and node.run == session.run and key not in session.paid:
                asked = True
                session.paid.add(key)
                session.purse.pay(use_of(target, completions, asked=True).spent_usd)
            return completions

        return await session.in_flight.once(key, make), asked

    def _found(self, wanted: Sequence[tuple[str, bool]]) -> list[Node | None]:
        """The nodes of some keys; of those that are to be made afresh, only what this run and its own earlier ones made."""
        found: dict[str, Node] = {}
        for afresh, runs in ((False, None), (True, (self._session.run, *self._session.own_runs))):
            keys = [key for key, fresh in wanted if fresh is afresh]
            found |= self._store().nodes(keys, runs=runs) if keys else {}
        self._store().commit([], self._session.run, [])  # notes their use
        return [found.get(key) for key, _ in wanted]

    def _saved(self, nodes: Sequence[Node]) -> list[None]:
        self._store().commit(nodes, nodes[0].run, [])
        return [None] * len(nodes)


class _Asked:
    """One model with what its calls are keyed and priced by."""

    def __init__(self, target: Target, judges: Judges) -> None:
        self._target = target
        self._judges = judges

    @property
    def identity(self) -> str:
        """The model and its parameters."""
        model = self._target.model.identity if self._target.model else ""
        return canonical([JUDGE_VERSION, model, dict(self._target.params)])

    def _key(self, request: CompletionRequest) -> str:
        messages = [message.keyed() for message in request.messages]
        inputs = {"judge": self.identity, "params": dict(request.params), "messages": messages}
        return node_key("judge", JUDGE_VERSION, inputs)

    def _use(self, completions: Sequence[Completion], *, asked: bool = True) -> JudgeUse:
        return use_of(self._target, completions, asked=asked)


class Again(_Asked):
    """Implements `AskModel`."""

    async def __call__(self, messages: tuple[Message, ...]) -> Judged[str]:
        """As the port."""
        request = CompletionRequest(messages, self._target.params)

        async def ask(caller: PaidCaller) -> tuple[Completion, ...]:
            return (await caller.complete(request),)

        try:
            completions, asked = await self._judges.complete(self._target, self._key(request), ask)
        except ModelError as error:
            use = JudgeUse(calls=error.attempts, sent=error.attempts)
            raise JudgeFailed(f"{self._target.name}: {error.kind}: {error.message}", use) from None
        return Judged(completions[-1].text, self._use(completions, asked=asked))


class Judge(_Asked):
    """Implements `AskJudge` with one model."""

    @property
    def name(self) -> str:
        """As llmops.yaml names it."""
        return self._target.name

    async def __call__(
        self, prompt: PromptVersion, vars: Mapping[str, Any], shape: type[Read], check: Check[Read] | None = None
    ) -> Judged[Read]:
        """As the port."""
        made: list[Completion] = []
        try:
            request = request_with(self._target, prompt, vars)

            async def ask(caller: PaidCaller) -> tuple[Completion, ...]:
                return await readable(caller, request, lambda text: read_reply(text, shape, check), made)

            completions, asked = await self._judges.complete(self._target, self._key(request), ask)
            return Judged(read_reply(completions[-1].text, shape, check), self._use(completions, asked=asked))
        except ModelError as error:
            unanswered = JudgeUse(calls=error.attempts, sent=error.attempts)
            raise JudgeFailed(f"judge {self.name}: {error.kind}: {error.message}", self._use(made) + unanswered) from None
        except TemplateError as error:
            raise JudgeFailed(f"judge {self.name}: {error.message}", self._use(made)) from None
        except Unreadable as error:
            raise JudgeFailed(f"judge {self.name}: the reply {error}", self._use(made)) from None


def use_of(target: Target, completions: Sequence[Completion], *, asked: bool) -> JudgeUse:
    """What calls took; `asked`: they were made now."""
    use = JudgeUse()
    for each in completions:
        cost = each.cost(target.price)
        tokens = (each.usage.input_tokens, each.usage.output_tokens) if each.usage else (0, 0)
        use += JudgeUse(each.attempts, *tokens, cost, sent=each.attempts, spent_usd=cost, seconds=each.latency_s)
    return use if asked else use.reused()


def request_with(target: Target, prompt: PromptVersion, vars: Mapping[str, Any]) -> CompletionRequest:
    """A call. What the model's own settings say wins over the prompt's; null takes a parameter away.

    Raises:
        TemplateError: the prompt cannot be rendered.
    """
    params = {**prompt.parameters, **target.params}
    return CompletionRequest(prompt.render(vars), {name: value for name, value in params.items() if value is not None})


async def readable(
    caller: PaidCaller, request: CompletionRequest, read: Callable[[str], object], made: list[Completion]
) -> tuple[Completion, ...]:
    """The calls: a reply that cannot be read is asked for once more, with what is wrong with it.

    Args:
        caller: of the model.
        request: the first call.
        read: raises `Unreadable` with what is wrong with a reply.
        made: empty; gets each answer as it comes.

    Raises:
        ModelError: no answer.
        Unreadable: the second reply cannot be read, either; the message shows how it begins.
    """
    made.append(await caller.complete(request))
    if problem := _problem(made[0], read):
        told = (Message("assistant", made[0].text), Message("user", REPAIR.format(problem=problem)))
        made.append(await caller.complete(replace(request, messages=(*request.messages, *told))))
        if problem := _problem(made[1], read):
            raise Unreadable(f"{problem}: {excerpt(made[1].text)}")
    return tuple(made)


def _problem(completion: Completion, read: Callable[[str], object]) -> str:
    """Why a reply cannot be read; empty: it can."""
    try:
        read(completion.text)
    except Unreadable as error:
        return CUT_OFF if completion.finish_reason == "length" else str(error)
    return ""
