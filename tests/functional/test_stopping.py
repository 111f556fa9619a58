"""Signals, deadlines and limits: what is sent comes to its end, what waits is left out, and the same command goes on."""

import json
import shlex
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

from command_line import COMMAND, environment, llmops, project, report
from openai_server import OpenAiServer

SOON_S = 60
"""Far below what a run would take that waits for its limits, far above what one takes that does not."""


def started(folder: Path, server: OpenAiServer, requests: int, *options: str) -> "subprocess.Popen[bytes]":
    """A run that has made so many requests."""
    command = [*COMMAND, "eval", "--no-gate", *options]
    with (folder / "told.txt").open("wb") as told:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=told)
    deadline = time.monotonic() + SOON_S
    while server.requests < requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.requests >= requests
    time.sleep(0.3)
    return process


def test_no_more_requests_in_a_minute_than_allowed_and_a_signal_waits_for_no_limit(
    server: OpenAiServer, tmp_path: Path
) -> None:
    project(tmp_path, server.base, 10, extra=", rpm: 3")
    process = started(tmp_path, server, 3)
    assert server.requests == 3
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON_S) == 130
    assert server.requests == 3
    stopped = llmops(tmp_path, "runs", "show")
    assert "3 cells: 3 scored, 0 failed" in stopped.stdout
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace(", rpm: 3", ""))
    whole = report(llmops(tmp_path, "eval", "--json", "--no-gate"))
    assert (whole["counts"]["scored"], server.requests) == (10, 10)


def test_tokens_per_minute_are_bounded_by_what_calls_take(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 10, extra=", tpm: 25")  # each takes 10 tokens
    process = started(tmp_path, server, 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(SOON_S) == 143
    assert server.requests == 2


def test_a_retry_after_does_not_hold_up_a_signal(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 4)
    server.always = "429 for long"
    process = started(tmp_path, server, 4)
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON_S) == 130
    server.always = None
    assert report(llmops(tmp_path, "eval", "--json"))["counts"]["scored"] == 4


def test_the_second_ctrl_c_stops_at_once(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 4, extra="")
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("timeout_s: 5", "timeout_s: 600"))
    server.delay_s = 600
    process = started(tmp_path, server, 4)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # it waits for what is in flight
    assert (tmp_path / "told.txt").read_text() == "finishing what is in flight; press Ctrl-C again to stop at once\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON_S) == 130
    assert "interrupted" in llmops(tmp_path, "runs", "list").stdout
    server.delay_s = 0
    assert report(llmops(tmp_path, "eval", "--json"))["counts"]["scored"] == 4


def test_the_next_answers_are_claimed_while_calls_are_made(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 20)
    server.delay_s = 600
    process = started(tmp_path, server, 8)
    process.kill()
    process.wait(SOON_S)
    with closing(sqlite3.connect(tmp_path / ".llmops" / "llmops.db")) as store:
        claimed = store.execute("select count(*) from claims").fetchone()
    assert (server.requests, *claimed) == (8, 10)


def test_a_killed_run_names_the_command_that_continues_it(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 4)
    server.delay_s = 600
    options = ("-m", "m", "--limit", "2", "--filter", "id=c*", "--repeat", "2", "--no-cache", "--var", "word=two words")
    process = started(tmp_path, server, 4, *options)
    process.kill()
    process.wait(SOON_S)
    server.delay_s = 0
    asked = " --model m --limit 2 --filter 'id=c*' --var 'word=two words' --repeat 2 --no-cache --no-gate"
    for command in (("runs", "show"), ("gate",), ("runs", "export", "@last", "-o", "run.json")):
        told = llmops(tmp_path, *command, COLUMNS="300").stderr
        assert f"Continue it: llmops eval evals/say.yaml{asked}\n" in told
    again = shlex.split(told.split("llmops ", 1)[1])
    before = llmops(tmp_path, "runs", "list", "--json").stdout
    assert report(llmops(tmp_path, *again, "--json"))["run_id"] == json.loads(before)[0]["id"]
    assert len(json.loads(llmops(tmp_path, "runs", "list", "--json").stdout)) == 1


def test_a_stopped_rerun_of_what_failed_is_continued_over_the_same_cases(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 6)
    server.reply = lambda messages: (
        "nothing" if any(word in messages[-1]["content"] for word in ("w1", "w2", "w3", "w4")) else "w0 w5"
    )
    assert report(llmops(tmp_path, "eval", "--json", "--no-gate"))["counts"]["scored"] == 6
    settings = tmp_path / "llmops.yaml"
    limited, free = settings.read_text().replace("}}", "}, rpm: 2}"), settings.read_text()
    settings.write_text(limited)
    rerun = ("eval", "--failed", "--refresh", "generate", "--no-gate", "--json")
    first = report(llmops(tmp_path, *rerun, "--max-minutes", "0.05"))
    assert (first["status"], first["counts"]["scored"]) == ("interrupted", 2)
    settings.write_text(free)
    again = report(llmops(tmp_path, *rerun))
    assert (again["run_id"], again["counts"]["scored"], server.requests) == (first["run_id"], 4, 10)


def test_a_run_that_is_continued_is_going_on_for_all_others(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 20, extra=", rpm: 3")
    process = started(tmp_path, server, 3)
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON_S) == 130
    judged = llmops(tmp_path, "gate")
    assert (judged.returncode, "exit 3" in judged.stdout) == (3, True), judged.stdout
    assert llmops(tmp_path, "eval", "--limit", "2", "--no-gate", "-q").returncode == 0
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace(", rpm: 3", ", concurrency: 2").replace("concurrency: 8, ", ""))
    server.delay_s = 0.3
    process = started(tmp_path, server, 6)
    refused = llmops(tmp_path, "runs", "delete", "@last")
    assert (refused.returncode, "--force" in refused.stderr) == (2, True), refused.stderr
    assert "running" in llmops(tmp_path, "runs", "list").stdout
    assert process.wait(SOON_S) == 0
    (last,) = json.loads(llmops(tmp_path, "runs", "show", "--json").stdout)["runs"]
    assert last["counts"]["scored"] == 20


def test_a_deadline_ends_a_run_with_exit_3_and_the_same_command_continues_it(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 6, extra=", rpm: 2")
    done = llmops(tmp_path, "eval", "--max-minutes", "0.05", "--json")
    assert done.returncode == 3, done.stderr
    first = report(done)
    assert (first["status"], first["counts"]["scored"]) == ("interrupted", 2)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace(", rpm: 2", ""))
    again = report(llmops(tmp_path, "eval", "--json"))
    assert (again["run_id"], again["counts"]["scored"], server.requests) == (first["run_id"], 6, 6)
    assert (first["timing"]["continued"], again["timing"]["continued"]) == (False, True)
    assert (again["counts"]["model_calls"], first["power"]["cases"], again["power"]["cases"]) == (6, 2, 6)


def test_an_endpoint_that_never_answers_is_taken_for_dead(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 300)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("timeout_s: 5", "timeout_s: 1"))
    server.delay_s = 600
    done = llmops(tmp_path, "eval")
    assert done.returncode == 3
    assert "does not answer: no complete answer within 1 s" in " ".join(done.stdout.split())
    assert server.requests < 100


def test_a_missing_key_leaves_no_run_but_what_it_has_answered(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 2)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(f"{settings.read_text()}  hosted: {{id: openai/gpt-4o-mini}}\n")
    good = report(llmops(tmp_path, "eval", "--json"))["run_id"]
    refused = llmops(tmp_path, "eval", "--model", "hosted")
    assert (refused.returncode, "OPENAI_API_KEY is not set" in refused.stderr) == (2, True)
    assert report(llmops(tmp_path, "runs", "show", "--json"))["run_id"] == good
    assert [run["id"] for run in json.loads(llmops(tmp_path, "runs", "list", "--json").stdout)] == [good]
    both = ("eval", "--model", "m", "--model", "hosted", "--concurrency", "1", "--json")
    assert llmops(tmp_path, *both, OPENAI_BASE_URL=server.base).returncode == 2
    stopped = json.loads(llmops(tmp_path, "runs", "list", "--json").stdout)[0]
    assert (stopped["status"], stopped["id"] != good) == ("interrupted", True)
    again = report(llmops(tmp_path, *both, OPENAI_API_KEY="none", OPENAI_BASE_URL=server.base))
    assert (again["run_id"], again["counts"]["scored"]) == (stopped["id"], 4)
