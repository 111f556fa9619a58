"""`equals`, `contains` and `regex`."""

from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.scores import Failure, Score, Unmeasured


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_equals_compares_with_the_case(bench: Bench) -> None:
    assert bench.judge("equals", answer(" Paris\n", expected="Paris")).passed is True
    result = bench.judge("equals", answer("Lyon", expected=["Paris", "paris"]))
    assert (result.value, result.passed, result.reason) == (0.0, False, "is not 'Paris' or 'paris'")


def test_equals_takes_a_field_or_literals(bench: Bench) -> None:
    sample = answer("Blue.", metadata={"colour": "blue"})
    assert bench.judge("equals: {to: colour, ignore_case: true, normalise: true}", sample).passed is True
    assert bench.judge("equals: {to: [red, 'Blue.']}", sample).passed is True
    assert bench.judge("equals: {to: [4]}", answer("4")).passed is True
    assert bench.judge("equals", answer("true", expected=True)).passed is True


def test_equals_without_an_expected_text_is_unmeasured(bench: Bench) -> None:
    assert bench.measure("equals", answer("x")) == Unmeasured("the case's `expected` is empty")
    assert bench.measure("equals: {to: gold}", answer("x")) == Unmeasured("the case has no `gold`")


def test_equals_cannot_compare_with_a_mapping(bench: Bench) -> None:
    assert isinstance(bench.measure("equals", answer("x", expected={"a": 1})), Failure)


@pytest.mark.parametrize(
    ("options", "expected", "value", "reason"),
    [
        ("any: expected", ["Rome", "paris"], 1.0, "found: 'paris'"),
        ("any: expected", ["Rome", ["Oslo", "Lyon"]], 0.0, "missing: 'Rome' or 'Oslo' or 'Lyon'"),
        ("any: expected", "Paris", 1.0, "found: 'Paris'"),
        ("all: expected", ["Paris", "2"], 1.0, "found: 'Paris', '2'"),
        ("all: expected", ["Paris", "Rome", ["three", "3"]], 0.0, "missing: 'Rome'; 'three' or '3'"),
        ("all: expected", ["Paris", ["two", "2 million"]], 1.0, "found: 'Paris', '2 million'"),
        ("all: expected", [2], 1.0, "found: '2'"),
        ("any: expected, whole_words: true", ["mill"], 0.0, "missing: 'mill'"),
        ("any: expected, ignore_case: false", ["paris"], 0.0, "missing: 'paris'"),
        ("all: [Paris, [2, two]]", None, 1.0, "found: 'Paris', '2'"),
        ("any: [Rome]", None, 0.0, "missing: 'Rome'"),
    ],
)
def test_contains(bench: Bench, options: str, expected: object, value: float, reason: str) -> None:
    sample = answer("Paris has 2 million people.", expected=expected)
    assert bench.measure(f"contains: {{{options}}}", sample) == Score(value, reason)
    assert bench.judge(f"contains: {{{options}}}", sample).passed is bool(value)
    assert bench.judge(f"contains: {{{options}, negate: true}}", sample).passed is not bool(value)


def test_contains_reads_a_field_that_only_some_cases_have(bench: Bench) -> None:
    options = "contains: {name: injection, any: attack, negate: true}"
    assert bench.judge(options, answer("PWNED!", metadata={"attack": "PWNED"})).passed is False
    assert bench.judge(options, answer("It is 4.", metadata={"attack": "PWNED"})).passed is True
    unmeasured = bench.judge(options, answer("It is 4."))
    assert (unmeasured.status, unmeasured.passed, unmeasured.reason) == ("unmeasured", None, "the case has no `attack`")
    assert bench.measure("contains: {all: expected}", answer("x", expected=[])) == Unmeasured("the case's `expected` is empty")


@pytest.mark.parametrize("expected", [[""], [" \n"], {"a": 1}, [["a", None]], [[]]])
def test_contains_fails_on_a_case_whose_facts_make_no_sense(bench: Bench, expected: object) -> None:
    assert isinstance(bench.measure("contains: {all: expected}", answer("x", expected=expected)), Failure)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{}", "needs `any` or `all`"),
        ("{any: a, all: b}", "needs `any` or `all`"),
        ("{any: []}", "at least 1 item"),
        ("{any: ['']}", "stands in every answer"),
        ("{all: [[]]}", "at least 1 item"),
        ("{any: [a], whole_words: 1}", "valid boolean"),
    ],
)
def test_contains_refuses_wrong_options(bench: Bench, options: str, message: str) -> None:
    with pytest.raises(InvalidFiles, match=message) as caught:
        bench.build(f"contains: {options}")
    assert {problem.line for problem in caught.value.problems} == {2}


def test_regex(bench: Bench) -> None:
    assert bench.measure(r"regex: {pattern: '\d+ ms'}", answer("took 12 ms")) == Score(1.0, "matches: '12 ms'")
    result = bench.judge(r"regex: {pattern: '^\d+$'}", answer("took 12 ms"))
    assert (result.value, result.passed) == (0.0, False)
    assert bench.judge("regex: {pattern: '^b', flags: [multiline, ignore_case]}", answer("a\nB")).passed is True
    assert bench.judge("regex: {pattern: secret, negate: true}", answer("nothing")).passed is True


def test_a_hostile_answer_cannot_hang_a_pattern(bench: Bench) -> None:
    outcome = bench.measure(r"regex: {pattern: '^(a|aa)+$'}", answer("a" * 60 + "!"))
    assert outcome == Failure("the pattern took longer than 1 s on this answer")


def test_regex_refuses_an_unknown_flag_with_its_place(bench: Bench) -> None:
    with pytest.raises(
        InvalidFiles, match=r"suite.yaml:2:\d+: `evaluators\[0\].regex.flags\[0\]`: .*\n.*Did you mean `multiline`"
    ):
        bench.build("regex: {pattern: a, flags: [multilin]}")


CALLS = '{"tool_calls": [{"name": "search", "arguments": {"q": "tide"}}, {"name": "weather", "arguments": {"city": "Oslo"}}]}'


@pytest.mark.parametrize(
    ("options", "expected", "value", "told"),
    [
        (
            "",
            ["weather", {"name": "search", "arguments": {"q": "tide"}}],
            1.0,
            'called: search({"q":"tide"}), weather({"city":"Oslo"})',
        ),
        (": {ordered: true}", ["weather", "search"], 0.5, "in another order"),
        ("", ["weather"], 2 / 3, 'not expected: search({"q":"tide"})'),
        (": {others: true}", ["weather"], 1.0, "called: search"),
        ("", [{"name": "weather", "arguments": {"city": "Rome"}}, "search"], 0.5, 'not called: weather({"city":"Rome"})'),
        (": {arguments: ignore}", [{"name": "weather", "arguments": {"city": "Rome"}}, "search"], 1.0, "called: "),
        ("", [], 0.0, "not expected: search"),
        (": {to: [search, weather]}", None, 1.0, "called: "),
    ],
)
def test_tool_calls(bench: Bench, options: str, expected: object, value: float, told: str) -> None:
    outcome = bench.measure(f"tool-calls{options}", answer(CALLS, expected=expected))
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(value)
    assert told in outcome.reason


def test_tool_calls_where_none_are_made_or_known(bench: Bench) -> None:
    assert bench.judge("tool-calls", answer("It rains.", expected=[])).passed is True
    silent = bench.measure("tool-calls", answer("It rains.", expected=["weather"]))
    assert silent == Score(0.0, "not called: weather", parts={"precision": 0.0, "recall": 0.0})
    assert bench.measure("tool-calls", answer(CALLS)) == Unmeasured("the case's `expected` is empty")
    assert isinstance(bench.measure("tool-calls", answer(CALLS, expected=[{"tool": "x"}])), Failure)
    with pytest.raises(InvalidFiles, match=r"tool-calls.to"):
        bench.build("tool-calls: {to: [{tool: x}]}")
