import json
from pathlib import Path

from calling import call


def test_the_new_project_is_valid_and_names_the_next_step(tmp_path: Path) -> None:
    done = call(tmp_path, "init", "shop")
    assert done.code == 0
    assert "Next: cd shop && llmops eval" in done.out
    assert call(tmp_path / "shop", "validate").code == 0
    assert {".llmops/", ".env"} <= set((tmp_path / "shop/.gitignore").read_text().split())


def test_every_expected_fact_stands_in_the_documents(tmp_path: Path) -> None:
    call(tmp_path, "init")
    documents = " ".join(path.read_text() for path in (tmp_path / "docs").glob("*.md"))
    cases = [json.loads(line) for line in (tmp_path / "datasets/questions.jsonl").read_text().splitlines()]
    assert len(cases) >= 8
    assert [fact for case in cases for fact in case.get("expected", []) if fact not in documents] == []


def test_no_file_is_overwritten_and_nothing_is_written_beside_one(tmp_path: Path) -> None:
    (tmp_path / "llmops.yaml").write_text("mine")
    done = call(tmp_path, "init")
    assert done.code == 2
    assert "llmops.yaml" in done.error
    assert "llmops init NEW_FOLDER" in done.error
    assert [path.name for path in tmp_path.iterdir()] == ["llmops.yaml"]
    assert (tmp_path / "llmops.yaml").read_text() == "mine"


def test_an_own_gitignore_is_kept_and_what_it_needs_is_told(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    done = call(tmp_path, "init")
    assert done.code == 0
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"
    assert "Add to it: .llmops/ and .env" in done.out


def test_a_file_where_the_folder_should_be_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file")
    done = call(tmp_path, "init", "shop")
    assert done.code == 2
    assert "cannot be written" in done.error
