import subprocess
import sys
from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.scores import Failure, Score, Unmeasured
from llmops.evaluation.evaluators.catalogue import NAMES, check_evaluators, kind, kinds
from llmops.settings.positions import parse_yaml
from llmops.settings.suite import COMMON_OPTIONS, evaluator_specs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_every_problem_is_told_with_its_line_and_the_nearest_name(bench: Bench) -> None:
    with pytest.raises(InvalidFiles) as caught:
        bench.build_all(
            "- contans: {any: expected}\n- equals: {ignore_cas: true, too: x}\n- regex: {pattern: '('}\n- latency\n"
        )
    told = [(p.line, p.key, p.hint) for p in caught.value.problems]
    assert told == [
        (2, "evaluators[0].contans", "Did you mean `contains`?"),
        (3, "evaluators[1].equals.ignore_cas", "Did you mean `ignore_case`?"),
        (3, "evaluators[1].equals.too", "Did you mean `to`?"),
        (4, "evaluators[2].regex", None),
    ]
    assert "not a valid regular expression" in caught.value.problems[3].message


def test_checking_finds_the_same_without_building() -> None:
    data, positions = parse_yaml("evaluators:\n  - toknes\n  - equals: {to: []}\n", "suite.yaml")
    specs = evaluator_specs(data["evaluators"], positions, ("evaluators",))
    with pytest.raises(InvalidFiles) as caught:
        check_evaluators(specs, positions)
    assert [(p.line, p.key) for p in caught.value.problems] == [(2, "evaluators[0]"), (3, "evaluators[1].equals.to")]


def test_a_misspelt_common_option_is_recognised(bench: Bench) -> None:
    with pytest.raises(InvalidFiles, match="Did you mean `negate`"):
        bench.build("contains: {any: expected, negated: true}")


def test_limits_that_nothing_can_meet_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidFiles, match=r"suite.yaml:2:13: `evaluators\[0\].latency.min`: 2 is above `max`, which is 1"):
        bench.build("latency: {min: 2, max: 1}")


@pytest.mark.parametrize(
    ("options", "value", "passed"),
    [
        ("equals", 1.0, True),
        ("equals", 0.0, False),
        ("equals: {negate: true}", 1.0, False),
        ("equals: {negate: true}", 0.0, True),
        ("equals: {max: 0.5}", 0.0, True),
        ("latency", 1.0, None),
        ("latency: {negate: true}", 1.0, None),
        ("latency: {max: 2}", 2.0, True),
        ("latency: {max: 2}", 2.1, False),
        ("latency: {min: 1, max: 2}", 0.9, False),
    ],
)
def test_a_value_passes_inside_the_limits(bench: Bench, options: str, value: float, passed: bool | None) -> None:
    result = bench.build(options).judge(Score(value, "why", parts={"ttft": 0.5}))
    assert (result.status, result.value, result.passed, result.reason) == ("scored", value, passed, "why")
    assert result.parts == {"ttft": 0.5}


@pytest.mark.parametrize(
    ("options", "value", "reason"),
    [
        ("latency: {max: 0.0005}", 0.0012634, "1.26 ms is above max 500 µs"),
        ("latency: {max: 1}", 1.0001, "1.0001 s is above max 1.0 s"),
        ("latency: {min: 1, max: 2}", 0.5, "500 ms is below min 1 s"),
        ("latency: {min: 1, max: 2}", 1.5, ""),
        ("latency: {max: 2, negate: true}", 1.5, "1.5 s is not above max 2 s"),
        ("latency: {min: 1, max: 2, negate: true}", 1.5, "1.5 s is not below min 1 s or above max 2 s"),
        ("cost: {max: 0.01}", 0.02, "$0.020 is above max $0.010"),
        ("tokens: {max: 100}", 1200, "1,200 tokens is above max 100 tokens"),
        ("similarity: {to: expected, min: 0.5}", 0.25, "0.25 is below min 0.5"),
        ("toxicity", 0.75, "0.75 is above max 0.5"),
    ],
)
def test_a_value_that_misses_its_limit_tells_both(bench: Bench, options: str, value: float, reason: str) -> None:
    assert bench.build(options).judge(Score(value)).reason == reason


@pytest.mark.parametrize("negate", ["true", "false"])
def test_negating_leaves_failed_and_unmeasured_alone(bench: Bench, negate: str) -> None:
    built = bench.build(f"equals: {{negate: {negate}}}")
    failed, unmeasured = built.judge(Failure("broken")), built.judge(Unmeasured("no fact"))
    assert (failed.status, failed.value, failed.passed, failed.reason) == ("failed", None, None, "broken")
    assert (unmeasured.status, unmeasured.value, unmeasured.passed) == ("unmeasured", None, None)


def test_the_identity_depends_on_own_options_and_not_on_thresholds(bench: Bench) -> None:
    plain = bench.build("contains: {any: expected}").evaluator.identity
    assert bench.build("contains: {any: expected, name: x, min: 0, negate: true}").evaluator.identity == plain
    assert bench.build("contains: {any: expected, whole_words: true}").evaluator.identity != plain
    assert bench.build("contains: {all: expected}").evaluator.identity != plain


def test_an_unknown_kind_lists_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean `latency`"):
        kind("latancy")


def test_kinds_are_named_once_and_leave_the_common_options_alone() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for name, each in zip(NAMES, kinds(), strict=True):
        assert each.name == name
        assert each.summary.endswith((".", "?"))
        assert not set(each.options.model_fields) & set(COMMON_OPTIONS)
        assert each.options.model_json_schema()["additionalProperties"] is False


def test_the_catalogue_loads_nothing_slow() -> None:
    heavy = "{'numpy', 'scipy', 'ir_measures', 'pytrec_eval', 'jsonschema', 'regex'}"
    load = "import sys; from llmops.evaluation.evaluators.catalogue import kinds; kinds()"
    code = f"{load}; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("contians: abc", "No evaluator is called 'contians'.\n    Did you mean `contains`?"),
        ("pyton: e.py:f", "No evaluator is called 'pyton'.\n    Did you mean `python`?"),
        (
            "regex: abc",
            "such as `contains: {any: expected}`.\n    Valid: `flags`, `max`, `min`, `name`, `negate`, `of`, `pattern`, "
            "`weight`.",
        ),
        ("contains: 3", "should be a mapping, such as `contains: {any: expected}`."),
    ],
)
def test_a_kind_with_a_text_for_its_options_is_looked_up_first(tmp_path: Path, entry: str, told: str) -> None:
    with pytest.raises(InvalidFiles) as refused:
        Bench(tmp_path).judge(entry, answer("x"))
    assert told in str(refused.value)
