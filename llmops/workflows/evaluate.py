"""`llmops eval`: plan a suite, run it, judge its gate, and close the run with its report."""

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path as FilePath
from typing import Protocol, TypeVar

from llmops import __version__
from llmops.domain.errors import InvalidFiles, NothingSelected, Problem, UsageError
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.reports import Report, Timing
from llmops.domain.runs import STEPS, CellResult, Run, Step
from llmops.domain.serial import plain
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.calibrations import load_calibrations
from llmops.evaluation.calling import Callers
from llmops.evaluation.datasets import Dataset, load_dataset
from llmops.evaluation.evaluators.base import BuiltEvaluator, Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.gating import Judgement, judge_run, load_baseline
from llmops.evaluation.judging.judges import Judges
from llmops.evaluation.judging.panel import judges_named
from llmops.evaluation.planning import AskRetriever, Plan, Selection, Target
from llmops.evaluation.runner import OVER_BUDGET, Runner, RunnerOptions
from llmops.evaluation.spending import EmbeddingMeter, Purse, check_prices
from llmops.evaluation.stopping import EarlyStop
from llmops.prompting.template import PromptVersion
from llmops.reporting.figures import labels_of_nothing
from llmops.scoring.ranking import outside, parse_unit
from llmops.settings.positions import Path
from llmops.settings.suite import RECORDED, Suite, evaluator_specs
from llmops.workflows.failing import failing_cases
from llmops.workflows.outcome import OUT_OF_TIME, report_of
from llmops.workflows.suite_faults import disagreements

RECORDED_TARGETS = {RECORDED: Target(RECORDED, RECORDED, None)}
"""Of a suite without targets: its cases carry their answers."""

Loaded = TypeVar("Loaded")


class Parts(Protocol):
    """What a plan is built from; `wiring` provides it."""

    root: FilePath

    @property
    def store(self) -> Store:
        """Nodes and runs."""
        ...

    @property
    def cache_bytes(self) -> int | None:
        """How much the store may keep for reuse; None: no bound."""
        ...

    @property
    def width(self) -> int:
        """Cells in flight that keep the processors busy."""
        ...

    @property
    def services(self) -> Services:
        """What evaluators may ask."""
        ...

    @property
    def judges(self) -> Judges:
        """The project's models as judges."""
        ...

    @property
    def embedding(self) -> EmbeddingMeter:
        """What hosted embedders take."""
        ...

    def prompt(self, reference: str) -> PromptVersion:
        """The version that a reference names."""
        ...

    def target(self, name: str) -> Target:
        """The model of that name."""
        ...

    def retriever(self, index: str, progress: Progress) -> AskRetriever:
        """The index of that name; built when it is first asked and not up to date."""
        ...


@record
class EvaluateOptions:
    """What the command line changes about a suite."""

    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    dataset: str | None = None
    limit: int | None = None
    tags: tuple[str, ...] = ()
    failed: bool = False
    """Only the cases that failed, were unmeasured or did not pass last time."""
    case_ids: frozenset[str] | None = None
    """Only these cases; None: all, or those that `failed` finds."""
    variables: dict[str, str] = field(default_factory=dict)
    repeat: int | None = None
    first_repeat: int | None = None
    """Answers per case before an inconclusive run was extended; None: it was not."""
    concurrency: int | None = None
    max_failures: int | None = None
    refresh: frozenset[Step] = frozenset()
    """Steps of which nothing of earlier runs is reused."""
    aside: bool = False
    """The run is one to hold another against."""
    own_runs: tuple[str, ...] = ()
    """Earlier runs of the same command, whose nodes are reused all the same."""
    no_gate: bool = False
    budget: float | None = None
    """USD; None: the suite's."""
    left: float | None = None
    """USD that earlier runs of the same command have left of the budget; None: this is its first run."""
    ends_at: float | None = None
    """Stop at this `time.monotonic()`, as at a Ctrl-C."""
    verbose: bool = False
    """Tell each cell as it finishes."""
    sequential: bool = False
    """Run the cases in random order, and no more of them than decide the gate."""
    baseline: str | None = None
    """Id of the run that relative rules are held against; empty: of none; None: the suite's."""

    def arguments(self) -> list[str]:
        """The options of `llmops eval` that run the same cells and judge them alike."""
        given = (
            ("--model", self.models),
            ("--prompt", self.prompts),
            ("--dataset", (self.dataset,)),
            ("--limit", (self.limit,)),
            ("--filter", [f"tag={tag}" for tag in self.tags]),
            ("--var", [f"{name}={value}" for name, value in self.variables.items()]),
            ("--repeat", (self.repeat,)),
            ("--max-failures", (self.max_failures,)),
            ("--refresh", [] if self.refresh == frozenset(STEPS) else sorted(self.refresh)),
            ("--budget", (self.budget,)),
            ("--baseline", (self.baseline or None,)),
        )
        flags = {
            "--failed": self.failed,
            "--no-cache": self.refresh == frozenset(STEPS),
            "--sequential": self.sequential,
            "--no-gate": self.no_gate,
        }
        pairs = [(name, str(value)) for name, values in given for value in values if value is not None]
        return [*(part for pair in pairs for part in pair), *(name for name, is_set in flags.items() if is_set)]


def plan_suite(suite: Suite, parts: Parts, options: EvaluateOptions, progress: Progress) -> Plan:
    """Everything that the suite names, loaded and checked before the first call.

    Raises:
        InvalidFiles: with every problem of the suite, its dataset and its prompts that can be found.
        UsageError: an option names something that does not exist.
    """
    settings = suite.settings
    problems: list[Problem] = []
    read = partial(_checked, suite, problems)
    path = parts.root / (options.dataset or settings.dataset)
    dataset = read(("dataset",), lambda: load_dataset(path, parts.root))
    names = options.prompts or tuple(settings.prompts)
    prompts = {name: read(("prompts", number), partial(parts.prompt, name)) for number, name in enumerate(names)}
    names = options.models or tuple(settings.targets)
    targets = {name: read(("targets", number), partial(parts.target, name)) for number, name in enumerate(names)}
    evaluators = read(("evaluators",), lambda: build_evaluators(suite.evaluators, suite.positions, parts.services))
    index = settings.index
    retriever = read(("index",), lambda: parts.retriever(index, progress)) if index is not None else None
    if problems or dataset is None or evaluators is None:
        raise InvalidFiles(problems)
    ids = failing_cases(suite, parts.store) if options.failed and options.case_ids is None else options.case_ids
    selection = Selection(options.limit, options.tags, ids, options.variables, options.sequential)
    own, cases = _case_evaluators(dataset, selection, suite, parts)
    specs = [built.spec for some in own.values() for built in some]
    versions = {name: version for name, version in prompts.items() if version is not None}
    rendered = () if options.aside else versions.values()  # a prompt of the past may ask for what cases have no longer
    problems += disagreements(suite, dataset, specs, repeat=options.repeat, variables=options.variables, prompts=rendered)
    if problems:
        raise InvalidFiles(problems)
    calibrations, notes = load_calibrations(parts.root, evaluators)
    return Plan(
        suite,
        dataset,
        selection,
        cases,
        versions,
        {name: target for name, target in targets.items() if target is not None} or RECORDED_TARGETS,
        retriever,
        tuple(evaluators),
        own,
        options.repeat or settings.repeat,
        _streams(suite),
        {
            "refresh": sorted(options.refresh),
            "max_failures": options.max_failures,
            **({"aside": True} if options.aside else {}),
            **({} if options.first_repeat is None else {"first_repeat": options.first_repeat}),
        },
        calibrations,
        (*notes, *_stray_labels(suite, dataset, selection, retriever)),
    )


def _stray_labels(suite: Suite, dataset: Dataset, selection: Selection, retriever: AskRetriever | None) -> list[str]:
    """That cases look for what the index cannot hold, where a ranking is measured."""
    if retriever is None or not any(spec.kind == "retrieval" for spec in suite.evaluators):
        return []
    places = dict.fromkeys(place for case in selection.cases(dataset) for place in case.relevant or ())
    stray = outside(map(parse_unit, places), retriever.documents)
    return (
        [labels_of_nothing([unit.text for unit in stray], f"no document of the index {suite.settings.index}")] if stray else []
    )


def _checked(suite: Suite, problems: list[Problem], at: Path, load: Callable[[], Loaded]) -> Loaded | None:
    """What `load` gives; a problem is noted, so that all of them are told at once."""
    try:
        return load()
    except InvalidFiles as error:
        problems.extend(error.problems)
    except UsageError as error:
        problems.append(suite.positions.problem(at, error.message, hint=error.hint))
    return None


def _streams(suite: Suite) -> bool:
    return any(spec.kind == "latency" and spec.options.get("ttft") for spec in suite.evaluators)


def _case_evaluators(
    dataset: Dataset, selection: Selection, suite: Suite, parts: Parts
) -> tuple[dict[str, tuple[BuiltEvaluator, ...]], int]:
    """The cases' own evaluators, and the number of selected cases."""
    if not dataset.own_evaluators and not selection.tags and selection.case_ids is None:
        return {}, min(dataset.size, selection.limit or dataset.size)  # without a further pass over the file
    own: dict[str, tuple[BuiltEvaluator, ...]] = {}
    names = {spec.name for spec in suite.evaluators}
    count = 0
    problems: list[Problem] = []
    for case in selection.cases(dataset):
        count += 1
        if not case.evaluators:
            continue
        try:
            specs = evaluator_specs(list(case.evaluators), suite.positions, ("dataset",))
            built = build_evaluators(specs, suite.positions, parts.services)
        except InvalidFiles as error:
            problems += [replace(p, file=dataset.path, line=case.line, column=None, key="evaluators") for p in error.problems]
            continue
        twice = [spec.name for spec in specs if spec.name in names]
        if twice:
            found = f"case {case.id!r} names the evaluator {twice[0]!r}, which the suite has."
            problems.append(Problem(dataset.path, found, line=case.line, key="evaluators", hint="Give it another `name:`."))
        own[case.id] = tuple(built)
    if problems:
        raise InvalidFiles(problems)
    if not count:
        raise NothingSelected(f"No case of {dataset.path} is selected.", hint="Check --filter, --limit and --failed.")
    return own, count


async def evaluate(plan: Plan, parts: Parts, options: EvaluateOptions, progress: Progress) -> tuple[Report, float]:
    """Run a plan and close the run with its report.

    Returns:
        The report, and the USD that the run has paid, also for what belongs to no finished cell.

    Raises:
        StoreError: a result could not be written; what was committed stays, and the same command continues.
        UsageError: a budget without prices, or an unfinished run that would be its own baseline.
    """
    began = time.perf_counter()
    purse = Purse(budget_of(plan, parts, options))
    baseline = parts.store.baseline(plan.suite.path) if options.baseline is None else options.baseline or None
    run, continued = _begin(plan, parts.store, options, baseline)
    early = EarlyStop(plan, load_baseline(plan, parts.store, baseline)) if options.sequential else None
    if continued:
        progress.note(f"continuing run {run.id}, which has not finished")
    aggregator = Aggregator(plan)

    def take(result: CellResult) -> None:
        aggregator.add(result)
        if options.verbose:
            _tell(progress, result)
        if early is not None and (reason := early.add(result)) is not None:
            runner.stop(reason)

    again = (options.refresh, options.own_runs)
    async with parts.judges.running(run.id, *again, purse=purse, continued=continued) as callers:
        chosen = RunnerOptions(*again, options.max_failures, options.concurrency, parts.width, continued)
        runner = Runner(
            plan, parts.store, run.id, callers=callers, purse=purse, options=chosen, progress=progress, on_result=take
        )
        try:
            with _stoppable(runner, callers, options.ends_at, progress), parts.embedding.paid_from(purse):
                counts = await runner.run()
        except KeyboardInterrupt:
            parts.store.finish_run(run.id, "interrupted", _now(), None)
            raise
    judged = Judgement()
    if early is not None:
        judged = Judgement(early.rules, baseline=baseline)
    elif not options.no_gate and (plan.suite.settings.gate or baseline) and counts.stopped != OVER_BUDGET:
        judged = judge_run(plan, parts.store, run.id, aggregator, baseline)
    finished_at = _now()
    report = report_of(plan, run, aggregator, counts, judged)
    report = replace(report, timing=Timing(run.started_at, finished_at, time.perf_counter() - began, continued))
    parts.store.finish_run(run.id, report.status, finished_at, plain(report))
    if parts.cache_bytes is not None and (removed := parts.store.cache.evict(parts.cache_bytes)).nodes:
        progress.note(f"cache: {removed.nodes} nodes removed that were not used for longest")
    return report, counts.spent_usd


def _tell(progress: Progress, result: CellResult) -> None:
    """A cell in a line."""
    verdict = "failed" if result.status == "failed" else {True: "pass", False: "not passed", None: "not judged"}[result.passed]
    place = " · ".join(part for part in (result.case_id, result.prompt, result.target) if part)
    wrong = [name for name, e in result.evaluations.items() if e.passed is False or e.status == "failed"]
    why = result.error or ", ".join(wrong)
    progress.note(f"{verdict:<10}  {place}{' (reused)' if result.cached else ''}{f'  {why}' if why else ''}")


def budget_of(plan: Plan, parts: Parts, options: EvaluateOptions) -> float | None:
    """What the run may spend, in USD: what is left of the command line's figure, else of the suite's.

    Raises:
        UsageError: there is a budget, and the price of a model is not known.
    """
    budget = next((each for each in (options.left, options.budget) if each is not None), plan.suite.settings.budget)
    checks = (check for target in plan.targets.values() if target.route is not None for check in target.route.checks)
    judges = dict.fromkeys(name for built in (*plan.all_evaluators(), *checks) for name in judges_named(built.spec))
    writers = plan.retriever.writer.targets if plan.retriever is not None and plan.retriever.writer is not None else ()
    asked = [*plan.asked().values(), *(parts.target(name) for name in judges), *writers]
    if budget is not None:
        check_prices(asked)
        parts.embedding.check_prices(set(_embedders(plan)))
    return budget


def _embedders(plan: Plan) -> Iterator[str]:
    """Identities of the embedders that a plan asks."""
    if plan.retriever is not None:
        yield str(plan.retriever.facts.get("embedder"))
    for each in plan.all_evaluators():
        if each.spec.kind == "similarity":
            yield each.evaluator.embedder.identity  # type: ignore[attr-defined]  # the only kind that has one


def _begin(plan: Plan, store: Store, options: EvaluateOptions, baseline: str | None) -> tuple[Run, bool]:
    key = plan.key()
    earlier = store.unfinished_run(key)
    if earlier is not None:
        if earlier.id == baseline:
            hint = "Name another with --baseline RUN, or choose one: llmops runs baseline RUN"
            raise UsageError(f"Run {baseline}, which this command continues, would be its own baseline.", hint=hint)
        store.continue_run(earlier.id)
        return earlier, True
    started = _now()
    run_id = f"{started[:19].replace('-', '').replace(':', '').replace('T', '-')}-{secrets.token_hex(2)}"
    snapshot = {**plan.snapshot(), "tool": __version__, "arguments": options.arguments()}
    run = Run(run_id, plan.suite.path, "running", started, None, key, plan.size, snapshot)
    store.begin_run(run)
    return run, False


@contextmanager
def _stoppable(runner: Runner, callers: Callers, ends_at: float | None, progress: Progress) -> Iterator[None]:
    """SIGINT, SIGTERM and the deadline: once finishes what is in flight and reports; twice stops at once."""
    loop = asyncio.get_running_loop()
    task, asked = asyncio.current_task(), False

    def stop(reason: str) -> None:
        nonlocal asked
        if asked and task is not None and reason != OUT_OF_TIME:
            task.cancel()
        elif reason in handled.values():
            again = "; press Ctrl-C again to stop at once" if reason == "interrupted" else ""
            progress.note(f"finishing what is in flight{again}")
        asked = True
        runner.stop(reason)
        callers.stop()

    handled = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
    deadline = None if ends_at is None else loop.call_later(ends_at - time.monotonic(), stop, OUT_OF_TIME)
    try:
        for number, reason in handled.items():
            loop.add_signal_handler(number, stop, reason)
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if deadline is not None:
            deadline.cancel()
        for number in handled:
            loop.remove_signal_handler(number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
