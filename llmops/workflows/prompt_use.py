"""Where a prompt is used: the suites that name it, with their cases, the passages of their last run, and their models."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from llmops.domain.cases import Case
from llmops.domain.errors import UsageError
from llmops.domain.models import Price
from llmops.domain.ports import Store
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import Hit, given_hits
from llmops.domain.serial import hits_from_json
from llmops.evaluation.datasets import dataset_of
from llmops.prompting.diff import PromptComparison, cost_deltas, diff_versions
from llmops.prompting.lint import DatasetSample, Finding, Surroundings, lint
from llmops.prompting.registry import Reference, Registry
from llmops.prompting.template import PromptVersion
from llmops.settings.suite import Suite, load_suite, suite_files

Count = Callable[[Sequence[Message]], int]


@record
class ModelFacts:
    """What is known of a model without asking it."""

    name: str
    count: Count
    """Input tokens of a list of messages."""
    estimated: bool
    """The count is another tokenizer's."""
    price: Price | None
    window: int | None
    """Context window in tokens; None: not known."""


class Parts(Protocol):
    """What is read of a project."""

    root: Path

    @property
    def store(self) -> Store:
        """Runs and their passages."""
        ...

    @property
    def registry(self) -> Registry:
        """The project's prompts."""
        ...

    def facts(self, name: str) -> ModelFacts:
        """Of a configured model, or of a LiteLLM id."""
        ...


def suites_of(name: str, root: Path, paths: Iterable[Path]) -> list[Suite]:
    """Of the suites at these paths those that name a prompt, whichever version."""
    suites = [load_suite(path, root) for path in paths]
    return [suite for suite in suites if any(Reference.parse(each).name == name for each in suite.settings.prompts)]


def compare_prompts(before: PromptVersion, after: PromptVersion, models: Sequence[str], parts: Parts) -> PromptComparison:
    """What changed, and what it changes for each model on the real values of the datasets that use the prompt.

    Raises:
        InvalidFiles: a suite or its dataset cannot be read.
        UsageError: no such model.
    """
    facts = [parts.facts(name) for name in models]
    inputs = list(_inputs(after.name, parts))
    costs = cost_deltas(
        before,
        after,
        [(case.begun().vars, hits) for case, hits in inputs],
        {each.name: each.count for each in facts},
        {each.name: each.price for each in facts},
    )
    return PromptComparison(
        before.hash,
        after.hash,
        diff_versions(before, after),
        tuple(costs),
        tuple(each.name for each in facts if each.estimated),
        len(inputs),
        sum(any(not hit.given for hit in hits) for _, hits in inputs),
    )


def _inputs(name: str, parts: Parts) -> Iterator[tuple[Case, tuple[Hit, ...]]]:
    """The cases of the suites that use a prompt; a dataset that two of them share counts once."""
    seen: set[str] = set()
    for suite in suites_of(name, parts.root, suite_files(parts.root)):
        if suite.settings.dataset in seen:
            continue
        seen.add(suite.settings.dataset)
        passages = _passages_of_last_run(suite, parts.store)
        for case in dataset_of(suite, parts.root).cases():
            yield case, passages.get(case.id, ()) + given_hits(case.contexts)


def _passages_of_last_run(suite: Suite, store: Store) -> dict[str, tuple[Hit, ...]]:
    """What the suite's newest run retrieved, by case id; nothing is searched for."""
    if suite.settings.index is None:
        return {}
    run = next(iter(store.runs(1, suite=suite.path)), None)
    if run is None:
        return {}
    keys = {result.case_id: result.node_keys["retrieve"] for result in store.results(run.id) if "retrieve" in result.node_keys}
    nodes = store.nodes(sorted(set(keys.values())))
    return {case: nodes[key].read(hits_from_json) for case, key in keys.items() if key in nodes}


def lint_prompt(version: PromptVersion, parts: Parts) -> list[Finding]:
    """The findings of a prompt among the suites, datasets, models and other prompts of its project."""
    suites = suites_of(version.name, parts.root, suite_files(parts.root))
    datasets = {suite.settings.dataset: dataset_of(suite, parts.root) for suite in suites}
    samples = [DatasetSample(path, [(case.id, case.begun().vars) for case in each.cases()]) for path, each in datasets.items()]
    facts = [parts.facts(name) for name in dict.fromkeys(name for suite in suites for name in suite.settings.targets)]
    windows = {each.name: each.window for each in facts if each.window is not None}
    narrowest = min(windows, key=lambda name: windows[name]) if windows else None
    others = list(_readable(parts.registry, (name for name in parts.registry.names() if name != version.name)))
    count = next((each.count for each in facts if each.name == narrowest), None)
    return lint(version, Surroundings(samples, others, windows, count))


def _readable(registry: Registry, names: Iterable[str]) -> Iterator[PromptVersion]:
    """The working copies that parse: what is wrong with another prompt is no finding of this one."""
    for name in names:
        with suppress(UsageError):
            yield registry.working_copy(name)
