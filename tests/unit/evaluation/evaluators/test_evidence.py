"""The key of an outcome changes with what the evaluator reads, and with nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluator_bench import Bench, ScriptedJudge, answer

from llmops.domain.cases import Case
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Sample
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.evaluators.catalogue import kinds
from llmops.evaluation.evaluators.evidence import evaluate_key

HIT = Hit("Sixty seconds.", "guide.md", heading="Guide > Limits", start=10, end=24)
SAMPLE = answer(
    "After a minute. Then it ends.",
    hits=[HIT],
    vars={"question": "How long?", "tone": 3},
    expected="Sixty seconds.",
    relevant=("guide.md#limits",),
    tags=("limits",),
    metadata={"good": "A minute."},
)
FIELDS: dict[str, Any] = {
    "id": "c2",
    "expected": "Ninety seconds.",
    "relevant": ("guide.md",),
    "tags": ("limits", "slow"),
    "metadata": {"good": "An hour."},
    "evaluators": ("latency",),
    "line": 7,
}
OTHERWISE: dict[str, Sample] = {
    "answer": replace(SAMPLE, completion=replace(SAMPLE.completion, text="After an hour. Then it ends.")),
    "passage": replace(SAMPLE, hits=(replace(HIT, text="Ninety seconds."),)),
    "question": replace(SAMPLE, case=replace(SAMPLE.case, vars={"question": "How far?", "tone": 3})),
    "other variable": replace(SAMPLE, case=replace(SAMPLE.case, vars={"question": "How long?", "tone": 4})),
    **{name: replace(SAMPLE, case=replace(SAMPLE.case, **{name: value})) for name, value in FIELDS.items()},
}
READERS = {
    "toxicity": {"answer", "question"},
    "hallucination": {"answer", "question", "passage"},
    "hallucination: {backend: 'judge:j'}": {"answer", "question", "passage"},
    "similarity": {"answer", "expected"},
    "similarity: {to: good}": {"answer", "metadata"},
    "similarity: {to: [A minute.]}": {"answer"},
    "criteria: {judge: j, items: [is short]}": {"answer", "question", "passage"},
    "rubric: {judge: j, levels: {1: bad, 2: good}}": {"answer", "question", "passage"},
    "rubric: {judge: j, levels: {1: bad, 2: good}, reference: id}": {"answer", "question", "passage", "id"},
    "pairwise: {judge: j}": {"answer", "question", "expected"},
    "pairwise: {judge: j, against: good}": {"answer", "question", "metadata"},
    "completeness: {judge: j}": {"answer", "question", "expected"},
    "correctness: {judge: j}": {"answer", "question", "expected"},
    "answer-relevance: {judge: j}": {"answer", "question"},
    "context-relevance: {judge: j}": {"question", "passage"},
    "context-recall: {judge: j}": {"question", "passage", "expected"},
    "policy: {judge: j, rules: [be kind]}": {"answer", "question"},
    "tone: {judge: j, qualities: [friendly]}": {"answer", "question"},
}


def key(built: BuiltEvaluator, sample: Sample) -> str:
    return evaluate_key(built, sample.case, sample.hits, sample.completion.text)


def read_by(root: Path, entry: str, sample: Sample) -> list[Any]:
    """What an evaluator says of a sample to all that it asks."""
    bench = Bench(root, judges={"j": ScriptedJudge("j", ["no verdict"] * 9)})
    bench.detector.values *= 9
    asyncio.run(bench.build(entry).evaluator.evaluate(sample))
    return [bench.judges["j"].asked, bench.detector.requests, bench.embedder.texts]


@pytest.mark.parametrize(("entry", "reads"), READERS.items(), ids=list(READERS))
def test_what_an_evaluator_asks_about_is_in_its_key_and_nothing_else(tmp_path: Path, entry: str, reads: set[str]) -> None:
    built = Bench(tmp_path, judges={"j": ScriptedJudge("j", [])}).build(entry)
    asked = read_by(tmp_path, entry, SAMPLE)
    assert {what for what, other in OTHERWISE.items() if key(built, other) != key(built, SAMPLE)} == reads
    changing = {what for what, other in OTHERWISE.items() if read_by(tmp_path, entry, other) != asked}
    assert changing <= reads, "an outcome would be reused for a sample that the evaluator sees otherwise"


def test_each_stored_kind_is_held_against_what_it_asks() -> None:
    tested = {entry.partition(":")[0] for entry in READERS} | {"retrieval", "python"}
    assert tested == {kind.name for kind in kinds() if kind.cached}


def test_a_function_sees_the_whole_case_without_its_id(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def short(answer):\n    return True\n")
    built = Bench(tmp_path).build("python: {function: 'own.py:short'}")
    same = {what for what, other in OTHERWISE.items() if key(built, other) == key(built, SAMPLE)}
    assert same == {"id", "line", "evaluators"}


def test_an_evaluation_of_places_depends_on_them_alone(tmp_path: Path) -> None:
    built = Bench(tmp_path).build("retrieval")

    def places(hits: Sequence[Hit], case: Case = SAMPLE.case) -> str:
        return evaluate_key(built, case, hits, "x")

    given = Hit("Said by hand.", "given", given=True)
    assert {what for what, other in OTHERWISE.items() if key(built, other) != key(built, SAMPLE)} == {"relevant"}
    assert places([HIT]) == places([replace(HIT, text="Ninety seconds."), given])
    moved = [
        replace(HIT, heading="Guide > Retries"),
        replace(HIT, also_under=("Guide > Retries",)),
        replace(HIT, start=11),
        replace(HIT, source="other.md"),
    ]
    assert len({places([hit]) for hit in (HIT, *moved)}) == 5


def test_a_field_that_a_case_lacks_is_not_one_that_is_null(tmp_path: Path) -> None:
    built = Bench(tmp_path).build("similarity: {to: good}")
    null, none = (replace(SAMPLE.case, metadata=metadata) for metadata in ({"good": None}, {}))
    assert evaluate_key(built, null, (), "x") != evaluate_key(built, none, (), "x")
