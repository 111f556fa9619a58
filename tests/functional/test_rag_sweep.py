"""A sweep finds the better configuration, goes on where it was stopped, and writes the winner; the guide's commands work."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, edit, environment, llmops, write
from guides import blocks, typed
from postgres_server import PostgresServer
from typer.testing import CliRunner

from llmops.adapters.documents.reader import FileReader
from llmops.cli.main import app

NAMES = [first + last for first in ("Ald", "Brack", "Cor", "Dun", "Els", "Farr") for last in ("moor", "well", "vane", "gate")]
FILLER = "Grass grows around it and sheep walk past on most days of the year. "
LLMOPS = """# About masts.
models:
  m: {id: embedded/reader-small}
indexes:
  notes:
    corpus: {paths: ['notes/*.txt']}
    chunker: {kind: tokens, max_tokens: 60, overlap: 0}   # whole notes
    embedder: {kind: static}
    retrieve:
      dense: 0
      bm25: 10
      # One note is enough?
      k: 1
"""


def sweep_project(folder: Path) -> Path:
    """Each query needs two places; a chunk is a whole note, and the budget has room for one note or for both places."""
    files = {"llmops.yaml": LLMOPS, "sweep.yaml": next(body for kind, body in blocks("choose-a-chunker.md") if kind == "yaml")}
    cases = []
    for name in NAMES:
        places = []
        for number, said in enumerate((f"The {name} mast is old. ", f"Snow fell on the {name} mast. ")):
            files[f"notes/{name}-{number}.txt"] = FILLER + said + FILLER
            places.append(f"notes/{name}-{number}.txt:{len(FILLER)}-{len(FILLER) + len(said)}")
        cases.append({"id": name, "vars": {"question": f"How high is the {name} mast?"}, "relevant": places})
    files["datasets/d.jsonl"] = "".join(f"{json.dumps(case)}\n" for case in cases)
    files["evals/e.yaml"] = "dataset: datasets/d.jsonl\nindex: notes\nprompts: [p]\ntargets: [m]\nevaluators: [retrieval]\n"
    return write(folder, files)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep_project(tmp_path_factory.mktemp("sweep"))


def swept(folder: Path, *arguments: str) -> dict[str, Any]:
    done = llmops(folder, "rag", "sweep", "--space", "sweep.yaml", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_better_configuration_wins_at_an_equal_budget(folder: Path) -> None:
    found = swept(folder)
    assert (found["choosing"], found["reporting"], found["verdict"]) == (12, 12, "better")
    by_name = {each["name"]: each for each in found["tried"]}
    winner = by_name[found["winner"]]
    assert (winner["changes"]["chunker.max_tokens"], winner["score"], winner["difference"]) == (20, 1.0, 0.5)
    assert winner["difference_interval"][0] > 0
    assert winner["on_frontier"]
    assert (found["today"]["score"], by_name["current"]["score"]) == (0.5, 0.5)
    assert len(by_name) == len(found["tried"]) == 8
    assert {name.split()[0] for name in by_name} == {"current", "chunker=sentences", "max_tokens=20", "bm25=20"}
    assert all(each["tokens"] <= found["budget"] for each in found["tried"])
    assert (found["budget"], found["budget_from"]) == (60, "largest chunk")
    assert swept(folder, "--budget", "70")["budget_from"] == "given"
    assert by_name["bm25=20"]["build_s"] is None
    assert not (folder / ".llmops/indexes/notes.sweep" / "writing.lock").read_bytes()
    assert [path.name for path in (folder / ".llmops/indexes/notes.sweep").iterdir()] == ["writing.lock"]


def test_a_sweep_reads_the_corpus_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    made = FileReader.__init__

    def counted(self: FileReader, path: Path) -> None:
        read.append(path)
        made(self, path)

    monkeypatch.setattr(FileReader, "__init__", counted)
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["rag", "sweep", "--space", "sweep.yaml", "--json"])
    assert (done.exit_code, len(json.loads(done.stdout)["tried"])) == (0, 8)
    assert len(read) == 1


def test_what_was_measured_is_read_from_the_store(folder: Path) -> None:
    again = swept(folder)
    done = llmops(folder, "rag", "sweep", "--space", "sweep.yaml", "--json")
    assert json.loads(done.stdout) == again
    assert "embedding" not in done.stderr
    assert [each["name"] for each in swept(folder, "--trials", "2")["tried"]] == [
        each["name"] for each in swept(folder, "--trials", "2", "--seed", "0")["tried"]
    ]


def test_a_sweep_that_was_killed_goes_on(tmp_path: Path) -> None:
    sweep_project(tmp_path)
    store = tmp_path / ".llmops/llmops.db"
    command = [*COMMAND, "rag", "sweep", "--space", "sweep.yaml"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        while _measured(store) < 3 and running.poll() is None:
            time.sleep(0.02)
        os.kill(running.pid, signal.SIGKILL)
    kept = _measured(store)
    assert kept >= 3
    assert swept(tmp_path)["verdict"] == "better"
    assert _measured(store) > kept


def test_an_index_with_a_long_name_is_swept_into_a_shared_store(tmp_path: Path, postgres: PostgresServer) -> None:
    sweep_project(tmp_path)
    name = "notes-of-every-mast-in-the-county-and-beyond"
    edit(tmp_path / "llmops.yaml", "  notes:", f"  {name}:")
    edit(tmp_path / "evals/e.yaml", "index: notes", f"index: {name}")
    with (tmp_path / "llmops.yaml").open("a") as settings:
        settings.write(f"store: {postgres.database()}\n")
    assert swept(tmp_path, "--trials", "2")["index"] == name


def _measured(store: Path) -> int:
    import sqlite3

    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            return int(connection.execute("select count(*) from nodes where kind = 'sweep'").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_the_commands_of_the_guide_work_and_the_winner_is_written(folder: Path) -> None:
    lines = [line for kind, body in blocks("choose-a-chunker.md") if kind == "bash" for line in body.splitlines()]
    printed = {line: typed(folder, line) for line in lines}
    assert len(printed) >= 6
    assert "It is better on the reporting fold, too." in printed[lines[0]]
    told = " ".join(printed[lines[0]].split())
    assert "recall within 60 tokens of context, the largest chunk that is tried: the current configuration gives less" in told
    text = (folder / "llmops.yaml").read_text()
    assert "chunker: {kind: sentences, max_tokens: 20, overlap: 0}   # whole notes" in text
    assert "      # One note is enough?\n      k: 20\n" in text or "      # One note is enough?\n      k: 10\n" in text
    assert text.startswith("# About masts.")
    assert "1. notes/Aldmoor-" in printed[lines[-1]]
    again = swept(folder)
    assert (again["today"]["score"], again["budget"], again["budget_from"]) == (1.0, 60, "current")
    done = llmops(folder, "rag", "sweep", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["budget"], json.loads(done.stdout)["left_out"]) == (240, [])


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ("chunker: {size: [10]}\n", "sweep.yaml:1:11: `chunker.size`: unknown key"),
        ("chunker: {max_tokens: [none]}\n", "holds no valid combination: chunker.max_tokens"),
        ("chunker: {max_tokens: [-1]}\n", "chunker.max_tokens: should be greater than 0; found -1."),
        ("chunks: {}\n", "Did you mean `chunker`?"),
        ("retrieve: {dense: [" + ", ".join(map(str, range(2001))) + "]}\n", "2001 combinations; at most 2000"),
    ],
)
def test_a_bad_space_is_told_with_its_place(tmp_path: Path, space: str, told: str) -> None:
    sweep_project(tmp_path)
    write(tmp_path, {"sweep.yaml": space})
    done = llmops(tmp_path, "rag", "sweep", "--space", "sweep.yaml", COLUMNS="200")
    assert done.returncode == 2
    assert told in done.stderr


def test_combinations_that_do_not_fit_are_left_out_and_told(tmp_path: Path) -> None:
    sweep_project(tmp_path)
    write(tmp_path, {"sweep.yaml": "chunker: {max_tokens: [60, 9000], overlap: [0, 60]}\n"})
    found = swept(tmp_path)
    assert [each["name"] for each in found["tried"]] == ["current"]
    assert any("overlap" in line for line in found["left_out"])
    few = llmops(tmp_path, "rag", "sweep", "--budget", "30", COLUMNS="200")
    assert (few.returncode, "has no room for a chunk of 240" in few.stderr) == (2, True)
    write(tmp_path, {"datasets/d.jsonl": (tmp_path / "datasets/d.jsonl").read_text().splitlines()[0] + "\n"})
    done = llmops(tmp_path, "rag", "sweep", COLUMNS="200")
    assert (done.returncode, "1 labelled queries are too few" in done.stderr) == (2, True)
