"""A project that cannot be written: what only reads works, and what writes says so."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import COMMAND, llmops, llmops_after

AS_ANYONE = """
import ctypes, os

if os.geteuid() == 0:
    CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, VERSION = 1, 2, 0x20080522
    libc, header, sets = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(VERSION), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets):
        raise OSError
    for effective_or_permitted in (0, 1):
        sets[effective_or_permitted] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    if libc.capset(header, sets):
        raise OSError
"""
"""Takes from root what lets it read and write every file."""


def reading(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return llmops_after(AS_ANYONE, folder, *arguments, COLUMNS="300")


def allow(folder: Path, mode: int) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(mode | 0o111 if path.is_dir() else mode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    assert llmops(folder, "init").returncode == 0
    for _ in range(2):
        assert llmops(folder, "eval", "-q").returncode == 0
    allow(folder, 0o444)
    yield folder
    allow(folder, 0o644)


@pytest.mark.parametrize(
    "command",
    ["runs list", "runs show", "runs show --outputs", "gate", "compare @last~1 @last", "status", "store status", "rag status"],
)
def test_what_only_reads_works(folder: Path, command: str) -> None:
    done = reading(folder, *command.split())
    assert (done.returncode, "cannot be" in done.stderr) == (0, False), done.stderr


def test_a_run_is_exported_to_where_one_may_write(folder: Path, tmp_path: Path) -> None:
    assert reading(folder, "runs", "export", "@last", "-o", str(tmp_path / "run.json")).returncode == 0
    assert json.loads((tmp_path / "run.json").read_text())["runs"][0]["status"] == "finished"


def test_the_cache_is_listed_with_its_vectors(folder: Path) -> None:
    kinds = {line.split()[0] for line in reading(folder, "cache", "list").stdout.splitlines()}
    assert {"generate", "embed"} <= kinds


def test_what_another_process_is_writing_is_read_from_its_log(folder: Path) -> None:
    allow(folder, 0o644)
    hold = (
        "import sqlite3, sys; c = sqlite3.connect('.llmops/llmops.db'); c.execute(\"update runs set status = 'interrupted'\"); "
    )
    hold += "c.commit(); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [COMMAND[0], "-c", hold], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        allow(folder, 0o444)
        assert "interrupted" in reading(folder, "runs", "list").stdout
        allow(folder, 0o644)
        holder.communicate("")
    llmops(folder, "runs", "list")
    allow(folder, 0o444)


def test_what_writes_says_that_it_cannot(folder: Path) -> None:
    done = reading(folder, "eval")
    assert (done.returncode, "cannot be written (Permission denied)" in done.stderr) == (2, True), done.stderr
    done = reading(folder, "rag", "query", "delivery")
    assert (done.returncode, "Chroma writes to a folder that is only read, too" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("command", ["prompt list", "prompt show answer", "prompt show answer@1.0.0", "prompt verify"])
def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, command: str) -> None:
    prompt = tmp_path / "prompts/answer"
    prompt.mkdir(parents=True)
    (prompt / "prompt.j2").write_text("user:\nhi\n", encoding="utf-8")
    (tmp_path / "llmops.yaml").write_text("models:\n  small: {id: embedded/reader-small}\n", encoding="utf-8")
    prompt.chmod(0)
    try:
        done = reading(tmp_path, *command.split())
    finally:
        prompt.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "prompts/answer" in done.stderr
    assert "Permission denied.\nAllow the account that runs llmops to use it." in done.stderr


def test_a_file_that_may_not_be_written_is_named_and_not_the_one_beside_it(folder: Path) -> None:
    done = reading(folder, "prompt", "commit", "answer", "-m", "x")
    assert done.returncode == 2
    assert "Check that its folder can be written" in done.stderr
    assert str(folder) not in done.stderr
