"""Rows of JSONL files: what is no JSON is told and never read as something else."""

from pathlib import Path

import pytest

from llmops.domain.errors import Problem
from llmops.settings.lines import Row, csv_rows, json_lines


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"v": NaN}', "holds a value that JSON has not, such as NaN."),
        ('{"v": [1, -Infinity]}', "holds a value that JSON has not, such as NaN."),
        ('{"v": 1e400}', "holds a value that JSON has not, such as NaN."),
        ('{"output": "a", "v": 1, "output": "b"}', "names 'output' twice in one object."),
        ('{"v": [{"deep": {"a": 1, "a": 1}}]}', "names 'a' twice in one object."),
    ],
)
def test_a_value_that_json_has_not_is_told_and_the_next_line_read(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "f.jsonl").write_text(f'{line}\n{{"v": 1.5, "w": {{"v": "NaN"}}}}\n')
    wrong, right = json_lines(tmp_path / "f.jsonl", tmp_path)
    assert wrong == Problem("f.jsonl", told, line=1)
    assert right == Row(2, {"v": 1.5, "w": {"v": "NaN"}})


@pytest.mark.parametrize("text", ['[\n{"v": 1}\n]\n', '{\n"v": 1\n}\n', '{"v": 1} {"v": 2}\n'])
def test_a_line_that_is_no_whole_object_is_told_with_the_next_step(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.jsonl").write_text(text)
    first = next(json_lines(tmp_path / "f.jsonl", tmp_path))
    assert isinstance(first, Problem)
    assert first.hint == "Each line is one whole JSON object; a list of them is a .json file."


def test_a_column_that_is_named_twice_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("id,question,tags,question\n1,a,b,c\n")
    assert list(csv_rows(tmp_path / "f.csv", tmp_path)) == [Problem("f.csv", "names the column 'question' twice.", line=1)]
