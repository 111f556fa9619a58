"""The way of one cell, node by node, and the bulk look-up of the nodes that the store already holds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmops.domain.cases import HISTORY
from llmops.domain.errors import LlmopsError
from llmops.domain.keys import node_key
from llmops.domain.models import Completion, CompletionRequest, RoutedCall, Usage
from llmops.domain.prompts import Message
from llmops.domain.queries import Query
from llmops.domain.retrieval import Hit, given_hits
from llmops.domain.runs import Cell, CellResult, EvaluatorResult, Node, Step, Turn
from llmops.domain.scores import JudgeUse, Outcome, Sample
from llmops.domain.serial import completion_from_json, hits_from_json, outcome_from_json
from llmops.evaluation.evaluators.evidence import evaluate_key
from llmops.evaluation.planning import Plan, Target, generate_key, request_of, retrieve_key, route_key, step_of

ASKED_VERSION = 1
Lookup = Callable[[Step, Sequence[str]], dict[str, Node]]


@dataclass(slots=True)
class CellState:
    """How far a cell has come; filled node by node."""

    cell: Cell
    """Of a conversation, its case in the turn that the state is about."""
    earlier: tuple["CellState", ...] = ()
    """Of the conversation's turns before, each answered."""
    write_keys: Mapping[str, str] = field(default_factory=dict)
    """Keys of what models write for the query, each with the model's name; empty: nothing is written."""
    query: Query | None = None
    """None: something has to be written first, or nothing is searched for."""
    written: JudgeUse | None = None
    """What this run has paid for it before."""
    retrieve_key: str | None = None
    hits: tuple[Hit, ...] | None = None
    """None: not retrieved yet."""
    messages: tuple[Message, ...] = ()
    request: CompletionRequest | None = None
    """None: not rendered yet, or a recorded answer."""
    generate_key: str | None = None
    completion: Completion | None = None
    reused: bool = False
    """The completion comes from another run."""
    error: str | None = None
    """Why there will be no answer."""
    attempts: int = 0
    """Calls made in this run, also in vain."""
    calls: tuple[RoutedCall, ...] = ()
    """Of a route that could serve no answer; an answer brings its own."""
    made: set[str] = field(default_factory=set)
    """Keys of the nodes that this run made for it."""
    searched: bool = False
    """The hits were searched for in this run."""
    evaluated: int = 0
    """Stored outcomes that were computed in this run."""
    evaluate_keys: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """Of stored evaluators; the others are computed when the cell is finished."""

    @property
    def cached(self) -> bool:
        """No model was asked for the answer in this run, neither for itself nor by its route."""
        if self.completion is None:
            return False
        calls = self.completion.route
        return self.reused or (bool(calls) and all(call.reused for call in calls))

    @property
    def usage(self) -> Usage | None:
        """Tokens of the answer and of those before it in its conversation; None: not known of each."""
        if not self.earlier:
            return None if self.completion is None else self.completion.usage
        made = [turn.completion for turn in (*self.earlier, self) if turn.completion is not None]
        known = [completion.usage for completion in made if completion.usage is not None]
        return sum(known[1:], known[0]) if known and len(known) == len(made) else None

    @property
    def complete(self) -> bool:
        """Nothing is left that would have to be computed and stored."""
        return self.error is not None or (self.completion is not None and len(self.outcomes) == len(self.evaluate_keys))


class CellSteps:
    """The nodes of a plan's cells, for one run."""

    def __init__(self, plan: Plan, run_id: str, *, continued: bool = False) -> None:
        """Args: `continued`: the run was begun by another process, so that nodes of it may be there already."""
        self.plan = plan
        self.run_id = run_id
        self._continued = continued
        self._made_for: dict[str, int] = {}
        """The position of the first cell that took a node of the run; kept of continued runs alone."""

    def note_made(self, state: CellState, key: str) -> None:
        """This run is making a node for this cell."""
        state.made.add(key)
        if self._continued:
            self._made_for.setdefault(key, state.cell.position)

    def is_made_for(self, state: CellState, node: Node) -> bool:
        """Whether this run made a node, and for this cell: of several that share one, the first has made it."""
        if node.run != self.run_id:
            return False
        position = state.cell.position
        return node.key in state.made or (self._continued and self._made_for.setdefault(node.key, position) == position)

    def resolve(self, cells: Sequence[Cell], lookup: Lookup) -> list[CellState]:
        """The states of some cells after every node that `lookup` finds: one look-up for each kind of node."""
        states = [self.start(replace(cell, case=cell.case.begun()) if cell.case.turns else cell) for cell in cells]
        self.look_up(states, lookup)
        going_on = [place for place, state in enumerate(states) if state.cell.case.turns]
        while ahead := {place: turn for place in going_on if (turn := self.next_turn(states[place]))}:
            self.look_up(list(ahead.values()), lookup)
            for place, turn in ahead.items():
                states[place] = turn
        for state in states:
            self.key_evaluations(state)
        self.look_up_outcomes([state for state in states if state.evaluate_keys], lookup)
        return states

    def next_turn(self, state: CellState) -> CellState | None:
        """The next turn of a conversation, once this one is answered; None: it is not, or was the last."""
        case, completion = state.cell.case, state.completion
        if completion is None or not case.turns:
            return None
        return self.start(replace(state.cell, case=case.after(completion.text)), (*state.earlier, state))

    def look_up(self, states: Sequence[CellState], lookup: Lookup) -> None:
        """Bring states at their start as far as an answer, by the nodes that are stored."""
        found = lookup("rewrite", list({key for s in states for key in s.write_keys}))
        for state in states:
            if state.write_keys and state.error is None:
                self.take_written(state, found)
        found = lookup("retrieve", list({s.retrieve_key for s in states if s.retrieve_key}))
        rendered: dict[tuple[str, str], tuple[Message, ...] | str] = {}
        for state in states:
            if state.retrieve_key in found:
                self.take_hits(state, found[state.retrieve_key])
            if state.hits is not None:
                self.render(state, rendered)
        found = lookup("generate", [s.generate_key for s in states if s.generate_key])
        for state in states:
            if state.generate_key in found:
                self.take_completion(state, found[state.generate_key])

    def start(self, cell: Cell, earlier: tuple[CellState, ...] = ()) -> CellState:
        """A cell, or a turn of its conversation, before its first node."""
        state = CellState(cell, earlier)
        if self.plan.retriever is None:
            state.hits = given_hits(cell.case.contexts)
            return state
        writer = self.plan.retriever.writer
        try:
            text = self.plan.query(cell.case)
            if writer is None or not text.strip():
                self.take_query(state, Query(text))
            else:
                state.write_keys = writer.keys(text, cell.case.history)
        except LlmopsError as error:
            state.error = error.message
        return state

    def take_written(self, state: CellState, nodes: Mapping[str, Node]) -> None:
        """What models have written for the query, when all of it is stored."""
        assert self.plan.retriever is not None
        assert self.plan.retriever.writer is not None
        case = state.cell.case
        written = self.plan.retriever.writer.read(self.plan.query(case), case.history, nodes, self.run_id)
        if written is not None:
            state.written = written.use
            self.take_query(state, written.query)

    def take_query(self, state: CellState, query: Query) -> None:
        """The query as it is searched for, which fixes the key of its hits."""
        assert self.plan.retriever is not None
        state.query = query
        state.retrieve_key = retrieve_key(self.plan.retriever, query)

    def take_hits(self, state: CellState, node: Node) -> None:
        """Retrieved passages, followed by those that the case gives."""
        state.searched = node.run == self.run_id
        state.hits = (*node.read(hits_from_json), *given_hits(state.cell.case.contexts))

    def render(self, state: CellState, rendered: dict[tuple[str, str], tuple[Message, ...] | str]) -> None:
        """Render the prompt and fix the key of the answer; `rendered` shares the work between targets and repeats."""
        cell, target = state.cell, self.plan.targets[state.cell.target]
        if target.model is None and target.route is None:
            self._take_recorded(state)
            return
        version = self.plan.prompts[cell.prompt]
        place = (cell.case.id, cell.prompt)
        if state.earlier:  # each target has a conversation of its own
            rendered = {}
        if place not in rendered:
            try:
                rendered[place] = version.render(cell.case.vars, state.hits or ())
            except LlmopsError as error:
                rendered[place] = error.message
        messages = rendered[place]
        if isinstance(messages, str):
            state.error = messages
            return
        state.messages = messages
        state.request = request_of(target, version, messages, cell.repeat, stream=self.plan.stream)
        if target.route is None:
            state.generate_key = generate_key(target, state.request)
        else:
            state.generate_key = route_key(target, target.route, state.request, cell.case, state.hits or ())

    def _take_recorded(self, state: CellState) -> None:
        if state.cell.case.output is None:
            state.error = "the case has no `output`, and the suite names no targets to make one"
        else:
            state.completion = Completion(state.cell.case.output, usage=None, latency_s=0.0)
            state.reused = True

    def take_completion(self, state: CellState, node: Node) -> None:
        """An answer of an earlier run, or of this run before it was interrupted."""
        state.completion = node.read(completion_from_json)
        state.reused = not self.is_made_for(state, node)
        state.attempts = 0 if state.reused else state.completion.attempts
        if self._continued and not state.reused:
            for key in self._asked_by_route(state, state.completion):
                self._made_for.setdefault(key, state.cell.position)

    def _asked_by_route(self, state: CellState, completion: Completion) -> Iterator[str]:
        """Keys of the answers that were made for a route's answer."""
        route, samples = self.plan.targets[state.cell.target].route, Counter[str]()
        for call in completion.route:
            if route is not None and not (call.reused or call.error):
                asked = route.targets[call.model]
                yield generate_key(asked, self.routed_request(state, asked, samples[call.model]))
            samples[call.model] += 1

    def routed_request(self, state: CellState, target: Target, sample: int) -> CompletionRequest:
        """The call for the n-th answer, from 0, that a route gets of a model: the first as if it were a target itself."""
        version, repeat = self.plan.prompts[state.cell.prompt], state.cell.repeat
        return request_of(target, version, state.messages, f"{repeat}/{sample}" if sample else repeat, stream=self.plan.stream)

    def key_evaluations(self, state: CellState) -> None:
        """Fix the keys of the evaluations that are worth storing."""
        if state.completion is None:
            return
        case, hits = state.cell.case, _passages(state, state.completion)
        for built in self.plan.evaluators_of(case.id):
            if built.kind.cached:
                state.evaluate_keys[built.spec.name] = evaluate_key(built, case, hits, state.completion.text)

    def look_up_outcomes(self, states: Sequence[CellState], lookup: Lookup) -> None:
        """Take the outcomes that the store holds: one look-up for those of judges, one for those of detectors."""
        wanted: dict[Step, list[str]] = {"judge": [], "detect": []}
        for state in states:
            for built in self.plan.evaluators_of(state.cell.case.id):
                if built.spec.name in state.evaluate_keys:
                    wanted[step_of(built)].append(state.evaluate_keys[built.spec.name])
        found = {key: node for step, keys in wanted.items() for key, node in lookup(step, keys).items()}
        for state in states:
            self._take_outcomes(state, found)

    def _take_outcomes(self, state: CellState, found: dict[str, Node]) -> None:
        for name, key in state.evaluate_keys.items():
            if key in found:
                mine = self.is_made_for(state, found[key])
                outcome = found[key].read(outcome_from_json)
                if outcome.judging is not None and not mine:
                    outcome = replace(outcome, judging=outcome.judging.reused())
                state.outcomes[name] = outcome
                state.evaluated += mine

    def sample(self, state: CellState, completion: Completion) -> Sample:
        """What the evaluators see."""
        cell = state.cell
        passages, cost = _passages(state, completion), self._cost_of_all(state, completion)
        shown = replace(completion, usage=state.usage) if state.earlier else completion
        return Sample(cell.case, cell.target, state.messages, passages, shown, state.cached, cost)

    def _cost_of_all(self, state: CellState, completion: Completion) -> float | None:
        """USD that the answer cost when it was made, and those before it in its conversation."""
        cost = self.cost(state, completion)
        if not state.earlier:
            return cost
        costs = [cost, *(turn.cost_usd for turn in self._turns(state))]
        return None if None in costs else sum(cost or 0.0 for cost in costs)

    def _turns(self, state: CellState) -> Iterator[Turn]:
        """The answers before in its conversation."""
        for each in state.earlier:
            if (made := each.completion) is not None:
                cost = self.cost(each, made)
                spent = 0.0 if each.cached else None if cost is None else self.spent(each, made)
                yield Turn(made.text, cost, spent, made.latency_s, each.attempts, each.cached)

    def cost(self, state: CellState, completion: Completion) -> float | None:
        """USD that the answer cost when it was made; of a conversation, this turn's alone."""
        if completion.route:
            costs = [call.cost_usd for call in completion.route]
            return None if None in costs else sum(cost or 0.0 for cost in costs)
        return completion.cost(self.plan.targets[state.cell.target].price)

    def spent(self, state: CellState, completion: Completion) -> float:
        """USD that this run paid for the answer; a price that is not known counts as nothing."""
        if state.reused:
            return 0.0
        before = sum(call.cost_usd or 0.0 for call in completion.route if call.reused)
        return (self.cost(state, completion) or 0.0) - before

    def _asked_key(self, state: CellState) -> str | None:
        """Key of all that a conversation asks, whatever is answered; None: it has one turn, whose answer's key says it."""
        if not state.earlier and not state.cell.case.turns:
            return None
        begun, retriever = (*state.earlier, state), self.plan.retriever
        if begun[0].generate_key is None:
            return None
        turns = [*(turn.cell.case.vars for turn in begun), *state.cell.case.turns]
        inputs = {
            "first": begun[0].generate_key,
            "prompt": self.plan.prompts[state.cell.prompt].hash,
            "index": None if retriever is None else retriever.identity,
            "turns": [{name: value for name, value in turn.items() if name != HISTORY} for turn in turns],
        }
        return node_key("asked", ASKED_VERSION, inputs)

    def result(self, state: CellState, evaluations: dict[str, EvaluatorResult]) -> CellResult:
        """The finished cell."""
        cell, completion = state.cell, state.completion
        keys = {"retrieve": state.retrieve_key, "generate": state.generate_key}
        target = self.plan.targets[cell.target]
        recorded = target.model is None and target.route is None
        scored = any(e.status == "scored" for e in evaluations.values())
        earlier = tuple(self._turns(state)) if state.earlier else ()
        return CellResult(
            cell.position,
            cell.case.id,
            cell.prompt,
            cell.target,
            cell.repeat,
            status="failed" if completion is None else "scored" if scored else "unmeasured",
            output=completion.text if completion else None,
            error=state.error,
            evaluations=evaluations if completion else {},
            usage=state.usage,
            cost_usd=self._cost_of_all(state, completion) if completion else _known_cost(state.calls, earlier),
            latency_s=completion.latency_s if completion and not (recorded or completion.batched) else None,
            ttft_s=completion.ttft_s if completion else None,
            attempts=state.attempts + sum(turn.attempts for turn in earlier),
            cached=state.cached,
            model=completion.model if completion else None,
            tags=cell.case.tags,
            node_keys={kind: key for kind, key in keys.items() if key},
            route=completion.route if completion else state.calls,
            contexts=completion.contexts if completion else (),
            earlier=earlier,
            asked=self._asked_key(state),
        )


def _passages(state: CellState, completion: Completion) -> tuple[Hit, ...]:
    """What an answer is held against: the passages of its prompt, and those that came with it."""
    return (state.hits or ()) + completion.contexts


def _known_cost(calls: Sequence[RoutedCall], earlier: Sequence[Turn]) -> float | None:
    """USD of answers without a last one: of a route that could serve none, of a conversation that broke off; None: of none."""
    costs = [call.cost_usd for call in calls if not call.error and call.cost_usd is not None]
    costs += [turn.cost_usd for turn in earlier if turn.cost_usd is not None]
    return sum(costs) if costs else None
