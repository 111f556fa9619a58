"""Runs a plan: the only place with concurrency. Results are committed in small batches as they arrive."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from math import ceil

from llmops.domain.errors import EndpointDown, LlmopsError, ModelError, TemplateError
from llmops.domain.models import Completion, CompletionRequest, RoutedCall
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.routing import RouteRequest
from llmops.domain.runs import Cell, CellResult, EvaluatorResult, Node, Step
from llmops.domain.scores import Failure, JudgeUse, Outcome, Sample
from llmops.domain.serial import completion_from_json, outcome_to_json, plain
from llmops.domain.words import many
from llmops.evaluation.calling import Callers
from llmops.evaluation.cells import CellState, CellSteps
from llmops.evaluation.claiming import Claims
from llmops.evaluation.committing import Committer
from llmops.evaluation.endpoints import Stopping, together
from llmops.evaluation.evaluators.base import BuiltEvaluator, measured
from llmops.evaluation.planning import Plan, Route, Target, generate_key, question_of
from llmops.evaluation.routed import Answered, follow
from llmops.evaluation.sharing import InFlight
from llmops.evaluation.spending import PaidCaller, Purse
from llmops.routing.memory import RouteMemory

OVER_BUDGET = "over budget"
"""Why a run stopped when its money was spent."""

WIDTH = 32
"""Cells in flight that keep one machine busy."""
WINDOW = 256
"""Cells whose nodes are looked up together."""
AHEAD = 1.25
"""Answers that are claimed for each call that a model takes at once: the next one is ready to be sent when a call ends."""


@record
class RunnerOptions:
    """How a plan is executed."""

    refresh: frozenset[Step] = frozenset()
    """Of these steps reuse only what this very run computed before it was interrupted, and ..."""
    own_runs: tuple[str, ...] = ()
    """... what these runs computed."""
    max_failures: int | None = None
    """Stop after so many cells that failed or did not pass."""
    concurrency: int | None = None
    """Cells in flight, at most; default: what the targets allow."""
    width: int = WIDTH
    """Cells in flight that keep the processors busy."""
    continued: bool = False
    """Another process has begun the run."""


@dataclass(slots=True)
class RunnerCounts:
    """What a run did, the part before an interruption included."""

    searched: set[str] = field(default_factory=set)
    """Keys of the queries that were searched for."""
    evaluated: int = 0
    """Stored outcomes that were computed."""
    written: JudgeUse = JudgeUse()
    """What models took that wrote for queries."""
    embedding: Mapping[str, JudgeUse] = field(default_factory=dict)
    """What hosted embedders took in this process, by the id of their model."""
    spent_usd: float = 0.0
    stopped: str | None = None
    """Why not every cell was run."""
    notes: list[str] = field(default_factory=list)


class Runner:
    """Executes one plan once."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        run_id: str,
        *,
        callers: Callers,
        purse: Purse,
        options: RunnerOptions,
        progress: Progress,
        on_result: Callable[[CellResult], None],
    ) -> None:
        self.counts = RunnerCounts()
        self._plan = plan
        self._store = store
        self._run_id = run_id
        self._options = options
        self._progress = progress
        self._on_result = on_result
        self._steps = CellSteps(plan, run_id, continued=options.continued)
        self._purse = purse
        self._callers = {name: PaidCaller(callers.of(target), target.price, purse) for name, target in plan.asked().items()}
        self._remembered = {name: RouteMemory() for name in plan.targets}
        self._written: set[str] = set()
        self._in_flight: InFlight[Node] = InFlight()
        self._evaluating: InFlight[Outcome] = InFlight(lambda outcome: not isinstance(outcome, Failure))
        self._claims = Claims(lambda: store)
        self._pause = callers.pause
        self._slots = {name: asyncio.Semaphore(ceil(AHEAD * target.concurrency)) for name, target in plan.asked().items()}
        self._stopping = False
        self._done = 0
        self._bad = 0

    def stop(self, reason: str) -> None:
        """Start no further cell; what is in flight is finished."""
        if self.counts.stopped is None:
            self.counts.stopped = reason
        self._stopping = True

    async def run(self) -> RunnerCounts:
        """Run all cells.

        Raises:
            StoreError: a result could not be written; what was committed before stays.
        """
        self._progress.started("cells", self._plan.size)
        self._committer = Committer(self._store, self._run_id)
        try:
            async with asyncio.TaskGroup() as group:
                committing = group.create_task(self._committer.run())
                try:
                    await self._run_windows()
                finally:
                    self._committer.close()
                    await committing
        except BaseExceptionGroup as error:
            raise _first(error) from error
        finally:
            self._progress.finished()
        self.counts.spent_usd, self.counts.embedding = self._purse.spent_usd, self._purse.embedding
        return self.counts

    async def _run_windows(self) -> None:
        slots = asyncio.Semaphore(self._options.concurrency or self._width())
        async with asyncio.TaskGroup() as group:
            for window in windows(self._plan.cells()):
                states = await asyncio.to_thread(self._steps.resolve, window, self._lookup)
                for state in states:
                    self._remember(state)
                for state in states:
                    self._purse.pay(self._count_writing(state.write_keys, state.written))
                    if self._stopping:
                        return
                    if state.complete:
                        await self._finish(state)
                        continue
                    await slots.acquire()
                    if self._purse.empty:
                        self.stop(OVER_BUDGET)
                        return
                    group.create_task(self._execute(state)).add_done_callback(lambda _: slots.release())

    def _remember(self, state: CellState) -> None:
        """Count the calls that this same run made for an answer before it was interrupted."""
        for turn in (*state.earlier, state):
            if turn.completion is not None and not turn.reused:
                self._purse.pay(self._steps.spent(turn, turn.completion))
                self._remembered[turn.cell.target].note(turn.completion.route)
        for outcome in state.outcomes.values():
            if outcome.judging is not None:
                self._purse.pay(outcome.judging.spent_usd)

    def _width(self) -> int:
        """Cells in flight: enough to keep every target busy while others evaluate; few when what is in flight costs."""
        least = self._options.width if self._purse.limit_usd is None else WIDTH
        return max(least, sum(2 * paid.caller.target.concurrency for paid in self._callers.values()))

    def _lookup(self, step: Step, keys: Sequence[str]) -> dict[str, Node]:
        if not keys:
            return {}
        own = (self._run_id, *self._options.own_runs)
        return self._store.nodes(keys, runs=own if step in self._options.refresh else None)

    def _count_writing(self, keys: Iterable[str], use: JudgeUse | None) -> float:
        """Count what this run paid for a query, once however many cells search for it; the USD that were counted."""
        if use is None or not use.sent or self._written.issuperset(keys):
            return 0.0
        self._written.update(keys)
        self.counts.written += use
        return use.spent_usd or 0.0

    async def _execute(self, state: CellState) -> None:
        """Bring one cell from where the store left it to its result."""
        try:
            await self._answer(state)
            while following := self._steps.next_turn(state):
                state = following
                self._steps.look_up([state], self._lookup)
                await self._answer(state)
            if not state.evaluate_keys:
                self._steps.key_evaluations(state)
                self._steps.look_up_outcomes([state], self._lookup)
        except ModelError as error:
            state.error = f"{error.kind}: {error.message}"
            state.attempts = error.attempts
            if isinstance(error, EndpointDown):
                self._give_up(error.message, all_cells=bool(state.write_keys) and state.query is None)
        except TemplateError as error:
            state.error = error.message
        except Stopping:
            self._left_out()
            return
        await self._finish(state)

    async def _answer(self, state: CellState) -> None:
        """Bring a cell, or a turn of its conversation, to its answer."""
        await self._write(state)
        await self._retrieve(state)
        await self._generate(state)

    def _left_out(self) -> None:
        """A cell could not be finished, because nothing more is sent."""
        if self._purse.empty:
            self.stop(OVER_BUDGET)

    async def _write(self, state: CellState) -> None:
        """Have models write for the query; the hits of what they wrote may be known."""
        retriever = self._plan.retriever
        if not state.write_keys or state.query is not None or retriever is None or retriever.writer is None:
            return
        case = state.cell.case
        written = await retriever.writer(self._plan.query(case), case.history)
        self._count_writing(state.write_keys, written.use)
        self._steps.take_query(state, written.query)
        for node in self._lookup("retrieve", [state.retrieve_key or ""]).values():
            self._steps.take_hits(state, node)

    async def _retrieve(self, state: CellState) -> None:
        retriever, query = self._plan.retriever, state.query
        if state.hits is None and retriever is not None and query is not None:

            async def search() -> Node:
                return Node(state.retrieve_key or "", "retrieve", plain(await retriever(query)), self._run_id)

            self._steps.take_hits(state, await self._once(state.retrieve_key or "", search))
        if state.completion is None and state.request is None and state.error is None:
            self._steps.render(state, {})
            known = self._lookup("generate", [state.generate_key]) if state.generate_key else {}
            for node in known.values():
                self._steps.take_completion(state, node)

    async def _generate(self, state: CellState) -> None:
        if state.completion is None and state.request is not None and state.generate_key is not None:
            target = self._plan.targets[state.cell.target]
            if target.route is None:
                node = await self._answered(state, target, state.request, state.generate_key)
            else:
                node = await self._routed(target, target.route, state, state.generate_key)
            self._steps.take_completion(state, node)

    async def _answered(self, state: CellState, target: Target, request: CompletionRequest, key: str) -> Node:
        async def generate() -> Node:
            completion = await self._callers[target.name].complete(request)
            self._steps.note_made(state, key)
            return Node(key, "generate", plain(completion), self._run_id)

        async def claimed() -> Node:
            node = await self._claims.node(key, self._slots[target.name], lambda: self._stored(generate), self._pause)
            if node.run == self._run_id and key not in state.made:  # by another process that runs this same run
                self._steps.note_made(state, key)
                self._purse.pay(node.read(completion_from_json).cost(target.price))
            return node

        if target.embedded or "generate" in self._options.refresh:
            return await self._once(key, generate)
        return await self._in_flight.once(key, claimed)

    async def _routed(self, target: Target, route: Route, state: CellState, key: str) -> Node:
        """The answer of a route; what its models have answered before is reused."""
        case = state.cell.case

        async def ask(inner: Target, sample: int) -> Answered:
            request = self._steps.routed_request(state, inner, sample)
            own = generate_key(inner, request)
            known = self._lookup("generate", [own]).get(own)
            node = known or await self._answered(state, inner, request, own)
            completion, made = node.read(completion_from_json), self._steps.is_made_for(state, node)
            if known is not None and made:  # paid before this run was interrupted
                self._purse.pay(completion.cost(inner.price))
            return Answered(completion, reused=not made)

        async def check(completion: Completion) -> dict[str, bool]:
            sample = self._steps.sample(state, completion)
            found = {each.spec.name: each.judge(await measured(each, sample)) for each in route.checks}
            return {name: each.status != "failed" and each.passed is not False for name, each in found.items()}

        async def make() -> Node:
            now, memory = datetime.now().time(), self._remembered[target.name]
            request = RouteRequest(question_of(case), case.id, case.tags, memory.spent_usd, now, memory.tallies)
            calls: list[RoutedCall] = []
            try:
                completion = await follow(route, request, ask, check, calls)
            except ModelError:
                state.calls = tuple(calls)
                raise
            finally:
                memory.note(calls)
            self._steps.note_made(state, key)
            return Node(key, "generate", plain(completion), self._run_id)

        return await self._once(key, make)

    async def _once(self, key: str, make: Callable[[], Awaitable[Node]]) -> Node:
        """The node of a key, made and stored once however many cells ask for it at the same time."""
        return await self._in_flight.once(key, lambda: self._stored(make))

    async def _stored(self, make: Callable[[], Awaitable[Node]]) -> Node:
        node = await make()
        await self._committer.put_node(node)
        return node

    async def _finish(self, state: CellState) -> None:
        evaluations: dict[str, EvaluatorResult] = {}
        if state.completion is not None:
            try:
                evaluations = await self._evaluate(state, state.completion)
            except Stopping:
                self._left_out()
                return
        result = self._steps.result(state, evaluations)
        await self._committer.put_result(result)
        self._on_result(result)
        for turn in (*state.earlier, state):
            if turn.searched and turn.retrieve_key is not None:
                self.counts.searched.add(turn.retrieve_key)
        self.counts.evaluated += state.evaluated
        self._done += 1
        self._bad += result.status == "failed" or result.passed is False
        self._progress.advanced(self._done, failures=self._bad, spent_usd=self._purse.spent_usd)
        if self._options.max_failures is not None and self._bad >= self._options.max_failures:
            self.stop(f"{many(self._bad, 'cell')} failed, the most that --max-failures allows")

    async def _evaluate(self, state: CellState, completion: Completion) -> dict[str, EvaluatorResult]:
        sample = self._steps.sample(state, completion)
        built = self._plan.evaluators_of(state.cell.case.id)
        slow = [each for each in built if each.spec.name in state.evaluate_keys and each.spec.name not in state.outcomes]
        if slow:
            outcomes = await together(self._evaluate_once(each, state, sample) for each in slow)
            state.outcomes.update(zip((each.spec.name for each in slow), outcomes, strict=True))
        return {
            each.spec.name: each.judge(state.outcomes.get(each.spec.name) or await measured(each, sample)) for each in built
        }

    async def _evaluate_once(self, built: BuiltEvaluator, state: CellState, sample: Sample) -> Outcome:
        """A stored outcome, computed by one of the cells in flight whose answer and evidence are equal."""
        key, mine = state.evaluate_keys[built.spec.name], False

        async def evaluate() -> Outcome:
            nonlocal mine
            mine = True
            state.evaluated += 1
            outcome = await measured(built, sample)
            if not isinstance(outcome, Failure):  # a failure may pass: the next run tries again
                self._steps.note_made(state, key)
                await self._committer.put_node(Node(key, "evaluate", outcome_to_json(outcome), self._run_id))
            return outcome

        outcome = await self._evaluating.once(key, evaluate)
        return outcome if mine or outcome.judging is None else replace(outcome, judging=outcome.judging.reused())

    def _give_up(self, message: str, *, all_cells: bool) -> None:
        """Note that an endpoint is dead; stop when no cell can be answered without it."""
        if message not in self.counts.notes:
            self.counts.notes.append(message)
        alive = [paid for paid in self._callers.values() if not paid.caller.dead]
        if all_cells or not alive:
            self.stop(message)


def windows(cells: Iterator[Cell]) -> Iterator[list[Cell]]:
    """The cells in the portions whose nodes are looked up together."""
    while window := list(islice(cells, WINDOW)):
        yield window


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell: ours if there is one."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in group.exceptions]
    return next((error for error in flat if isinstance(error, LlmopsError)), flat[0])
