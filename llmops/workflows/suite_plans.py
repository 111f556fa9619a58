"""A suite with the options of the command line as a plan: everything is loaded and checked before the first call."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path as FilePath
from typing import Protocol, TypeVar

from llmops.domain.errors import InvalidFiles, NothingSelected, Problem, UsageError
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.runs import STEPS, Step
from llmops.evaluation.calibrations import load_calibrations
from llmops.evaluation.datasets import Dataset, load_dataset
from llmops.evaluation.evaluators.base import BuiltEvaluator, Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.judging.judges import Judges
from llmops.evaluation.judging.panel import judges_named
from llmops.evaluation.planning import AskRetriever, Plan, Selection, Target
from llmops.evaluation.spending import EmbeddingMeter
from llmops.prompting.template import PromptVersion
from llmops.reporting.figures import labels_of_nothing
from llmops.scoring.ranking import outside, parse_unit
from llmops.settings.positions import Path
from llmops.settings.suite import RECORDED, Suite, evaluator_specs
from llmops.settings.validation import nearest
from llmops.workflows.failing import failing_cases
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

    @property
    def price_table(self) -> str:
        """Which table prices come from that the project does not give."""
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
    ids: tuple[str, ...] = ()
    """Only the cases of these ids, in which `*` stands for any characters."""
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
    batch: bool = False
    """Ask models in batches of their provider where it has them."""
    baseline: str | None = None
    """Id of the run that relative rules are held against; empty: of none; None: the suite's."""

    def arguments(self) -> list[str]:
        """The options of `llmops eval` that run the same cells and judge them alike."""
        given = (
            ("--model", self.models),
            ("--prompt", self.prompts),
            ("--dataset", (self.dataset,)),
            ("--limit", (self.limit,)),
            ("--filter", [*(f"tag={tag}" for tag in self.tags), *(f"id={each}" for each in self.ids)]),
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
            "--batch": self.batch,
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
    ids = _named(options.ids, dataset, ids) if options.ids else ids
    selection = Selection(options.limit, options.tags, ids, options.variables, options.sequential)
    own, cases = _case_evaluators(dataset, selection, suite, parts)
    specs = [built.spec for some in own.values() for built in some]
    versions = {name: version for name, version in prompts.items() if version is not None}
    rendered = () if options.aside else versions.values()  # a prompt of the past may ask for what cases have no longer
    problems += disagreements(suite, dataset, specs, repeat=options.repeat, variables=options.variables, prompts=rendered)
    if problems:
        raise InvalidFiles(problems)
    calibrations, notes = load_calibrations(parts.root, evaluators)
    plan = Plan(
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
        (*notes, *_of_routes(targets), *_stray_labels(suite, dataset, selection, retriever)),
    )
    return replace(plan, notes=(*plan.notes, *_of_batches(plan, parts))) if options.batch else plan


def asked_models(plan: Plan, parts: Parts) -> list[Target]:
    """The models that a plan may ask: those that answer, judge, and write for queries."""
    checks = (check for target in plan.targets.values() if target.route is not None for check in target.route.checks)
    judges = dict.fromkeys(name for built in (*plan.all_evaluators(), *checks) for name in judges_named(built.spec))
    writers = plan.retriever.writer.targets if plan.retriever is not None and plan.retriever.writer is not None else ()
    return [*plan.asked().values(), *(parts.target(name) for name in judges), *writers]


def _of_batches(plan: Plan, parts: Parts) -> list[str]:
    """Notes on the models that are not asked in batches, or at a price that nobody knows.

    Raises:
        UsageError: none is asked in batches.
    """
    asked = {target.name: target for target in asked_models(plan, parts) if target.model is not None}
    singly = [name for name, target in asked.items() if target.batches is None]
    if len(singly) == len(asked):
        hint = "Batches need an endpoint that speaks the OpenAI protocol, such as OpenAI's: llmops models shows the transport."
        raise UsageError(f"--batch: no model that {plan.suite.path} asks is asked in batches.", hint=hint)
    hosted = ", ".join(name for name in singly if not asked[name].embedded)
    per_token = {
        name: target for name, target in asked.items() if target.price is not None and target.price.usd_per_hour is None
    }
    unpriced = ", ".join(name for name, target in per_token.items() if target.rates is None)
    notes = [f"asked call by call, not in batches: {hosted}"] if hosted else []
    if unpriced:
        notes.append(f"the price of batches is not known for {unpriced}; name it in llmops.yaml: `price: {{batch: ...}}`")
    return notes


def _named(wanted: Sequence[str], dataset: Dataset, among: frozenset[str] | None) -> frozenset[str]:
    """The ids of the cases that `--filter id=` names, of all or of some.

    Raises:
        NothingSelected: no case has such an id.
    """
    found = set[str]()
    for one in wanted:
        pattern = re.compile(".*".join(map(re.escape, one.split("*"))), re.DOTALL)
        found |= {case.id for case in dataset.cases() if pattern.fullmatch(case.id)}
    if not found:
        told = f"--filter: no case of {dataset.path} has the id {' or '.join(map(repr, wanted))}."
        raise NothingSelected(told, hint=nearest(wanted[0], (case.id for case in dataset.cases())))
    return frozenset(found if among is None else found & among)


def _of_routes(targets: Mapping[str, Target | None]) -> Iterator[str]:
    for target in targets.values():
        if target is not None and target.route is not None:
            yield from target.route.notes


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
        problems.append(suite.positions.located(at, error))
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
        raise _none_selected(dataset, selection)
    return own, count


def _none_selected(dataset: Dataset, selection: Selection) -> NothingSelected:
    """Names the tag that no case has, if that is why."""
    tags = {tag for case in dataset.cases() for tag in case.tags}
    strange = next((tag for tag in selection.tags if tag not in tags), None)
    close = "" if strange is None else nearest(strange, tags) or ""
    hint = "Check --filter, --limit and --failed." if strange is None else f"None has the tag {strange!r}. {close}".rstrip()
    return NothingSelected(f"No case of {dataset.path} is selected.", hint=hint)
