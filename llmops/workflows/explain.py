"""`eval --explain` and `llmops status`: what a run would do, why, and about what it would take."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Literal, Protocol

from llmops import __version__
from llmops.domain.explanations import Estimate, Explanation, Work
from llmops.domain.models import Usage
from llmops.domain.runs import STEPS, Cell, Node, Step
from llmops.evaluation.cells import CellState, CellSteps
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.judging.panel import judges_named
from llmops.evaluation.planning import Plan, Target, step_of
from llmops.evaluation.runner import windows
from llmops.prompting.registry import Reference, Registry
from llmops.workflows import differences, prompt_use, suite_plans
from llmops.workflows.previous import Before, Previous

COUNTED = 200
"""Prompts whose tokens are counted, of each prompt and target; the others are taken to be as long on average."""


class Parts(suite_plans.Parts, prompt_use.Parts, Protocol):
    """What is read of a project."""


def explain(plan: Plan, parts: Parts, asked: set[str] | None = None) -> Explanation:
    """Hold a plan against the store and against the suite's last run; nothing is asked, built or written.

    Args:
        plan: to explain.
        parts: of the project.
        asked: keys of the nodes that another run of the same command makes before; those of this one are added.
    """
    previous = Previous.of(parts.store, plan.suite.path)
    why = _Why(plan, previous, parts.registry)
    tallies = _Tallies(plan, why, parts, set() if asked is None or plan.options.get("refresh") else asked)
    refresh, continued = plan.options.get("refresh", ()), parts.store.unfinished_run(plan.key())

    def lookup(step: Step, keys: Sequence[str]) -> dict[str, Node]:
        own = [] if continued is None else [continued.id]
        return parts.store.nodes(keys, runs=own if step in refresh else None)

    steps = CellSteps(plan, run_id="")
    complete = 0
    for window in windows(plan.cells()):
        for state in steps.resolve(window, lookup):
            complete += state.complete
            tallies.add(state)
    run = previous.run
    status = None if run is None else run.status
    places = sorted(tallies.places.items(), key=lambda item: STEPS.index(item[0][0]))
    work = tuple(tally.work(*place) for place, tally in places)
    estimates = (*_rewrites(plan, tallies), *_answers(plan, tallies, previous), *_verdicts(plan, tallies, previous, parts))
    return Explanation(
        plan.suite.path, run.id if run else None, status, why.changes, plan.size, complete, work, tuple(estimates)
    )


class _Why:
    """Why a node is not in the store, by what has changed since the last run."""

    def __init__(self, plan: Plan, previous: Previous, registry: Registry) -> None:
        self._plan = plan
        self._previous = previous
        self._refresh = plan.options.get("refresh", ())
        self._before = previous.run.snapshot if previous.run else {}
        self._after = {**plan.snapshot(), "tool": __version__}

        def label(reference: str, content: str) -> str:
            return _version(registry, reference, content)

        known = previous.run is not None
        self.changes = tuple(differences.changes(self._before, self._after, label)) if known else ()
        self._prompts = differences.prompts(self._before, self._after, label)
        self._targets = differences.targets(self._before, self._after)
        self._evaluators = differences.evaluators(self._before, self._after)
        self._index = differences.index(self._before, self._after)
        self._code = differences.code(self._before, self._after)

    def write(self, state: CellState) -> str:
        """Why models write for a query."""
        before = self._cell(state.cell)
        return self._general("rewrite") or self._index or self._unknown(state.cell, before) or self._lost(before)

    def retrieve(self, state: CellState) -> str:
        """Why a query is searched for."""
        before = self._cell(state.cell)
        if state.query is None and not self._index:
            return self._general("retrieve") or "its query may be rewritten differently"
        return self._general("retrieve") or self._index or self._unknown(state.cell, before) or self._lost(before)

    def generate(self, state: CellState) -> str:
        """Why an answer is made."""
        cell = state.cell
        general = self._general("generate")
        if general:
            return general
        found = [self._prompts.get(cell.prompt), self._targets.get(cell.target)]
        changed = "; ".join(each for each in found if each)
        before = self._cell(cell)
        if changed or before is None:
            return changed or self._unknown(cell, before) or "the case is new"
        if before.failed:
            return "it failed last time"
        if state.generate_key == before.generate_key:
            return self._lost(before)
        if state.hits is None:
            return "its passages may change"
        if self._code:
            return self._code
        if self._index and state.retrieve_key != before.retrieve_key:
            return "its passages or the case changed"
        return "the case was edited"

    def later_turn(self, step: Step) -> str:
        """Why a turn of a conversation is gone through that no run has come to with the answers before it."""
        return self._general(step) or "the answers before it may change"

    def evaluate(self, state: CellState, built: BuiltEvaluator) -> str:
        """Why an outcome is measured."""
        name, before = built.spec.name, self._cell(state.cell)
        general = self._general(step_of(built))
        if general:
            return general
        if name in self._evaluators and built in self._plan.evaluators:
            reason = differences.recomputed(self._before, self._after, name)
            if reason or name not in self._before.get("evaluators", {}):
                return reason or self._evaluators[name]
        if state.completion is None:
            return "its answer may change"
        if before is None:
            return self._unknown(state.cell, before) or "the case is new"
        if name in before.failing:
            return "it failed last time"
        if state.generate_key != before.generate_key:
            return "its answer changed"
        return self._code or ("the case was edited" if differences.dataset(self._before, self._after) else self._lost(before))

    def _general(self, step: Step) -> str:
        if step in self._refresh:
            return "--no-cache" if set(self._refresh) == set(STEPS) else f"--refresh {step}"
        return "there is no earlier run" if self._previous.run is None else ""

    def _unknown(self, cell: Cell, before: Before | None) -> str:
        """Why the last run had no such cell; empty when it had."""
        run = self._previous.run
        if before is not None or run is None:
            return ""
        if cell.repeat >= run.snapshot.get("repeat", 1):
            return f"repeat {cell.repeat + 1} is new"
        if run.status not in ("finished", "incomplete"):
            return f"the last run is {run.status} and did not come to it"
        return "" if cell.case.id in self._previous.cases else "the case is new"

    def _lost(self, before: Before | None) -> str:
        return "the case was edited" if before is None else "it is no longer in the store"

    def _cell(self, cell: Cell) -> Before | None:
        return self._previous.cells.get((cell.case.id, cell.prompt, cell.target, cell.repeat))


def _version(registry: Registry, reference: str, content: str) -> str:
    """The committed version with this content, else the beginning of the hash."""
    committed = registry.ledger(Reference.parse(reference).name).committed
    return next((version for version, known in committed.items() if known == content), content[:12])


@dataclass(slots=True)
class _Tally:
    """The nodes of one step and place."""

    keys: set[str] = field(default_factory=set)
    certain: int = 0
    possible: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def work(self, step: Step, name: str) -> Work:
        return Work(step, name, len(self.keys), self.certain, self.possible, dict(self.reasons.most_common()))


class _Tallies:
    """Counts the nodes that cells need, each once."""

    def __init__(self, plan: Plan, why: _Why, parts: Parts, missed: set[str]) -> None:
        self.places: dict[tuple[Step, str], _Tally] = {}
        self.answers: Counter[tuple[str, str]] = Counter()
        """Answers to make, by prompt and target."""
        self.tokens: dict[tuple[str, str], list[int]] = {}
        """Input tokens of some of them."""
        self._missed = missed
        self._plan = plan
        self._why = why
        self._counts = {name: parts.facts(name).count for name, target in plan.targets.items() if target.model is not None}

    def add(self, state: CellState) -> None:
        """One cell."""
        for turn in (*state.earlier, state):
            self._add_turn(turn)
        cell = state.cell
        if state.error is not None:
            return
        for number in range(len(cell.case.turns)):
            self._add_later_turn(state, f"{cell.id}|{number}")
        for built in self._plan.evaluators_of(cell.case.id):
            name = built.spec.name
            if built.kind.cached and (
                tally := self._missing((step_of(built), name), state.evaluate_keys.get(name), cell.id, name in state.outcomes)
            ):
                tally.reasons[self._why.evaluate(state, built)] += 1

    def _add_turn(self, state: CellState) -> None:
        """What leads to one answer."""
        cell = state.cell
        index = self._plan.suite.settings.index or ""
        for key, model in state.write_keys.items():
            if tally := self._missing(("rewrite", f"{index} · {model}"), key, "", state.query is not None):
                tally.reasons[self._why.write(state)] += 1
        if self._plan.retriever is not None and (state.retrieve_key or state.write_keys):
            query = self._plan.query(cell.case)
            if tally := self._missing(("retrieve", index), state.retrieve_key, query, state.hits is not None):
                tally.reasons[self._why.retrieve(state)] += 1
        if state.error is not None:
            return
        if self._plan.prompts:
            place = f"{cell.prompt} · {cell.target}"
            if tally := self._missing(("generate", place), state.generate_key, cell.id, state.completion is not None):
                tally.reasons[self._why.generate(state)] += 1
                self._to_make(state)

    def _add_later_turn(self, state: CellState, place: str) -> None:
        """What may lead to an answer of a conversation whose answers before are not made yet."""
        steps: list[tuple[Step, str]] = [("generate", f"{state.cell.prompt} · {state.cell.target}")]
        if self._plan.retriever is not None:
            steps.append(("retrieve", self._plan.suite.settings.index or ""))
        for step in steps:
            if tally := self._missing(step, None, place, found=False):
                tally.reasons[self._why.later_turn(step[0])] += 1
        self._to_make(state)

    def _missing(self, place: tuple[Step, str], key: str | None, cell_id: str, found: bool) -> _Tally | None:
        """Count a node; its tally when it is missing and counts nowhere yet. Without a key it is not certain."""
        tally = self.places.setdefault(place, _Tally())
        known = len(tally.keys)
        tally.keys.add(key or cell_id)
        if found or len(tally.keys) == known or key in self._missed:
            return None
        if key is not None:
            self._missed.add(key)
        tally.certain += key is not None
        tally.possible += 1
        return tally

    def _to_make(self, state: CellState) -> None:
        place = (state.cell.prompt, state.cell.target)
        self.answers[place] += 1
        counted = self.tokens.setdefault(place, [])
        if state.messages and state.cell.target in self._counts and len(counted) < COUNTED:
            counted.append(self._counts[state.cell.target](state.messages))


def _rewrites(plan: Plan, tallies: _Tallies) -> Iterator[Estimate]:
    """One for each model that writes for queries; what a call of it takes, no run has recorded."""
    writer = None if plan.retriever is None else plan.retriever.writer
    batched = {target.name for target in writer.targets if target.batches is not None} if writer is not None else set()
    for (step, place), tally in tallies.places.items():
        if step == "rewrite" and tally.possible:
            name = place.rpartition(" · ")[2]
            yield Estimate(name, "rewrites", tally.possible, None, None, None, None, name in batched)


def _answers(plan: Plan, tallies: _Tallies, previous: Previous) -> Iterator[Estimate]:
    """One for each prompt and target that is asked."""
    for (prompt, name), calls in tallies.answers.items():
        target, mean = plan.targets[name], previous.answered(prompt, name)
        counted = tallies.tokens[prompt, name]
        before = (None, None, None) if mean is None else mean.per_cell()
        tokens = (sum(counted) / len(counted) if counted else before[0], before[1])
        cost, batched = _cost(target, tokens, before[2]), any(asked.batches is not None for asked in target.asked)
        if target.route is not None and mean is not None and mean.cost_usd is not None and mean.batched == batched:
            cost = mean.cost_usd / mean.cells
        found = _estimate(name, "answers", calls, tokens, cost, before[2], target.concurrency)
        if target.route is not None and mean is not None and mean.calls:
            found = replace(found, calls=round(calls * mean.calls / mean.cells))
        if batched:
            yield replace(found, seconds=None, batched=True)
        else:
            yield found if found.seconds is None else replace(found, seconds=max(found.seconds, _paced(target, found)))


def _paced(target: Target, found: Estimate) -> float:
    """Seconds that the limits per minute make calls take, the first minute's for free."""
    tokens = (found.input_tokens or 0.0) + (found.output_tokens or 0.0)
    wanted = ((found.calls, target.rpm), (tokens, target.tpm))
    return 60.0 * max((ceil(amount / limit) - 1 for amount, limit in wanted if limit is not None), default=0)


def _cost(target: Target, tokens: tuple[float | None, float | None], seconds: float | None) -> float | None:
    """USD of one call."""
    rates = target.rates
    if rates is None or None in tokens or (seconds is None and rates.usd_per_hour is not None):
        return None
    return rates.cost(Usage(round(tokens[0] or 0), round(tokens[1] or 0)), seconds or 0.0)


def _verdicts(plan: Plan, tallies: _Tallies, previous: Previous, parts: Parts) -> Iterator[Estimate]:
    """One for each evaluator that asks judges; without an earlier run a judge is taken to be called once an answer."""
    for built in {each.spec.name: each for each in plan.all_evaluators()}.values():
        names = judges_named(built.spec)
        tally = tallies.places.get(("judge", built.spec.name))
        if not names or tally is None or not tally.possible:
            continue
        judges = [parts.target(name) for name in names]
        batched = any(judge.batches is not None for judge in judges)
        mean = previous.verdicts.get(built.spec.name)
        model, nodes = ", ".join(names), tally.possible
        if mean is None or not mean.calls:
            yield Estimate(model, "verdicts", nodes * len(names), None, None, None, None, batched)
            continue
        *tokens, seconds = mean.per_cell()
        cost = None if mean.cost_usd is None else mean.cost_usd / mean.cells
        if mean.batched != batched:  # it was asked at another price; of a panel nobody knows who took which tokens
            cost = _cost(judges[0], (tokens[0], tokens[1]), None) if len(judges) == 1 else None
        width = min(judge.concurrency for judge in judges)
        found = _estimate(model, "verdicts", nodes, (tokens[0], tokens[1]), cost, None if batched else seconds, width)
        yield replace(found, calls=round(nodes * mean.calls / mean.cells), batched=batched)


def _estimate(
    model: str,
    role: Literal["answers", "verdicts"],
    cells: int,
    tokens: tuple[float | None, float | None],
    cost: float | None,
    seconds: float | None,
    width: int,
) -> Estimate:
    """Of `cells` calls from what one takes."""

    def total(each: float | None) -> float | None:
        return None if each is None else each * cells

    wall = None if seconds is None else seconds * cells / min(width, cells)
    return Estimate(model, role, cells, total(tokens[0]), total(tokens[1]), total(cost), wall)
