import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from calling import FILES, call, project
from jsonschema import Draft202012Validator
from yaml import safe_load

from llmops.evaluation.evaluators.catalogue import kinds


@cache
def schema(name: str) -> Draft202012Validator:
    done = call(Path.cwd(), "schema", name)
    assert done.code == 0
    document = json.loads(done.out)
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


@pytest.mark.parametrize(("name", "file"), [("project", "llmops.yaml"), ("suite", "evals/say.yaml")])
def test_valid_files_fit_and_a_typo_does_not(name: str, file: str) -> None:
    validator = schema(name)
    data = safe_load(FILES[file])
    assert list(validator.iter_errors(data)) == []
    assert list(validator.iter_errors({**data, "modles": {}})) != []


@pytest.mark.parametrize(
    "entry",
    ["latency", {"latency": None}, {"contains": {"any": "expected", "min": 0.5, "name": "facts"}}, {"python": "a.py:f"}],
)
def test_evaluators_fit_as_a_suite_and_a_case_write_them(entry: Any) -> None:  # noqa: ANN401
    suite = {"dataset": "d.jsonl", "evaluators": [entry]}
    assert list(schema("suite").iter_errors(suite)) == []
    assert list(schema("case").iter_errors({"id": "1", "evaluators": [entry]})) == []


@pytest.mark.parametrize("entry", ["latancy", {"contains": {"anny": "expected"}}, {"latency": {}, "cost": {}}, {}])
def test_other_evaluators_do_not_fit(entry: Any) -> None:  # noqa: ANN401
    assert list(schema("suite").iter_errors({"dataset": "d.jsonl", "evaluators": [entry]})) != []


def test_every_kind_of_evaluator_is_described(tmp_path: Path) -> None:
    printed = call(tmp_path, "schema", "suite").out
    assert [kind.name for kind in kinds() if json.dumps(kind.summary) not in printed] == []


def test_an_unknown_schema_names_the_nearest(tmp_path: Path) -> None:
    done = call(project(tmp_path), "schema", "reprot")
    assert done.code == 2
    assert "Did you mean `report`?" in done.error
