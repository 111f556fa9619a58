"""`llmops validate`: every problem of every file of a project, at once."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.evaluation.datasets import load_dataset
from llmops.evaluation.evaluators.catalogue import check_evaluators
from llmops.prompting.registry import Registry
from llmops.settings.project import Project
from llmops.settings.suite import Suite, load_suite
from llmops.settings.validation import nearest


def suite_files(root: Path) -> list[Path]:
    """The suites of a project."""
    return sorted(path for path in (root / "evals").glob("*") if path.suffix in (".yaml", ".yml"))


def problems_of(project: Project) -> list[Problem]:
    """What is wrong with the prompts, the suites and the datasets; llmops.yaml was read already."""
    problems: list[Problem] = []
    registry = Registry(project.root)
    for name in registry.names():
        _noted(problems, partial(registry.working_copy, name))
    for path in suite_files(project.root):
        try:
            suite = load_suite(path, project.root)
        except InvalidFiles as error:
            problems += error.problems
            continue
        _check_suite(suite, project, registry, problems)
    unique = {(p.file, p.line, p.column, p.key, p.message): p for p in problems}
    return sorted(unique.values(), key=lambda p: (p.file, p.line or 0, p.column or 0))


def _check_suite(suite: Suite, project: Project, registry: Registry, problems: list[Problem]) -> None:
    settings = suite.settings
    _noted(problems, lambda: check_evaluators(suite.evaluators, suite.positions, project.root))
    _noted(problems, lambda: load_dataset(project.root / settings.dataset, project.root))
    for number, name in enumerate(settings.targets):
        if name not in project.settings.models:
            hint = nearest(name, project.settings.models)
            problems.append(suite.positions.problem(("targets", number), f"no model is called {name!r}.", hint=hint))
    if settings.index is not None and settings.index not in project.settings.indexes:
        hint = nearest(settings.index, project.settings.indexes)
        problems.append(suite.positions.problem(("index",), f"no index is called {settings.index!r}.", hint=hint))
    for number, reference in enumerate(settings.prompts):
        try:
            registry.resolve(reference)
        except InvalidFiles as error:
            problems += error.problems
        except UsageError as error:
            problems.append(suite.positions.problem(("prompts", number), error.message, hint=error.hint))


def _noted(problems: list[Problem], work: Callable[[], object]) -> None:
    try:
        work()
    except InvalidFiles as error:
        problems += error.problems
