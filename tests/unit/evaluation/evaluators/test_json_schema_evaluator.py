from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.scores import Failure, Score

NUMBER = "json-schema: {schema: {type: object, properties: {n: {type: integer}}, required: [n]}}"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_json_that_fits(bench: Bench) -> None:
    assert bench.measure(NUMBER, answer('```json\n{"n": 4}\n```')) == Score(1.0, "fits the schema")
    assert bench.judge(NUMBER, answer('{"n": 4}')).passed is True


def test_json_that_does_not_fit(bench: Bench) -> None:
    assert bench.measure(NUMBER, answer('{"n": "4"}')) == Score(0.0, "/n: '4' is not of type 'integer'")
    assert bench.judge(NUMBER, answer("{}")).passed is False
    outcome = bench.measure(NUMBER, answer("n is 4"))
    assert isinstance(outcome, Score)
    assert outcome.reason.startswith("is not JSON: ")
    assert bench.judge("json-schema: {schema: {type: array}, negate: true}", answer("{}")).passed is True


def test_a_schema_from_a_file(bench: Bench) -> None:
    (bench.root / "schemas").mkdir()
    (bench.root / "schemas" / "list.json").write_text('{"type": "array"}')
    (bench.root / "list.yaml").write_text("type: array\n")
    for path in ("schemas/list.json", "list.yaml"):
        assert bench.judge(f"json-schema: {{schema: {path}}}", answer("[]")).passed is True
        assert bench.judge(f"json-schema: {{schema: {path}}}", answer("{}")).passed is False
    before = bench.build("json-schema: {schema: list.yaml}").evaluator.identity
    (bench.root / "list.yaml").write_text("type: object\n")
    assert bench.build("json-schema: {schema: list.yaml}").evaluator.identity != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{schema: gone.json}", "no such file"),
        ("{schema: ../x.json}", "inside the project"),
        ("{schema: broken.json}", "not valid JSON"),
        ("{schema: text.json}", "a mapping was expected"),
        ("{schema: {type: objct}}", "is not a JSON Schema"),
        ("{schema: {$ref: 'https://example.test/x'}}", "only references inside the schema"),
        ("{schema: 3}", "found 3"),
        ("{}", "is missing"),
        ("{shema: {}}", "Did you mean `schema`"),
    ],
)
def test_wrong_options(bench: Bench, options: str, message: str) -> None:
    (bench.root / "broken.json").write_text("{")
    (bench.root / "text.json").write_text('"text"')
    with pytest.raises(InvalidFiles, match=message) as caught:
        bench.build(f"json-schema: {options}")
    assert {problem.line for problem in caught.value.problems} == {2}


def test_a_link_out_of_the_project_is_not_followed(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "schema.json"
    outside.write_text("{}")
    (bench.root / "link.json").symlink_to(outside)
    with pytest.raises(InvalidFiles, match="leads out of the project"):
        bench.build("json-schema: {schema: link.json}")


def test_a_schema_that_cannot_judge_is_a_failure(bench: Bench) -> None:
    hanging = bench.measure("json-schema: {schema: {pattern: '^(a|aa)+$'}}", answer('"' + "a" * 80 + '!"'))
    assert hanging == Failure("the validation took longer than 2 s")
    assert bench.measure("json-schema: {schema: {$ref: '#/x'}}", answer("1")) == Failure("the schema has no '#/x'")
