"""The answers of a run, case by case, with the passages and the prompt that led to them."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

from llmops.domain.cases import Case
from llmops.domain.errors import LlmopsError
from llmops.domain.ports import Store
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Hit, given_hits
from llmops.domain.runs import CellResult, Run
from llmops.domain.serial import hits_from_json
from llmops.evaluation.datasets import load_dataset
from llmops.evaluation.planning import question_of
from llmops.prompting.template import PromptVersion
from llmops.reporting.outputs import GONE, CaseOutputs, prompt_place

Loaded = TypeVar("Loaded")


class Parts(Protocol):
    """What is read of a project."""

    root: Path

    @property
    def store(self) -> Store:
        """Runs and nodes."""
        ...

    def prompt(self, reference: str) -> PromptVersion:
        """The version that a reference names."""
        ...


def outputs_of(run: Run, parts: Parts, wanted: str | None = None) -> Iterator[CaseOutputs]:
    """The cases of a run in its order, or the `wanted` one alone; conversations that found other passages stand apart.

    A prompt is rendered again from its file, and only while the file and the dataset are what the run had and the store
    holds the passages.
    """
    sources = _Sources(run, parts)
    results = (result for result in parts.store.results(run.id) if wanted in (None, result.case_id))
    for (case_id, *_), group in groupby(results, key=_found_alike):
        cells = tuple(group)
        case = sources.case(case_id)
        retrieved = _retrieved(parts.store, cells)
        hits = None if retrieved is None else retrieved + given_hits(case.contexts if case else ())
        prompts: dict[str, tuple[Message, ...] | str] = {}
        for cell in cells:
            shown = prompt_place(cell)
            if cell.prompt and shown not in prompts:
                prompts[shown] = sources.rendered(cell.prompt, case and _as_asked(case, cell), hits)
        question = "" if case is None else question_of(_as_asked(case, cells[0]))
        yield CaseOutputs(case_id, hits, prompts, cells, question)


def _found_alike(cell: CellResult) -> tuple[str, int, str | None]:
    """Equal for the cells of a case; of a conversation, for those that came as far and found the same passages."""
    return cell.case_id, len(cell.earlier), cell.node_keys.get("retrieve") if cell.earlier else None


def _as_asked(case: Case, cell: CellResult) -> Case:
    """The case in the turn of its conversation to which a cell came."""
    found = case.begun()
    for turn in cell.earlier:
        found = found.after(turn.output)
    return found


def recorded_cases(run: Run, root: Path) -> tuple[Mapping[str, Case], str]:
    """The cases that a run had, by id, or none and the reason: its dataset is another by now."""
    recorded = run.snapshot.get("dataset", {})
    path = str(recorded.get("path", ""))
    dataset = _or_message(lambda: load_dataset(root / path, root))
    if isinstance(dataset, str):
        return {}, f"the dataset {path} cannot be read any more"
    if dataset.content_hash != recorded.get("hash"):
        return {}, f"the dataset {path} has changed since"
    variables = run.snapshot.get("selection", {}).get("variables", {})
    return {case.id: case.given(variables) for case in dataset.cases()}, ""


def _retrieved(store: Store, cells: tuple[CellResult, ...]) -> tuple[Hit, ...] | None:
    """None: they are no longer in the store."""
    key = next((cell.node_keys["retrieve"] for cell in cells if "retrieve" in cell.node_keys), None)
    if key is None:
        return ()
    node = store.nodes([key]).get(key)
    return None if node is None else node.read(hits_from_json)


class _Sources:
    """The dataset and the prompts of a run, as far as they are still what the run had."""

    def __init__(self, run: Run, parts: Parts) -> None:
        self._run = run
        self._parts = parts
        self._versions: dict[str, PromptVersion | str] = {}

    @cached_property
    def _dataset(self) -> tuple[Mapping[str, Case], str]:
        return recorded_cases(self._run, self._parts.root)

    def case(self, case_id: str) -> Case | None:
        """A case of the run's dataset; None when the dataset is another by now."""
        return self._dataset[0].get(case_id)

    def rendered(self, reference: str, case: Case | None, hits: tuple[Hit, ...] | None) -> tuple[Message, ...] | str:
        """The messages of a prompt for a case, or why they cannot be shown."""
        if case is None:
            return self._dataset[1] or "the dataset has no such case"
        if reference not in self._versions:
            self._versions[reference] = self._version(reference)
        version = self._versions[reference]
        if isinstance(version, str):
            return version
        if hits is None:
            return GONE
        return _or_message(lambda: version.render(case.vars, hits))

    def _version(self, reference: str) -> PromptVersion | str:
        version = _or_message(lambda: self._parts.prompt(reference))
        if isinstance(version, str):
            return f"the prompt {reference} cannot be read any more"
        if version.hash != self._run.snapshot.get("prompts", {}).get(reference):
            return f"the prompt {reference} has changed since"
        return version


def _or_message(load: Callable[[], Loaded]) -> Loaded | str:
    try:
        return load()
    except LlmopsError as error:
        return error.message
