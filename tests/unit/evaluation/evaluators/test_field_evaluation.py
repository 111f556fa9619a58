from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.scores import Failure, Score

ANSWER = '{"answer": "The fare is 5 euros.", "sources": ["a.md", "b.md"], "note": "She said \\"no\\"."}'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_field_is_evaluated_in_place_of_the_answer(bench: Bench) -> None:
    entry = "equals: {to: expected, of: /answer}"
    assert bench.judge(entry, answer(ANSWER, expected="The fare is 5 euros.")).passed is True
    assert bench.judge(entry, answer(ANSWER, expected=ANSWER)).passed is False
    assert bench.judge("contains: {any: [b.md], of: /sources}", answer(ANSWER)).passed is True
    assert bench.judge("contains: {any: [b.md], of: /answer}", answer(ANSWER)).passed is False


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The fare is 5 euros.", "the answer has no `/answer`, because it is not JSON: Expecting value (line 1, column 1)"),
        ('{"reply": "5 euros"}', "the answer has no `/answer`"),
        ('{"answer": null}', "the answer has no `/answer`"),
    ],
)
def test_an_answer_without_the_field_is_a_failure(bench: Bench, text: str, told: str) -> None:
    assert bench.measure("contains: {any: [x], of: /answer}", answer(text)) == Failure(told)


def test_spans_are_those_of_the_whole_answer(bench: Bench) -> None:
    (span,) = found(bench, "/answer", '{"answer": "Mail a.b@example.org now.", "n": 1}')
    assert span == "a.b@example.org"
    assert found(bench, "/answer", '{"answer": "\\u0041 \\"mail\\": a.b@example.org", "n": 1}') == ["a.b@example.org"]


def test_spans_are_in_the_field_also_where_another_one_says_the_same(bench: Bench) -> None:
    text = '{"to": "Mail a.b@example.org", "answer": "Mail a.b@example.org"}'
    outcome = bench.measure("pii: {of: /answer}", answer(text))
    assert isinstance(outcome, Score)
    assert [span.start for span in outcome.spans] == [text.rindex("a.b@")]


def found(bench: Bench, pointer: str, text: str) -> list[str]:
    outcome = bench.measure(f"pii: {{of: {pointer}}}", answer(text))
    assert isinstance(outcome, Score)
    assert outcome.value > 0
    return [text[span.start : span.end] for span in outcome.spans]


def test_another_field_is_another_evaluation_and_the_whole_answer_a_third(bench: Bench) -> None:
    options = ("", "of: /answer", "of: /note")
    assert len({bench.build(f"contains: {{any: [x], {each}}}").identity for each in options}) == 3


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("contains: {any: [x], of: answer}", "should be a JSON Pointer, such as `/answer`"),
        ("contains: {any: [x], of: ''}", "should be a JSON Pointer, such as `/answer`"),
        ("latency: {of: /answer}", "`latency` does not read the answer, so it takes no field of it."),
        ("retrieval: {of: /answer}", "`retrieval` does not read the answer"),
    ],
)
def test_a_field_that_cannot_be_meant_is_refused(bench: Bench, entry: str, told: str) -> None:
    with pytest.raises(InvalidFiles) as raised:
        bench.build(entry)
    assert told in str(raised.value)
