"""An index build killed at each of its steps, without room, beside another one or losing a document: the last index stays."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from command_line import environment, files_up_to, llmops, llmops_after, write
from test_nothing_lost import full_disk, small_disk

SETTINGS = """\
models: {small: {id: embedded/reader-small}}
indexes:
  notes: {corpus: {paths: ["notes/*.md"]}, embedder: {kind: static}, retrieve: {k: 3}}
"""
PAGES = 40
CHANGED = 30
PATCHED = """\
import os, signal, sys, time
from pathlib import Path
from llmops.adapters.chroma import ChromaStore
from llmops.rag import indexing
from llmops.rag.manifests import Manifest

indexing.BATCH = 8

def when(owner, name, act, call=1, after=False):
    whole, calls = getattr(owner, name), []
    def patched(*arguments, **named):
        calls.append(1)
        if len(calls) == call and not after:
            act()
        result = whole(*arguments, **named)
        if len(calls) == call and after:
            act()
        return result
    setattr(owner, name, patched)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

"""
POINTS = {
    "between two batches": ("when(ChromaStore, 'upsert', die, call=3)", "old", CHANGED - 16),
    "before the switch": ("when(Manifest, 'save', die)", "old", 0),
    "after the switch": ("when(Manifest, 'save', die, after=True)", "new", 0),
    "before the old vectors leave": ("when(ChromaStore, 'delete', die)", "new", 0),
    "before the old files leave": ("when(indexing, 'drop_generations', die)", "new", 0),
}
"""Where a build is killed: what readers then see, and how many chunks the next build still has to embed."""


def pages(word: str, first: int = 0, last: int = PAGES) -> dict[str, str]:
    return {f"notes/{n:02}.md": f"# Page {n}\n\nThe lamp of page {n} is {word}{n}.\n" for n in range(first, last)}


def patched(folder: Path, what: str) -> "subprocess.CompletedProcess[str]":
    """`llmops rag index` with batches of 8 and something that happens at a certain point."""
    return llmops_after(PATCHED + what, folder, "rag", "index")


def shown(folder: Path, page: int) -> str:
    """A page of the live generation, as a reader sees it."""
    done = llmops(folder, "rag", "show", f"notes/{page:02}.md", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["chunks"][0]["text"])


def built(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(folder: Path, query: str) -> tuple[str, str]:
    """The best hit, and what was told on the way to it."""
    done = llmops(folder, "rag", "query", query, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)[0]["text"]), done.stderr


def put_back(folder: Path, word: str = "amber") -> None:
    """The documents of the old generation, whose index is therefore up to date."""
    shutil.rmtree(folder / "notes")
    write(folder, pages(word))


def check_old_generation_whole(folder: Path) -> None:
    """The old generation is read without a build, vectors included, and a build has nothing to do."""
    assert "amber3" in shown(folder, 3)
    put_back(folder)
    best, told = asked(folder, "lamp of page 3 amber3")
    assert "amber3" in best
    assert "building" not in told
    assert "(0 changed, 0 chunks embedded" in built(llmops(folder, "rag", "index"))
    assert "(0 changed, 0 chunks embedded" in built(llmops(folder, "rag", "index", "--repair"))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a complete generation."""
    folder = write(tmp_path_factory.mktemp("complete"), {"llmops.yaml": SETTINGS, **pages("amber")})
    assert f"{PAGES} chunks embedded" in built(llmops(folder, "rag", "index"))
    return folder


@pytest.fixture
def folder(complete: Path, tmp_path: Path) -> Path:
    """A copy of it with documents that have changed since."""
    shutil.copytree(complete, tmp_path, dirs_exist_ok=True)
    return write(tmp_path, pages("blue", last=CHANGED))


@pytest.mark.parametrize("point", POINTS)
def test_a_build_that_is_killed_leaves_a_whole_generation_and_is_continued(folder: Path, point: str) -> None:
    what, seen, missing = POINTS[point]
    assert patched(folder, what).returncode == -signal.SIGKILL
    assert {"old": "amber3", "new": "blue3"}[seen] in shown(folder, 3)
    told = built(llmops(folder, "rag", "index"))
    assert f" {missing} chunks embedded" in told
    best, _ = asked(folder, "lamp of page 3 blue3")
    assert "blue3" in best
    left = CHANGED if seen == "new" and "files" not in point else 0
    assert f"(0 changed, 0 chunks embedded, {left} removed)" in built(llmops(folder, "rag", "index", "--repair"))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """As `folder`, on a file system of its own for what is built."""
    with ExitStack() as stack:
        stack.enter_context(small_disk(tmp_path / ".llmops"))
        write(tmp_path, {"llmops.yaml": SETTINGS, **pages("amber")})
        built(llmops(tmp_path, "rag", "index"))
        yield write(tmp_path, pages("blue", last=CHANGED))


def test_a_full_disk_ends_the_build_and_loses_nothing(small: Path) -> None:
    with full_disk(small / ".llmops", 0):
        failed = llmops(small, "rag", "index")
        assert failed.returncode == 2, failed.stdout
        assert "Traceback" not in failed.stderr
        assert "run the same command again" in failed.stderr
    check_old_generation_whole(small)


@pytest.mark.parametrize("kib", [8, 64])
def test_a_quota_on_files_ends_the_build_and_loses_nothing(folder: Path, kib: int) -> None:
    failed = llmops_after(files_up_to(kib * 1024), folder, "rag", "index")
    assert failed.returncode == 2, failed.stderr
    assert "Traceback" not in failed.stderr
    assert "run the same command again" in failed.stderr
    check_old_generation_whole(folder)


@pytest.mark.parametrize("left", [b"\xff" * 200_000, b"SQLite format 3\x00", b""], ids=["overwritten", "cut short", "emptied"])
def test_a_corrupt_chroma_folder_is_named_and_its_advice_works(folder: Path, left: bytes) -> None:
    put_back(folder)
    (folder / ".llmops/chroma/chroma.sqlite3").write_bytes(left)
    failed = llmops(folder, "rag", "query", "lamp of page 3 amber3")
    assert failed.returncode == 2, failed.stdout
    assert "Traceback" not in failed.stderr
    assert "amber3" in shown(folder, 3)
    advice = " ".join(failed.stderr.split())
    if "llmops rag index --repair" in advice:
        assert f"{PAGES} chunks embedded" in built(llmops(folder, "rag", "index", "--repair"))
    else:
        assert ".llmops/indexes away and build anew: llmops rag index" in advice
        (folder / ".llmops/chroma").rename(folder / "chroma.broken")
        (folder / ".llmops/indexes").rename(folder / "indexes.broken")
        assert f"{PAGES} chunks embedded" in built(llmops(folder, "rag", "index"))
    assert "amber3" in asked(folder, "lamp of page 3 amber3")[0]


def test_another_embedder_is_told_and_a_killed_change_of_it_leaves_the_old_one_whole(folder: Path) -> None:
    put_back(folder)
    settings = folder / "llmops.yaml"
    settings.write_text(SETTINGS.replace("static", "minilm"))
    assert "a build embeds all documents: the embedder changed" in built(llmops(folder, "rag", "status"))
    assert patched(folder, "when(ChromaStore, 'upsert', die, call=3)").returncode == -signal.SIGKILL
    settings.write_text(SETTINGS)
    check_old_generation_whole(folder)
    settings.write_text(SETTINGS.replace("static", "minilm"))
    told = built(llmops(folder, "rag", "index"))
    anew, remembered = re.findall(r"(\d+) (?:chunks embedded|vectors from the cache)", told)
    assert int(anew) + int(remembered) == PAGES - 16  # of the batch that was killed the vectors were kept
    assert int(anew) < PAGES - 16
    assert "amber3" in asked(folder, "lamp of page 3 amber3")[0]


def test_a_second_build_is_told_to_wait_while_readers_go_on(folder: Path) -> None:
    wait = "[time.sleep(0.05) for _ in iter(lambda: Path('go').exists(), True)]"
    what = f"when(ChromaStore, 'upsert', lambda: (print('embedding', flush=True), {wait}), call=2)"
    command = [sys.executable, "-c", f"{PATCHED}{what}\nfrom llmops.cli.main import main; main()", "rag", "index"]
    out = subprocess.PIPE
    first = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=out, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "embedding\n"
        second = llmops(folder, "rag", "index")
        assert second.returncode == 2
        assert "Another process is building the index 'notes'." in second.stderr
        assert "run the same command again; readers keep the last complete index" in " ".join(second.stderr.split())
        assert "amber3" in shown(folder, 3)
        (folder / "go").touch()
        _, told = first.communicate(timeout=120)
        assert first.returncode == 0, told
    finally:
        first.kill()
        first.communicate()
    assert "(0 changed, 0 chunks embedded" in built(llmops(folder, "rag", "index"))
    assert "blue3" in asked(folder, "lamp of page 3 blue3")[0]


VANISH = "from llmops.rag import loading\nwhen(loading, 'matching_files', lambda: os.remove('notes/03.md'), after=True)"


def test_a_document_that_vanishes_midway_is_told_and_stops_nothing(folder: Path) -> None:
    done = patched(folder, VANISH)
    assert f"notes: {PAGES - 1} documents, {PAGES - 1} chunks, 1 left out" in built(done)
    assert "left out: notes/03.md: no such file" in done.stderr
    assert "blue4" in asked(folder, "lamp of page 4 blue4")[0]
    assert "up to date" in built(llmops(folder, "rag", "status"))


def facts(folder: Path) -> Any:  # noqa: ANN401
    (found,) = json.loads(built(llmops(folder, "rag", "status", "--json")))["indexes"]
    return found


def test_status_says_what_is_left_to_do_after_a_kill(folder: Path) -> None:
    before = facts(folder)["facts"]
    patched(folder, POINTS["before the switch"][0])
    after = facts(folder)
    assert after["facts"] == before
    assert (after["state"], len(after["changes"]["changed"])) == ("out of date", CHANGED)
    assert os.path.exists(folder / ".llmops/indexes/notes" / before["key"])
