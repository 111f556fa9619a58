"""Every problem of every file of a project, at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import floor
from pathlib import Path
from typing import Protocol, TypeVar

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.ports import Embedder
from llmops.domain.words import many
from llmops.evaluation.calibrations import read_calibration
from llmops.evaluation.datasets import Dataset, dataset_of
from llmops.evaluation.evaluators.catalogue import check_evaluators
from llmops.evaluation.judging.judges import LANGUAGE_MODEL, NO_JUDGE
from llmops.evaluation.judging.panel import judges_named
from llmops.evaluation.planning import Route, query_of
from llmops.prompting.registry import Registry
from llmops.prompting.template import PromptVersion
from llmops.rag.globbing import matching_files
from llmops.settings.environment import load_environment
from llmops.settings.files import shown
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.project import Project, load_project
from llmops.settings.routes import LearnedRoute
from llmops.settings.suite import EvaluatorSpec, GateRule, Suite, evaluator_specs, load_suite, suite_files
from llmops.settings.validation import nearest
from llmops.statistics.power import cases_to_reach, cases_to_show, reachable_margin
from llmops.workflows.suite_faults import disagreements

Loaded = TypeVar("Loaded")


class Parts(Protocol):
    """What knows the providers of models and embedders; `wiring` provides it."""

    def check_model(self, name: str) -> None:
        """Raises InvalidFiles for a model of no provider."""
        ...

    def embedder(self, settings: EmbedderSettings) -> Embedder:
        """Raises UsageError for a hosted embedder of no provider."""
        ...

    def route(self, name: str) -> Route:
        """Raises InvalidFiles for one whose fitted router cannot be used."""
        ...


def problems_of(root: Path, parts: Callable[[Project], Parts]) -> list[Problem]:
    """What is wrong with llmops.yaml, the prompts, the suites and their datasets, sorted by place.

    Args:
        root: of the project.
        parts: those of a project whose llmops.yaml could be read.
    """
    found = _Findings()
    found.of(lambda: load_environment(root))
    project = found.of(lambda: load_project(root))
    registry = Registry(root)
    for name in registry.names():
        _check_prompt(name, registry, found)
    if project is not None:
        built = parts(project)
        _check_providers(project, built, found)
        _check_routers(project, built, found)
        _check_writers(project, registry, found)
        _check_corpora(project, found)
        _check_guards(project, found)
    for path in suite_files(root):
        suite = found.of(partial(load_suite, path, root))
        if suite is not None:
            _check_suite(suite, root, project, registry, found)
    unique = {(p.file, p.line, p.column, p.key, p.message): p for p in found.problems}
    return sorted(unique.values(), key=lambda p: (p.file, p.line or 0, p.column or 0))


@dataclass
class _Findings:
    """Gathers what is raised."""

    problems: list[Problem] = field(default_factory=list)

    def of(self, load: Callable[[], Loaded], place: Callable[[UsageError], Problem] | None = None) -> Loaded | None:
        """What `load` gives; `place` locates an error that names no file."""
        try:
            return load()
        except InvalidFiles as error:
            self.problems += error.problems
        except UsageError as error:
            if place is None:
                raise
            self.problems.append(place(error))
        return None


def _check_prompt(name: str, registry: Registry, found: _Findings) -> None:
    found.of(partial(registry.working_copy, name))
    found.of(partial(registry.labels, name))
    for version in registry.versions(name):
        found.of(partial(registry.version, name, version))


def _check_providers(project: Project, parts: Parts, found: _Findings) -> None:
    for name in project.settings.models:
        found.of(partial(parts.check_model, name))
    for name, index in project.settings.indexes.items():
        if index.embedder.kind == "litellm":
            place = partial(project.positions.located, ("indexes", name, "embedder", "name"))
            found.of(partial(parts.embedder, index.embedder), place)


def _check_routers(project: Project, parts: Parts, found: _Findings) -> None:
    for name, route in project.settings.routes.items():
        if isinstance(route, LearnedRoute):
            found.of(partial(parts.route, name))


def _check_writers(project: Project, registry: Registry, found: _Findings) -> None:
    """The prompts of models that write for queries."""
    for name, index in project.settings.indexes.items():
        for stage in ("rewrite", "hyde"):
            reference = getattr(getattr(index.retrieve, stage), "prompt", None)
            if reference is not None:
                at = ("indexes", name, "retrieve", stage, "prompt")
                found.of(partial(registry.resolve, reference), partial(project.positions.located, at))


def _check_corpora(project: Project, found: _Findings) -> None:
    """The documents of each index are there."""
    for name, index in project.settings.indexes.items():
        corpus = index.corpus
        at = ("indexes", name, "corpus")
        if corpus.paths is not None:
            files = matching_files(corpus.paths, corpus.exclude, project.root)
            if all(each.problem for each in files):
                told = "no file matches, so that there is nothing to index."
                folders = (f"{each.name!r} {each.problem}" for each in files if (project.root / each.name).is_dir())
                hint = next(folders, "Paths start at the project's root.")
                found.problems.append(project.positions.problem((*at, "paths"), told, hint=hint))
        for source in ("beir", "jsonl", "csv"):
            path = getattr(corpus, source)
            if path is not None and not (project.root / path).exists():
                found.problems.append(project.positions.problem((*at, source), f"there is no {path!r}."))


def _check_guards(project: Project, found: _Findings) -> None:
    """The suites that guard a label are there."""
    for name, label in project.settings.labels.items():
        for number, path in enumerate(label.guarded_by):
            if not (project.root / path).is_file():
                known = [shown(each, project.root) for each in suite_files(project.root)]
                at = ("labels", name, "guarded_by", number)
                found.problems.append(project.positions.problem(at, f"there is no suite {path!r}.", hint=nearest(path, known)))


def _check_suite(suite: Suite, root: Path, project: Project | None, registry: Registry, found: _Findings) -> None:
    settings, place = suite.settings, suite.positions.problem
    found.of(lambda: check_evaluators(suite.evaluators, suite.positions, root))
    for spec in suite.evaluators:
        found.of(partial(read_calibration, root, spec.name))
    dataset = found.of(lambda: dataset_of(suite, root), partial(suite.positions.located, ("dataset",)))
    if dataset is not None:
        _check_case_evaluators(dataset, suite, root, found)
    prompts: list[PromptVersion] = []
    for number, reference in enumerate(settings.prompts):
        version = found.of(partial(registry.resolve, reference), partial(suite.positions.located, ("prompts", number)))
        prompts += [] if version is None else [version]
    _check_gate(suite, dataset, prompts, found)
    _check_query(suite, dataset, found)
    if project is None:
        return
    models = project.settings.models
    for number, name in enumerate(settings.targets):
        found.of(partial(project.is_route, name), partial(suite.positions.located, ("targets", number)))
    for spec in suite.evaluators:
        for name in judges_named(spec):
            if name not in models:
                found.problems.append(place(spec.at, f"no model is called {name!r}.", hint=nearest(name, models)))
            elif models[name].embedded:
                found.problems.append(place(spec.at, f"{name!r} {NO_JUDGE}.", hint=LANGUAGE_MODEL))
    if settings.index is not None:
        found.of(partial(project.index, settings.index), partial(suite.positions.located, ("index",)))


def _check_query(suite: Suite, dataset: Dataset | None, found: _Findings) -> None:
    """Each case has a text to search for."""
    settings = suite.settings
    if dataset is None or settings.index is None:
        return
    for case in dataset.cases():
        try:
            query_of(case.at_last(), settings.query)
        except UsageError as error:
            found.problems.append(suite.positions.located(("query",) if settings.query else ("index",), error))
            return


def _check_gate(suite: Suite, dataset: Dataset | None, prompts: Sequence[PromptVersion], found: _Findings) -> None:
    if dataset is None:
        return
    found.problems += disagreements(suite, dataset, _case_specs(dataset, suite), prompts=prompts)
    for number, rule in enumerate(suite.settings.gate):
        if (rule.metric or "").endswith(".pass_rate"):
            found.problems += _out_of_reach(suite, dataset.size, rule, ("gate", number))


def _out_of_reach(suite: Suite, cases: int, rule: GateRule, at: tuple[str | int, ...]) -> Iterator[Problem]:
    """A rule on a pass rate that so many cases can never pass."""
    place = suite.positions.problem
    if rule.non_inferior_to and 0 < rule.margin < 1 and reachable_margin(cases, confidence=rule.confidence) > rule.margin:
        needed = cases_to_reach(rule.margin, confidence=rule.confidence)
        told = f"{many(cases, 'case')} can never show a loss below {rule.margin:g}, even when none flips: {needed} are needed."
        yield place((*at, "margin"), told, hint=f"Add cases, or raise the margin: llmops power {suite.path}")
    if rule.min is None or suite.settings.on_inconclusive not in ("exit4", "fail"):
        return
    if rule.min == 1:
        told = "no number of cases shows a rate of 1, so that this rule can never pass."
        yield place((*at, "min"), told, hint="That none may fail is `{no_failures: {}}`. A rate takes a lower `min`.")
    elif suite.settings.repeat == 1 and 0 < rule.min < 1 and cases < cases_to_show(rule.min, confidence=rule.confidence):
        needed = cases_to_show(rule.min, confidence=rule.confidence)
        told = f"{many(cases, 'case')} can never show a rate of {rule.min:g}, even when all pass: {needed} are needed."
        shown = floor(100 * (1 - rule.confidence) ** (1 / cases)) / 100
        yield place((*at, "min"), told, hint=f"Add cases, or lower `min`: when all {cases} pass, they show {shown:g}.")


def _case_specs(dataset: Dataset, suite: Suite) -> list[EvaluatorSpec]:
    """The evaluators that cases bring along, as far as they can be read."""
    found: list[EvaluatorSpec] = []
    for case in dataset.cases() if dataset.own_evaluators else ():
        with suppress(InvalidFiles):
            found += evaluator_specs(list(case.evaluators), suite.positions, ("dataset",))
    return found


def _check_case_evaluators(dataset: Dataset, suite: Suite, root: Path, found: _Findings) -> None:
    names = {spec.name for spec in suite.evaluators}
    for case in dataset.cases():
        if case.evaluators:
            inside = _Findings()
            specs = inside.of(partial(evaluator_specs, list(case.evaluators), suite.positions, ("dataset",)))
            inside.of(partial(check_evaluators, specs or (), suite.positions, root))
            for name in names & {spec.name for spec in specs or ()}:
                told, hint = f"the suite {suite.path} has an evaluator {name!r} too.", "Give one another `name:`."
                inside.problems.append(Problem(dataset.path, told, hint=hint))
            found.problems += _at_case(inside.problems, dataset.path, case.line)


def _at_case(problems: Iterable[Problem], file: str, line: int | None) -> list[Problem]:
    return [replace(problem, file=file, line=line, column=None, key="evaluators") for problem in problems]
