"""What goes wrong while an index is built: nothing is lost, readers keep the last complete index, the message helps."""

import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from command_line import COMMAND, environment, files_up_to, llmops, llmops_after, write

LLMOPS = """models:
  m: {id: embedded/reader-small}
indexes:
  notes:
    corpus: {paths: ['notes/*.md']}
    chunker: {kind: sentences, max_tokens: 24, overlap: 0}
    embedder: {kind: EMBEDDER}
"""
FIRST = {"notes/moon.md": "The moon lifts the sea.", "notes/bread.md": "Yeast lifts the dough."}


def project(folder: Path, embedder: str = "static") -> Path:
    return write(folder, {"llmops.yaml": LLMOPS.replace("EMBEDDER", embedder), **FIRST})


def grown(folder: Path, documents: int) -> None:
    """More documents, ten chunks each."""
    many = {
        f"notes/{n:04d}.md": " ".join(f"Page {n} says in its line {line} that the number is {n * line}." for line in range(10))
        for n in range(documents)
    }
    write(folder, many)


def embedded(folder: Path) -> int:
    """Vectors that Chroma has taken so far."""
    try:
        with sqlite3.connect(f"file:{folder}/.llmops/chroma/chroma.sqlite3?mode=ro", uri=True) as connection:
            return int(connection.execute("select count(*) from embeddings").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def built(folder: Path) -> str:
    done = llmops(folder, "rag", "index")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_build_that_is_killed_leaves_the_old_index_and_goes_on(tmp_path: Path) -> None:
    project(tmp_path, "minilm")
    built(tmp_path)
    grown(tmp_path, 60)
    with subprocess.Popen(
        [*COMMAND, "rag", "index"], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        while embedded(tmp_path) < 200 and running.poll() is None:
            time.sleep(0.01)
        os.kill(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert "The moon lifts the sea." in llmops(tmp_path, "rag", "show", "notes/moon.md").stdout
    status = llmops(tmp_path, "rag", "status").stdout
    assert "out of date" in status
    told = built(tmp_path)
    again = int(told.split(" changed, ")[1].split()[0])
    assert "62 documents, 602 chunks" in told
    assert 0 < again <= 602 - 2 - 200
    assert "notes/0059.md" in llmops(tmp_path, "rag", "query", "Page 59 line 9").stdout


def test_two_processes_that_build_at_once_end_in_one_whole_index(tmp_path: Path) -> None:
    project(tmp_path)
    grown(tmp_path, 40)
    both = [
        subprocess.Popen(
            [*COMMAND, "rag", "index"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [each.communicate() for each in both]
    codes = [each.returncode for each in both]
    assert 0 in codes
    for code, (_, err) in zip(codes, told, strict=True):
        assert code == 0 or (code == 2 and "Another process is building the index 'notes'" in err), err
    assert "402 chunks (0 changed, 0 chunks embedded, 0 removed)" in built(tmp_path)
    assert embedded(tmp_path) == 402


def test_a_disk_that_is_full_keeps_the_old_index_and_says_so(tmp_path: Path) -> None:
    project(tmp_path)
    built(tmp_path)
    grown(tmp_path, 200)
    room = max(path.stat().st_size for path in (tmp_path / ".llmops/chroma").rglob("*") if path.is_file()) + 100_000
    done = llmops_after(files_up_to(room), tmp_path, "rag", "index")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be" in done.stderr
    assert "Yeast lifts the dough." in llmops(tmp_path, "rag", "show", "notes/bread.md").stdout
    assert "202 documents" in built(tmp_path)
    assert "notes/0199.md" in llmops(tmp_path, "rag", "query", "Page 199 line 9").stdout


def test_a_broken_chroma_folder_is_named_and_the_way_out_works(tmp_path: Path) -> None:
    project(tmp_path)
    built(tmp_path)
    chroma = tmp_path / ".llmops/chroma"
    (chroma / "chroma.sqlite3").write_bytes(b"this is no database" * 1000)
    asked = llmops(tmp_path, "rag", "query", "moon", COLUMNS="300")
    assert (asked.returncode, "Traceback" in asked.stderr) == (2, False)
    assert f"The Chroma folder '{chroma}' cannot be used" in asked.stderr
    assert "llmops rag index" in asked.stderr
    chroma.rename(tmp_path / "aside")
    (tmp_path / ".llmops/indexes").rename(tmp_path / "aside-too")
    built(tmp_path)
    assert "1. notes/moon.md" in llmops(tmp_path, "rag", "query", "moon").stdout


def test_a_damaged_file_of_chunks_counts_as_lost_and_is_written_anew(tmp_path: Path) -> None:
    project(tmp_path)
    built(tmp_path)
    (chunks,) = (tmp_path / ".llmops/indexes/notes").glob("*/chunks.jsonl")
    whole = chunks.read_text()
    for damaged in (whole[: len(whole) // 3], whole.splitlines(keepends=True)[0], whole.replace("{", "[", 1)):
        chunks.write_text(damaged)
        assert "files lost" in llmops(tmp_path, "rag", "status").stdout
        asked = llmops(tmp_path, "rag", "query", "moon")
        assert "1. notes/moon.md" in asked.stdout
        assert "building the index notes" in asked.stderr
        assert chunks.read_text() == whole
        chunks.write_text(damaged)
        assert "2 documents, 2 chunks (" in built(tmp_path)
        assert chunks.read_text() == whole


def test_vectors_that_are_gone_are_told_by_a_build_that_has_nothing_to_do(tmp_path: Path) -> None:
    project(tmp_path)
    built(tmp_path)
    (tmp_path / ".llmops/chroma").rename(tmp_path / "aside")
    done = llmops(tmp_path, "rag", "index")
    assert done.returncode == 2
    assert "The vector store has lost 2 of 2 vectors." in done.stderr
    assert "llmops rag index --repair" in done.stderr
    assert llmops(tmp_path, "rag", "index", "--repair").returncode == 0
    assert "1. notes/moon.md" in llmops(tmp_path, "rag", "query", "moon").stdout


def test_another_embedder_never_mixes_with_the_old_one(tmp_path: Path) -> None:
    project(tmp_path, "static")
    built(tmp_path)
    project(tmp_path, "minilm")
    assert "2 chunks embedded" in built(tmp_path)
    assert embedded(tmp_path) == 2
    assert "1. notes/bread.md" in llmops(tmp_path, "rag", "query", "what makes bread rise").stdout


def test_a_document_that_goes_away_leaves_the_index_with_the_next_build(tmp_path: Path) -> None:
    project(tmp_path)
    built(tmp_path)
    (tmp_path / "notes/moon.md").unlink()
    (tmp_path / "notes/gone.md").symlink_to(tmp_path / "notes/moon.md")
    done = llmops(tmp_path, "rag", "index")
    assert (done.returncode, "left out: notes/gone.md" in done.stderr) == (0, True)
    assert "(0 changed, 0 chunks embedded, 1 removed)" in done.stdout
    assert "moon" not in llmops(tmp_path, "rag", "query", "moon").stdout
