"""`llmops rag diagnose`: whose fault the wrong answers of a stored run are."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from llmops.domain.cases import Case
from llmops.domain.diagnoses import BEFORE_THE_MODEL, FAULTS, Diagnosis, Fault, Share, WrongAnswer
from llmops.domain.errors import UsageError
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.runs import CellResult, EvaluatorResult, Run
from llmops.domain.scores import DetectionRequest, Span
from llmops.evaluation.attributing import STAGES, Corpus, Standing, Wanted, standing
from llmops.evaluation.evaluators.base import Services
from llmops.evaluation.evaluators.contains import needed_facts
from llmops.evaluation.planning import query_of
from llmops.rag.inspecting import Generation
from llmops.reporting.outputs import GONE, CaseOutputs, prompt_place
from llmops.scoring.matching import found_in
from llmops.scoring.ranking import parse_unit
from llmops.scoring.refusal import refuses
from llmops.settings.secrets import masked_parts
from llmops.settings.suite import Suite, load_suite
from llmops.settings.validation import nearest
from llmops.statistics.intervals import proportion_interval
from llmops.workflows.outputs import Parts as OutputParts
from llmops.workflows.outputs import outputs_of, recorded_cases

RIGHTNESS = (
    "equals",
    "contains",
    "regex",
    "tool-calls",
    "similarity",
    "overlap",
    "refusal",
    "hallucination",
    "completeness",
    "criteria",
    "rubric",
)
"""Kinds of evaluators that say whether an answer is right; others say how it reads, what it costs or whether it is safe."""
AGAINST = ("contradicted", "number differs", "name differs")
"""Kinds of spans that speak against the passages, not just beyond them."""


class LiveIndex(Protocol):
    """An index as it was last built."""

    @property
    def live(self) -> Generation:
        """Its chunks."""
        ...

    def retrieval_identity(self, key: str) -> str:
        """Changes whenever the same query could give other hits from the generation with this key."""
        ...


class Parts(OutputParts, Protocol):
    """What is read of a project; `wiring` provides it."""

    @property
    def services(self) -> Services:
        """What evaluators may ask."""
        ...

    def index(self, name: str) -> LiveIndex:
        """The index of that name."""
        ...


@record
class _Found:
    """A wrong answer with what it was made from."""

    wrong: WrongAnswer
    cell: CellResult
    hits: tuple[Hit, ...] | None


async def diagnose(run: Run, parts: Parts, evaluators: Sequence[str] = ()) -> Diagnosis:
    """Attribute each wrong answer of a run to the stage that lost it; no model is asked and nothing is searched.

    Args:
        run: of the store.
        parts: of the project.
        evaluators: names of those that decide whether an answer is wrong; default: all of the suite that judge what it says.

    Raises:
        InvalidFiles: the suite cannot be read any more.
        UsageError: the suite has no index or no such evaluator, its dataset has changed, or the index was never built.
    """
    suite = load_suite(parts.root / run.suite, parts.root)
    if suite.settings.index is None:
        raise UsageError(f"{run.suite} asks no index, so there is no retrieval to diagnose.")
    cases, changed = recorded_cases(run, parts.root)
    if changed:
        hint = f"Run it again, then diagnose: llmops eval {run.suite}"
        raise UsageError(f"Run {run.id} cannot be diagnosed: {changed}.", hint=hint)
    names = _deciding(suite, evaluators)
    index = parts.index(suite.settings.index)
    attributor = _Attributor(suite, Corpus(index.live))
    judged: list[CellResult] = []
    found: list[_Found] = []
    failed = 0
    for outputs in outputs_of(run, parts):
        for cell in outputs.results:
            failed += cell.status == "failed"
            verdicts = [each for name in names if (each := cell.evaluations.get(name)) and each.passed is not None]
            judged += [cell] if verdicts else []
            if any(each.passed is False for each in verdicts):
                wrong = attributor.wrong(cases[outputs.case_id], cell, outputs, names)
                found.append(_Found(wrong, cell, outputs.hits))
    checked = await asyncio.gather(*(_checked(each, suite, parts) for each in found))
    notes = [*_index_notes(run, index), *attributor.notes]
    return Diagnosis(
        run.id, run.suite, suite.settings.index, names, tuple(_shares(judged, checked)), tuple(checked), failed, tuple(notes)
    )


def _deciding(suite: Suite, wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of the evaluators that decide whether an answer is wrong."""
    known = [spec.name for spec in suite.evaluators]
    for name in wanted:
        if name not in known:
            raise UsageError(f"{suite.path} has no evaluator {name!r}.", hint=nearest(name, known))
    usual = [spec.name for spec in suite.evaluators if spec.kind in RIGHTNESS and not spec.common.negate]
    if not wanted and not usual:
        hint = "Name those that decide whether an answer is wrong: --evaluator NAME"
        raise UsageError(f"No evaluator of {suite.path} says by its kind whether an answer is right.", hint=hint)
    return tuple(dict.fromkeys(wanted or usual))


class _Attributor:
    """Finds the stage at which the evidence for a wrong answer was lost."""

    def __init__(self, suite: Suite, corpus: Corpus) -> None:
        self._path = suite.path
        self._query = suite.settings.query
        self._any_of = any(spec.kind == "contains" and spec.options.get("any") == "expected" for spec in suite.evaluators)
        self._corpus = corpus
        self._unseen: dict[str, str] = {}
        self._gone = 0

    @property
    def notes(self) -> list[str]:
        """What could not be told of prompts and passages."""
        unseen = [f"{why[:1].upper()}{why[1:]}: a passage that was cut counts as seen." for why in self._unseen.values()]
        gone = f"{self._gone} wrong answers are not attributed: {GONE}. Get them again: llmops eval {self._path}"
        return [*unseen, *([gone] if self._gone else [])]

    def wrong(self, case: Case, cell: CellResult, outputs: CaseOutputs, names: Sequence[str]) -> WrongAnswer:
        """The wrong answer of a cell with its fault; one that the model made may turn out to be a contradiction."""
        fault, detail, places = self._fault(case, cell, outputs)
        evaluations = {name: cell.evaluations[name] for name in names if name in cell.evaluations}
        reasons = {name: each.reason for name, each in evaluations.items() if each.passed is False}
        place = (cell.case_id, cell.prompt, cell.target, cell.repeat)
        return WrongAnswer(*place, fault, detail, places, query_of(case.at_last(), self._query), cell.output or "", reasons)

    def _fault(self, case: Case, cell: CellResult, outputs: CaseOutputs) -> tuple[Fault, str, tuple[str, ...]]:
        output = cell.output or ""
        if case.relevant == () and not refuses(output):
            return "should decline", "`relevant` is empty: nothing in the corpus answers it", ()
        if outputs.hits is None:
            self._gone += 1
            return "unknown", GONE, ()
        messages = outputs.prompts.get(prompt_place(cell))
        if isinstance(messages, str):
            self._unseen[cell.prompt] = messages
            messages = None
        known = [wanted for wanted in _wanted(case, output, self._any_of) if wanted.known]
        if not known:
            return "unknown", "the case has neither `relevant` nor an `expected` text that is long enough to look for", ()
        stands = [(standing(wanted, self._corpus, outputs.hits, messages), wanted) for wanted in known]
        lost = [(found, wanted) for found, wanted in stands if found.stage != "not in corpus" or wanted.missable]
        if not lost:
            return "unknown", "no passage states `expected` word for word, and it may stand there in other words", ()
        # Of several missing facts the one that was lost first would have kept the answer wrong.
        first, wanted = min(lost, key=lambda each: STAGES.index(each[0].stage))
        told = _told(first, wanted, output, len(outputs.hits))
        return "ignored" if first.stage == "seen" else first.stage, told, first.places


def _wanted(case: Case, output: str, any_of: bool) -> Iterator[Wanted]:
    """What would be evidence for each fact that the answer lacks; for all of them when it lacks none."""
    units = tuple(parse_unit(text) for text in case.relevant or ())
    facts = needed_facts(case.expected, any_is_enough=any_of) or [[]]
    missing = [group for group in facts if not any(True for _ in found_in(output, group, whole_words=True))]
    for group in missing or facts:
        yield Wanted(units, tuple(group))


def _told(found: Standing, wanted: Wanted, output: str, hits: int) -> str:
    sought = " or ".join(unit.text for unit in wanted.units) or " or ".join(map(repr, wanted.facts))
    if found.stage == "not in corpus":
        return f"no passage of the index holds {sought}"
    if found.stage == "not retrieved":
        return f"none of {hits} passages holds it"
    if found.stage == "cut":
        return f"passage {found.rank} of {hits} holds it and is not in the prompt"
    does = "declines" if refuses(output) else "states it, too" if wanted.stated(output) else "does not use it"
    return f"passage {found.rank} of {hits} holds it, and the answer {does}"


async def _checked(found: _Found, suite: Suite, parts: Parts) -> WrongAnswer:
    """A fault of the model is a contradiction when a span of the answer speaks against the passages."""
    wrong = found.wrong
    if wrong.fault not in ("ignored", "unknown") or refuses(wrong.output) or not found.hits:
        return wrong
    evaluated = [spec.name for spec in suite.evaluators if spec.kind == "hallucination" and spec.name in found.cell.evaluations]
    stored: list[EvaluatorResult] = [found.cell.evaluations[name] for name in evaluated]
    spans: Sequence[Span] = [span for each in stored for span in each.spans]
    if not any(each.status == "scored" for each in stored):
        contexts, sources = zip(*((hit.text, hit.source) for hit in found.hits), strict=True)
        detector = parts.services.detect("hallucination", "embedded")
        spans = (await detector(DetectionRequest(wrong.output, contexts, sources, wrong.query))).spans
    against = next((span for span in spans if span.kind in AGAINST), None)
    if against is None:
        return wrong
    (found_in,) = masked_parts(wrong.output, (against.start, against.end))
    told = f"{found_in!r} {against.kind}"
    return replace(wrong, fault="contradicted", detail=f"{told}; {against.source} says {against.evidence!r}")


def _shares(judged: Sequence[CellResult], wrong: Sequence[WrongAnswer]) -> Iterator[Share]:
    for prompt, target in dict.fromkeys((cell.prompt, cell.target) for cell in judged):
        answers = sum((cell.prompt, cell.target) == (prompt, target) for cell in judged)
        here = [each for each in wrong if (each.prompt, each.target) == (prompt, target)]
        counts = {fault: sum(each.fault == fault for each in here) for fault in FAULTS}
        known = [each for each in here if each.fault != "unknown"]
        share = proportion_interval([each.fault in BEFORE_THE_MODEL for each in known], [each.case_id for each in known])
        value, interval = (None, None) if share is None else (share.value, share.interval)
        yield Share(prompt, target, answers, len(here), counts, value, interval)


def _index_notes(run: Run, index: LiveIndex) -> Iterator[str]:
    if index.retrieval_identity(index.live.key) != run.snapshot.get("index"):
        yield "The index or its `retrieve` has changed since the run: what is in the corpus is told of it as it stands now."
