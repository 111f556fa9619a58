"""`llmops rag status`, `show` and `drop` on a small index."""

import json
from pathlib import Path

import pytest
from command_line import llmops, write

SETTINGS = """\
models:
  small: {id: embedded/reader-small}
indexes:
  notes: {corpus: {paths: ["notes/*.md"]}, embedder: {kind: static}}
  other: {corpus: {paths: ["notes/*.md"]}, embedder: {kind: static}}
"""
NOTES = {
    "notes/tides.md": "# Tides\n\n## Cause\n\nThe moon lifts the sea twice a day.\n\n## Height\n\nAbout two \x1b[31mmetres.\n",
    "notes/bees.md": "# Bees\n\nBees dance to tell where flowers are.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, {"llmops.yaml": SETTINGS, **NOTES})
    done = llmops(tmp_path, "rag", "index")
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_status_tells_what_a_build_would_do_and_builds_nothing(folder: Path) -> None:
    assert llmops(folder, "rag", "status").stdout.count("up to date") == 2
    write(folder, {"notes/ants.md": "# Ants\n\nAnts follow scent.\n", "notes/bees.md": "# Bees\n\nBees sleep.\n"})
    (folder / "notes/tides.md").unlink()
    for _ in range(2):
        (found,) = json.loads(llmops(folder, "rag", "status", "notes", "--json").stdout)["indexes"]
        assert found["state"] == "out of date"
        assert found["changes"] == {
            "added": ["notes/ants.md"],
            "changed": ["notes/bees.md"],
            "removed": ["notes/tides.md"],
            "everything": "",
        }
        assert (found["facts"]["documents"], found["facts"]["chunks"]) == (2, 3)


def test_a_vector_store_that_is_gone_is_told_with_the_way_back(folder: Path) -> None:
    (folder / ".llmops/chroma").rename(folder / "aside")
    told = llmops(folder, "rag", "status", "notes").stdout
    assert "notes: vectors lost\n" in told
    assert "bring it up to date: llmops rag index notes --repair" in told
    assert not (folder / ".llmops/chroma").exists()
    assert llmops(folder, "rag", "index", "notes", "--repair").returncode == 0
    assert "notes: up to date" in llmops(folder, "rag", "status", "notes").stdout
    assert "1. notes/tides.md" in llmops(folder, "rag", "query", "moon", "-i", "notes").stdout


def test_show_lists_the_chunks_of_a_document_and_one_in_full(folder: Path) -> None:
    (cause, height) = json.loads(llmops(folder, "rag", "show", "notes/tides.md", "-i", "notes", "--json").stdout)["chunks"]
    assert cause["headings"] == ["Tides", "Cause"]
    listed = llmops(folder, "rag", "show", "notes/tides.md", "-i", "notes").stdout
    assert f"{cause['start']}-{cause['end']}" in listed
    assert "Tides > Height" in listed
    full = llmops(folder, "rag", "show", height["id"][:12], "-i", "notes").stdout
    assert f"before it {cause['id'][:12]}, after it none" in full
    assert "About two metres." in full
    typo = llmops(folder, "rag", "show", "notes/tide.md", "-i", "notes")
    assert typo.returncode == 2
    assert "Did you mean `notes/tides.md`?" in typo.stderr


def test_drop_asks_removes_one_index_and_leaves_the_other(folder: Path) -> None:
    unasked = llmops(folder, "rag", "drop", "notes")
    assert unasked.returncode == 2
    assert "llmops rag drop notes --yes" in unasked.stderr
    assert llmops(folder, "rag", "drop", "notes", "--yes").returncode == 0
    states = {each["name"]: each["state"] for each in json.loads(llmops(folder, "rag", "status", "--json").stdout)["indexes"]}
    assert states == {"notes": "never built", "other": "up to date"}
    never = llmops(folder, "rag", "show", "notes/bees.md", "-i", "notes")
    assert (never.returncode, "llmops rag index notes" in never.stderr) == (2, True)
    assert "notes/bees.md" in llmops(folder, "rag", "query", "dance", "-i", "other").stdout
    again = llmops(folder, "rag", "index", "notes")
    assert "3 chunks embedded" in again.stdout
