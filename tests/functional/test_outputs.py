"""What a command prints and the files it writes reach whoever asked for them, also through pipes and links."""

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest
from command_line import COMMAND, environment, llmops, report, write

SUITE = (
    "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [small]\nevaluators:\n  - contains: {any: expected, negate: true}\n"
    "gate:\n  - {metric: contains.pass_rate, LIMIT: 0.2}\n"
)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was evaluated once."""
    cases = [f'{{"id": "c{i}", "vars": {{"word": "moon"}}, "expected": ["sun"]}}\n' for i in range(20)]
    files = {
        "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
        "prompts/say/prompt.j2": "---\nvariables:\n  word: {type: string}\n---\nuser:\nThe {{ word }} is up. What is up?\n",
        "evals/say.yaml": SUITE.replace("LIMIT", "min"),
        "datasets/say.jsonl": "".join(cases),
        "log.jsonl": '{"output": "All is well."}\n',
    }
    folder = write(tmp_path_factory.mktemp("ready"), files)
    assert llmops(folder, "eval").returncode == 0
    return folder


@contextmanager
def filled(*pipes: Path) -> Iterator[list[str]]:
    """What a reader of each pipe is sent."""
    read: list[str] = []
    with ExitStack() as stack:
        readers = []
        for pipe in pipes:
            os.mkfifo(pipe)
            readers.append(stack.enter_context(subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)))
            stack.callback(readers[-1].kill)  # a pipe that nobody opens would be waited for
        yield read
        read += [reader.communicate(timeout=30)[0] for reader in readers]
    assert all(stat.S_ISFIFO(pipe.stat().st_mode) for pipe in pipes)


def test_reports_go_into_pipes(ready: Path) -> None:
    forms = ["markdown", "junit", "html", "csv"]
    with filled(*(ready / form for form in forms)) as read:
        done = llmops(ready, "eval", *(part for form in forms for part in (f"--{form}", form)))
        assert done.returncode == 0, done.stderr
    for text, begin in zip(read, ("#", "<?xml", "<!doctype html>", "run"), strict=True):
        assert text.startswith(begin)


def test_a_report_goes_into_an_open_descriptor_and_the_verdict_stays(ready: Path) -> None:
    write(ready, {"hard.yaml": SUITE.replace("LIMIT", "max")})
    reading, writing = os.pipe()
    command = [*COMMAND, "eval", "hard.yaml", "--markdown", f"/dev/fd/{writing}"]
    done = subprocess.run(command, cwd=ready, env=environment(), capture_output=True, check=False, pass_fds=[writing])
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        assert "hard.yaml" in stream.read()
    assert done.returncode == 1, done.stderr


def test_other_commands_write_into_pipes(ready: Path) -> None:
    commands = (("cache", "export", "pipe"), ("runs", "export", "@last", "-o", "pipe.csv"))
    for command in (*commands, ("score", "log.jsonl", "-e", "toxicity", "--out", "pipe")):
        path = ready / command[-1]
        with filled(path) as read:
            done = llmops(ready, *command)
            assert done.returncode == 0, done.stderr
        assert read[0].endswith("\n")
        path.unlink()


def test_the_file_behind_a_link_is_replaced(ready: Path) -> None:
    (ready / "out").mkdir()
    (ready / "link.csv").symlink_to("out/file.csv")
    for command in (("runs", "export", "@last", "-o"), ("score", "log.jsonl", "-e", "toxicity", "--out"), ("eval", "--csv")):
        (ready / "out/file.csv").unlink(missing_ok=True)
        done = llmops(ready, *command, "link.csv")
        assert done.returncode == 0, done.stderr
        assert (ready / "link.csv").is_symlink()
        assert [each.name for each in (ready / "out").iterdir()] == ["file.csv"]


def printed(folder: Path, stdout: int | IO[bytes], *arguments: str, **extra: str) -> tuple[int, str]:
    """Exit code and stderr of a command whose stdout leads there."""
    command, environ = [*COMMAND, *arguments], environment(**extra)
    done = subprocess.run(command, cwd=folder, env=environ, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def unread() -> Iterator[int]:
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.fixture
def full() -> Iterator[IO[bytes]]:
    """A disk without room. It is handed over open, so that nothing can replace it."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb", buffering=0) as device:
        yield device


def test_reports_are_written_when_nobody_reads_the_output(ready: Path, unread: int) -> None:
    write(ready, {"hard.yaml": SUITE.replace("LIMIT", "max")})
    suites = ("evals/say.yaml", "evals/say.yaml")
    code, told = printed(ready, unread, "eval", *suites, "--html", "unread.html", "--junit", "unread.xml")
    assert (code, told) == (141, "wrote unread.html\nwrote unread.xml\n")
    assert (ready / "unread.xml").read_text().count('evals/say.yaml · gate"') == 2
    assert (ready / "unread.html").stat().st_size
    assert printed(ready, unread, "eval", "hard.yaml")[0] == 1  # the gate did fail
    assert printed(ready, unread, "eval", "--json") == (141, "")
    assert printed(ready, unread, "--help") == (141, "")
    assert printed(ready, unread, "runs", "list", PYTHONUNBUFFERED="") == (141, "")
    assert printed(ready, unread, "runs", "list", PYTHONUNBUFFERED="1") == (141, "")


def test_an_endless_output_ends_with_its_reader(ready: Path, unread: int) -> None:
    (ready / "long.jsonl").write_text('{"output": "All is well."}\n' * 2000)
    code, told = printed(ready, unread, "score", "long.jsonl", "-e", "readability")
    assert code == 141
    assert "2000 lines" not in told


def test_a_full_disk_under_stdout_is_told(ready: Path, full: IO[bytes]) -> None:
    message = "error: stdout cannot be written: No space left on device.\nSend it elsewhere, such as into a file.\n"
    for arguments in (["--help"], ["runs", "show", "--json"], ["eval", "-q"]):
        assert printed(ready, full, *arguments) == (2, message)
    code, told = printed(ready, full, "eval", "--csv", "full.csv")
    assert (code, told) == (2, f"wrote full.csv\n{message}")


@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), (">&-", 2), ("2>&-", 0), ("<&- >&- 2>&-", 2)])
def test_a_closed_stream_is_no_internal_error(ready: Path, closed: str, code: int) -> None:
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, "runs", "list"]
    done = subprocess.run(command, cwd=ready, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith("error: stdout cannot be written: Bad file descriptor." if closed == ">&-" else "")
    assert ("evals/say.yaml" in done.stdout) == (code == 0)


def test_json_is_printed_beside_the_files(ready: Path) -> None:
    forms = ("junit", "html", "markdown", "csv", "sarif", "code-quality")
    files = [f"beside.{form}" for form in forms]
    named = [part for form, file in zip(forms, files, strict=True) for part in (f"--{form}", file)]
    done = llmops(ready, "eval", "--json", *named)
    assert done.returncode == 0, done.stderr
    assert report(done)["verdict"] == "pass"
    assert all((ready / file).stat().st_size for file in files)
    done = llmops(ready, "eval", "--json", "-o", "beside.txt", "--junit", "beside.junit")
    assert done.stdout == ""
    assert json.loads((ready / "beside.txt").read_text())["runs"]


def test_a_dash_is_stdout(ready: Path) -> None:
    printed = report(llmops(ready, "eval", "say", "--json"))
    dashed = llmops(ready, "eval", "say", "--json", "-o", "-")
    assert report(dashed)["groups"] == printed["groups"]
    assert llmops(ready, "eval", "say", "-q", "--markdown", "-").stdout.rstrip().count("contains.pass_rate") >= 1
    exported = [llmops(ready, "prompt", "export", "say", "--format", "prompty", *more).stdout for more in ((), ("-o", "-"))]
    assert exported[0] == exported[1] != ""
    scored = llmops(ready, "score", "log.jsonl", "--evaluator", "refusal", "-o", "-")
    assert json.loads(scored.stdout)["scores"].keys() == {"refusal"}
    assert not (ready / "-").exists()
