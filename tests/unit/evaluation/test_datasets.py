"""Dataset files: what is read, how often, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.evaluation import datasets
from llmops.evaluation.datasets import load_dataset


def written(folder: Path, rows: list[object]) -> Path:
    file = folder / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def test_a_small_dataset_is_kept_once_it_is_checked(tmp_path: Path) -> None:
    file = written(tmp_path, [{"id": "a", "vars": {"q": 1}}, {"id": "b", "vars": {"q": 2}}])
    dataset = load_dataset(file, tmp_path)
    file.unlink()
    assert [case.id for case in dataset.cases()] == [case.id for case in dataset.cases()] == ["a", "b"]


def test_a_large_dataset_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "KEPT_BYTES", 2 * datasets.CASE_BYTES)
    file = written(tmp_path, [{"id": str(n), "vars": {"q": "?"}} for n in range(4)])
    dataset = load_dataset(file, tmp_path)
    assert dataset.size == 4
    assert [case.id for case in dataset.cases()] == [case.id for case in dataset.cases()] == ["0", "1", "2", "3"]


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of 600 cases that is read again each time."""
    monkeypatch.setattr(datasets, "KEPT_BYTES", 0)
    return written(tmp_path, [{"id": str(n), "vars": {"q": "?" * 500}} for n in range(600)])


@pytest.mark.parametrize("text", ["", '{"id": "other"}\n', "no case\n" * 700])
@pytest.mark.parametrize("after", [0, 300])
def test_a_large_dataset_that_is_rewritten_meanwhile_is_told(large: Path, text: str, after: int) -> None:
    cases = load_dataset(large, large.parent).cases()
    assert [next(cases).id for _ in range(after)] == [str(n) for n in range(after)]
    large.write_text(text)
    with pytest.raises(InvalidFiles) as told:
        list(cases)
    assert str(told.value) == "cases.jsonl: has changed while it was read.\n    Run the same command again."


def test_a_large_dataset_that_another_file_replaces_is_read_to_its_end(large: Path) -> None:
    dataset = load_dataset(large, large.parent)
    cases = dataset.cases()
    assert next(cases).id == "0"
    large.with_suffix(".new").write_text('{"id": "other"}\n')
    large.with_suffix(".new").rename(large)
    assert len(list(cases)) == 599
    with pytest.raises(InvalidFiles, match="has changed"):
        next(dataset.cases())
    large.unlink()
    with pytest.raises(InvalidFiles, match="has changed"):
        next(dataset.cases())


def test_both_ways_give_the_same_cases_and_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, [{"id": str(n), "vars": {"q": n}, "tags": ["t"]} for n in range(4)])
    kept = load_dataset(file, tmp_path)
    monkeypatch.setattr(datasets, "KEPT_BYTES", 0)
    again = load_dataset(file, tmp_path)
    assert list(kept.cases()) == list(again.cases())
    assert kept.content_hash == again.content_hash


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("cases.jsonl", '{"id": "a"}\n{"id": "b", "vars": {"x": NaN}}\n', 2),
        ("cases.yaml", "- id: a\n- id: b\n  expected: .inf\n", 2),
    ],
)
def test_a_value_that_json_has_not_is_told_with_its_line(tmp_path: Path, name: str, text: str, line: int) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InvalidFiles) as found:
        load_dataset(file, tmp_path)
    assert [(problem.line, problem.message) for problem in found.value.problems] == [
        (line, "holds a value that JSON has not, such as NaN.")
    ]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("cases.jsonl", '{"id": "a"}\n{"id": "b", "relevant": ["d.md", "d.md:50-40"]}\n', 2),
        ("cases.yaml", "- id: a\n- id: b\n  relevant: [d.md:5-5]\n", 3),
        ("cases.csv", "id,question,relevant\na,Why?,d.md:1-9\nb,Why?,d.md:1-9|d.md:9-1\n", 3),
    ],
)
def test_an_empty_span_is_told_with_its_line(tmp_path: Path, name: str, text: str, line: int) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InvalidFiles) as found:
        load_dataset(file, tmp_path)
    [problem] = found.value.problems
    assert (problem.line, problem.key and problem.key.rpartition(".")[2]) == (line, "relevant")
    assert "is an empty span" in problem.message


@pytest.mark.parametrize(("mark", "told"), [(";", "a semicolon"), ("\t", "a tab")])
def test_columns_that_another_mark_separates_are_told(tmp_path: Path, mark: str, told: str) -> None:
    (tmp_path / "cases.csv").write_text(f"id{mark}question\n1{mark}Why?\n")
    with pytest.raises(InvalidFiles) as caught:
        load_dataset(tmp_path / "cases.csv", tmp_path)
    assert str(caught.value) == f"cases.csv:1: has one column, and {told} in its name.\n    Separate the columns by commas."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"id": "a"},\n {"id": "b", "expected": "1", "expected": "2"}]', "cases.json: names 'expected' twice"),
        ('[{"id": "a"},\n {"id": }]', "cases.json:2:9: is not valid JSON"),
        ('{"id": "a"}\n{"id": "b"}\n', "one JSON object per line is a .jsonl file"),
        ('[{"id": "a", "vars": {"q": NaN}}]', "a value that JSON has not"),
        (f"{'[' * 100_000}{']' * 100_000}", "nested too deeply"),
    ],
)
def test_a_json_file_is_read_as_strictly_as_lines_are(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text)
    with pytest.raises(InvalidFiles) as refused:
        load_dataset(file, tmp_path)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.json"])
def test_all_that_is_wrong_in_a_row_is_told_at_once(tmp_path: Path, name: str) -> None:
    row = json.dumps({"input": "hi", "var": {}, "tags": "x"})
    (tmp_path / name).write_text(row if name.endswith("l") else f"[{row}]")
    with pytest.raises(InvalidFiles) as told:
        load_dataset(tmp_path / name, tmp_path)
    lines = str(told.value).split("\n")
    place = f"{name}:1: `" if name.endswith("l") else f"{name}:1:1: `[0]."
    assert [line for line in lines if line.startswith(name)] == [
        f"{place}id`: is missing.",
        f"{place}tags`: should be a list; found 'x'.",
        f"{place}input`: unknown key.",
        f"{place}var`: unknown key.",
    ]
    hints = {
        line.split("`")[1].rpartition(".")[2]: hint.strip()
        for line, hint in zip(lines, lines[1:], strict=False)
        if "`:" in line
    }
    assert hints["id"].startswith('Each case has one of its own, such as {"id": "1"}')
    assert hints["tags"] == 'Did you mean `["x"]`?'
    assert hints["input"].startswith('What the prompt reads stands in `vars`, such as {"vars": {')
    assert hints["var"] == "Did you mean `vars`?"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "1", "target": "x"}, "Did you mean `expected`?"),
        ({"id": "1", "ground_truth": "x"}, "Did you mean `expected`?"),
        ({"id": "1", "expected_output": "x"}, "Did you mean `expected`?"),
        ({"id": "1", "retrieved_contexts": ["x"]}, "Did you mean `contexts`?"),
        ({"id": "1", "retrieval_context": ["x"]}, "Did you mean `contexts`?"),
        ({"id": "1", "assert": []}, "Did you mean `evaluators`?"),
        ({"id": 1}, 'Did you mean `"1"`?'),
    ],
)
def test_what_another_tool_calls_a_field_is_told_by_our_name(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    (tmp_path / "cases.jsonl").write_text(json.dumps(row))
    with pytest.raises(InvalidFiles) as refused:
        load_dataset(tmp_path / "cases.jsonl", tmp_path)
    assert str(refused.value).endswith(told)
