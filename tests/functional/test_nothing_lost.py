"""A run that is killed, stopped, or whose disk stops taking writes: the same command continues it, and nothing is lost."""

import collections
import itertools
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, environment, llmops, llmops_after, project, report
from openai_server import OpenAiServer

CASES = 1000


@dataclass(slots=True)
class Life:
    """What one process left behind."""

    results: dict[int, str]
    """Committed, by position."""
    answered: set[str]
    """Prompts whose answers are committed."""
    asked: dict[str, int]
    """Calls that reached the server in this life, by prompt."""


@dataclass(slots=True)
class Disturbed:
    """A run that is started, disturbed and started again."""

    folder: Path
    server: OpenAiServer
    lives: list[Life] = field(default_factory=list)

    def start(self) -> "subprocess.Popen[str]":
        self.server.prompts.clear()
        out = subprocess.PIPE
        return subprocess.Popen([*COMMAND, "eval"], cwd=self.folder, env=environment(), stdout=out, stderr=out, text=True)

    def until_asked(self, calls: int, process: "subprocess.Popen[str]") -> None:
        """Wait until a process made so many calls."""
        while self.server.prompts.total() < calls and process.poll() is None:
            time.sleep(0.002)

    def stopped(self, number: signal.Signals, calls: int, later_s: float) -> int:
        """Run until a signal comes, so long after so many calls; the exit code."""
        self.server.prompts.clear()

        def stop() -> None:
            while self.server.prompts.total() < calls:
                time.sleep(0.002)
            time.sleep(later_s)
            os.kill(int((self.folder / "pid").read_text()), number)

        threading.Thread(target=stop, daemon=True).start()
        code = llmops_after("import os; open('pid', 'w').write(str(os.getpid()))", self.folder, "eval").returncode
        self.died()
        return code

    def died(self) -> None:
        """Note what a life that ended has left."""
        results, answered = committed(self.folder)
        self.lives.append(Life(results, answered, dict(self.server.prompts)))

    def finished(self) -> dict[str, Any]:
        """Let the same command finish."""
        self.server.prompts.clear()
        done = llmops(self.folder, "eval", "--json")
        assert done.returncode == 0, done.stderr
        assert "continuing run" in done.stderr
        run = report(done)
        self.died()
        return run

    def check_nothing_lost(self) -> None:
        """Every committed result is still there, and what was committed was not asked for again."""
        final = self.lives[-1].results
        assert len(final) == CASES
        committed_before: set[str] = set()
        in_flight = 0
        for life in self.lives:
            assert final | life.results == final
            assert not committed_before & life.asked.keys()
            assert set(life.asked.values()) <= {1}
            committed_before |= life.answered
            in_flight += len(life.asked.keys() - life.answered)
        calls = sum(len(life.asked) for life in self.lives)
        assert CASES <= calls <= CASES + in_flight


def committed(folder: Path) -> tuple[dict[int, str], set[str]]:
    """The results and the answered prompts that a store holds."""
    with closing(sqlite3.connect(folder / ".llmops/llmops.db")) as store:
        texts = (json.loads(value)["text"] for (value,) in store.execute("SELECT value FROM nodes WHERE kind = 'generate'"))
        return dict(store.execute("SELECT position, value FROM results")), {text.removeprefix("echo: ") for text in texts}


def without_timing(run: dict[str, Any]) -> dict[str, Any]:
    """A run's JSON without its id and what a clock measured."""
    kept = {key: value for key, value in run.items() if key not in ("run_id", "timing")}
    kept["groups"] = [{k: v for k, v in group.items() if k != "latency"} for group in run["groups"]]
    kept["results"] = [{k: v for k, v in result.items() if k != "latency_s"} for result in run["results"]]
    return kept


def disturbed(folder: Path, server: OpenAiServer) -> Disturbed:
    """A fresh run whose answers differ in their cost, so that sums would show the order in which they came."""
    project(folder, server.base, CASES)
    suite = folder / "evals/say.yaml"
    suite.write_text(suite.read_text().replace("  - latency\n", ""))
    return Disturbed(folder, server)


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer().running() as running:
        running.tokens = lambda prompt: (len(prompt), sum(prompt.encode()) % 97)
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: OpenAiServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = disturbed(tmp_path_factory.mktemp("undisturbed"), server).folder
    return without_timing(report(llmops(folder, "eval", "--json")))


@pytest.mark.parametrize(("number", "times"), [(signal.SIGKILL, 10), (signal.SIGTERM, 3)])
def test_a_run_that_is_stopped_at_random_moments_loses_nothing(
    number: signal.Signals, times: int, server: OpenAiServer, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    run = disturbed(tmp_path, server)
    moments = random.Random(0)
    for _ in range(times):
        code = run.stopped(number, moments.randint(1, 80), moments.uniform(0, 0.05))  # anywhere between two commits
        assert code == (-9 if number == signal.SIGKILL else 143)
    assert without_timing(run.finished()) == undisturbed
    run.check_nothing_lost()
    if number == signal.SIGTERM:
        assert sum(len(life.asked) for life in run.lives) == CASES


@contextmanager
def full_disk(store: Path, _: int) -> Iterator[None]:
    """The file system of the store has no room left."""
    filler = store / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        collections.deque(map(file.write, itertools.repeat(bytes(4096))), maxlen=0)
    yield
    filler.unlink()


@contextmanager
def file_limit(store: Path, pid: int) -> Iterator[None]:
    """No file of the process may grow."""
    size = max(path.stat().st_size for path in store.iterdir())
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
    yield


@contextmanager
def read_only(store: Path, _: int) -> Iterator[None]:
    """The database and its log take no more writes, not even root's."""
    files = [str(store / "llmops.db"), str(store / "llmops.db-wal")]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own."""
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def may_be_immutable(folder: Path) -> bool:
    """Whether `chattr +i` works here."""
    probe = folder / "probe"
    probe.touch()
    try:
        return all(subprocess.run(["chattr", flag, probe], capture_output=True).returncode == 0 for flag in ("+i", "-i"))
    except OSError:
        return False


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (full_disk, ("cannot grow: database or disk is full", "Free some space and run the same command again")),
        (file_limit, ("cannot be written: disk I/O error", "then run the same command again")),
        (read_only, ("cannot be written (Operation not permitted): disk I/O error", "run the same command again")),
    ],
)
def test_a_disk_that_stops_taking_writes_ends_the_run_and_loses_nothing(
    fails: Callable[[Path, int], Any],
    told: tuple[str, ...],
    server: OpenAiServer,
    undisturbed: dict[str, Any],
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        store = tmp_path / ".llmops"
        if fails is full_disk:
            stack.enter_context(small_disk(store))
        elif fails is read_only and not may_be_immutable(tmp_path):
            pytest.skip("this user may not make a file immutable")
        run = disturbed(tmp_path, server)
        process = run.start()
        run.until_asked(200, process)
        with fails(store, process.pid):
            out, err = process.communicate(timeout=60)
        run.died()
        assert process.returncode == 2
        assert (out, err.count("error: "), err.count("Traceback")) == ("", 1, 0)
        assert all(words in err for words in told), err
        assert run.lives[0].results
        assert without_timing(run.finished()) == undisturbed
        run.check_nothing_lost()
