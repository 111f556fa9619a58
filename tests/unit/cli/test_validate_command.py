from pathlib import Path

from calling import FILES, call, project


def test_a_valid_project_ends_in_one_line(tmp_path: Path) -> None:
    done = call(project(tmp_path), "validate")
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert "prompts: 1" in done.out


def test_all_problems_of_all_files_are_told_at_once_sorted_by_place(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "llmops.yaml").write_text(FILES["llmops.yaml"].replace("concurrency", "concurency"))
    (tmp_path / "prompts/say/prompt.j2").write_text("user:\nSay {{ word }.\n")
    suite = FILES["evals/say.yaml"].replace("[say]", "[sya]").replace("contains: {any", "contains: {ani")
    (tmp_path / "evals/say.yaml").write_text(suite)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1"}\n{"id": "1"}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    places = [line.split(": ")[0] for line in done.error.splitlines() if not line.startswith(" ")]
    assert [place.split(":")[0] for place in places] == [
        "datasets/say.jsonl",
        "evals/say.yaml",
        "evals/say.yaml",
        "evals/say.yaml",
        "llmops.yaml",
        "prompts/say/prompt.j2",
    ]
    assert places[0] == "datasets/say.jsonl:2"
    assert places[1].startswith("evals/say.yaml:2:")
    assert "Did you mean `concurrency`?" in done.error


def test_names_of_models_and_indexes_are_looked_up(tmp_path: Path) -> None:
    project(tmp_path)
    suite = FILES["evals/say.yaml"].replace("[small]", "[smal]") + "index: docs\n"
    (tmp_path / "evals/say.yaml").write_text(suite)
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert "no model is called 'smal'" in done.error
    assert "Did you mean `small`?" in done.error
    assert "no index is called 'docs'" in done.error


def test_an_evaluator_of_one_case_is_checked_and_told_with_the_line_of_the_case(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1"}\n{"id": "2", "evaluators": ["contians"]}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith("datasets/say.jsonl:2: `evaluators`:")
    assert "contains" in done.error


def test_a_broken_committed_version_is_told_although_no_suite_names_it(tmp_path: Path) -> None:
    project(tmp_path)
    versions = tmp_path / "prompts/say/versions"
    versions.mkdir()
    (versions / "1.0.0.j2").write_text("user:\n{% if %}\n")
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert "prompts/say/versions/1.0.0.j2:2" in done.error


def test_a_gate_rule_on_an_evaluator_that_does_not_exist_is_told(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "evals/say.yaml").write_text(FILES["evals/say.yaml"] + "gate:\n  - {metric: contians.pass_rate, min: 1}\n")
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith("evals/say.yaml:7:6: `gate[0].metric`: no evaluator is called 'contians'.")
    assert "Did you mean `contains`?" in done.error


def test_a_case_may_not_name_an_evaluator_of_the_suite_again(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1", "evaluators": [{"contains": {"any": ["x"]}}, "latency"]}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith(
        "datasets/say.jsonl:1: `evaluators`: the suite evals/say.yaml has an evaluator 'contains' too."
    )
    assert "latency" not in done.error
