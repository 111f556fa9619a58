"""The same runs on a real Ray cluster of two workers as in one process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="Ray is not installed: run `make test-engines`")

sys.path.insert(0, str(Path(__file__).parents[1] / "functional"))
from command_line import COMMAND, environment, llmops, project, report, write
from openai_server import OpenAiServer

from benchmarks.ray_cluster import ROOT, Cluster, started

CASES = 100
AT_ONCE = 8
"""As the model of `project` says."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with started(cpus=2) as running:
        yield running


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer().running() as running:
        running.delay_s = 0.1
        yield running


def on(cluster: Cluster, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return llmops(folder, "eval", "--engine", "ray", "--address", cluster.address, *arguments, **cluster.variables)


def begun(cluster: Cluster, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [*COMMAND, "eval", "--engine", "ray", "--address", cluster.address, *arguments]
    variables = environment(**cluster.variables)
    return subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(server: OpenAiServer, requests: int) -> None:
    end = time.monotonic() + 120
    while server.requests < requests:
        assert time.monotonic() < end, "the run does not get on"
        time.sleep(0.01)


def workers(cluster: Cluster) -> list[int]:
    """The processes that work for llmops."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in table.splitlines()]
    mine = {str(cluster.pid)}
    for _ in range(3):
        mine |= {pid for pid, parent, _ in rows if parent in mine}
    return [int(pid) for pid, _, command in rows if pid in mine and command.startswith("ray::Bench")]


def without_times(done: "subprocess.CompletedProcess[str]") -> str:
    """The document but for what differs between any two runs; two workers may evaluate the same answer at the same time."""
    run = report(done)
    for name in ("timing", "run_id"):
        del run[name]
    del run["counts"]["evaluated"]
    for each in (*run["groups"], *run["results"], *run["worst"]):
        for name in ("latency", "latency_s"):
            each.pop(name, None)
    return json.dumps(run)


def readers(folder: Path) -> Path:
    """The sample project's recorded questions, read by both embedded readers and judged by both detectors."""
    lines = [json.loads(line) for line in (ROOT / "datasets/recorded-answers.jsonl").read_text().splitlines()]
    recorded = list({row["vars"]["question"]: row for row in lines}.values())[:30]
    rows = [{"id": r["id"], "vars": r["vars"], "contexts": r["contexts"], "expected": [r["output"][:12]]} for r in recorded]
    return write(
        folder,
        {
            "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n"
            "  large: {id: embedded/reader-large, price: {input_per_million: 0.1, output_per_million: 0.3}}\n",
            "prompts/answer/prompt.j2": (ROOT / "prompts/answer/prompt.j2").read_text(),
            "evals/read.yaml": "dataset: datasets/read.jsonl\nprompts: [answer]\ntargets: [small, large]\nevaluators:\n"
            "  - contains: {any: expected}\n  - hallucination: {backend: embedded, max: 0.5}\n"
            "  - toxicity: {backend: embedded, max: 0.5}\n  - tokens\n  - cost\n"
            "gate:\n  - {metric: hallucination.pass_rate, min: 0.99}\n",
            "datasets/read.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def test_results_order_verdict_and_exit_code_are_those_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    folder = readers(tmp_path)
    alone = llmops(folder, "eval", "--no-cache", "--json")
    shared = on(cluster, folder, "--no-cache", "--json")
    assert alone.returncode == shared.returncode != 2, shared.stderr
    assert without_times(alone) == without_times(shared)
    assert report(shared)["counts"]["evaluated"] >= 60
    again = on(cluster, folder, "--json")
    assert report(again)["counts"]["evaluated"] == 0


def test_a_killed_worker_loses_nothing_and_repeats_at_most_what_it_had_in_flight(
    cluster: Cluster, tmp_path: Path, server: OpenAiServer
) -> None:
    project(tmp_path, server.base, CASES)
    running = begun(cluster, tmp_path, "--json")
    wait_for(server, CASES // 3)
    os.kill(workers(cluster)[0], signal.SIGKILL)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    (run,) = json.loads(out)["runs"]
    assert (run["counts"]["cells"], run["counts"]["scored"]) == (CASES, CASES)
    assert "is lost; its" in err
    assert CASES <= server.requests <= CASES + AT_ONCE
    assert (len(server.prompts), max(server.prompts.values())) == (CASES, 2 if server.requests > CASES else 1)


def test_the_budget_and_the_limit_of_calls_hold_over_the_whole_cluster(
    cluster: Cluster, tmp_path: Path, server: OpenAiServer
) -> None:
    project(tmp_path, server.base, 4 * CASES)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("per_million: ", "per_million: 1.0e+6").replace("1.0e+61", "1.0e+6"))
    settings.write_text(settings.read_text().replace("1.0e+62", "2.0e+6"))
    stopped = on(cluster, tmp_path, "--budget", str(13 * 10), "--concurrency", "4", "--json")
    assert stopped.returncode == 5, stopped.stderr
    assert report(stopped)["status"] == "over budget"
    assert 10 <= server.requests <= 10 + 3
    whole = on(cluster, tmp_path, "--budget", "1000000", "--json")
    assert (whole.returncode, server.requests) == (0, 4 * CASES)
    assert report(whole)["run_id"] == report(stopped)["run_id"]
    assert 4 < server.most_at_once <= AT_ONCE


def test_an_interrupted_run_is_continued_without_a_cluster(cluster: Cluster, tmp_path: Path, server: OpenAiServer) -> None:
    project(tmp_path, server.base, CASES)
    running = begun(cluster, tmp_path, "--json")
    wait_for(server, CASES // 3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    (first,) = json.loads(out)["runs"]
    assert (first["status"], server.requests < CASES) == ("interrupted", True)
    whole = report(llmops(tmp_path, "eval", "--json"))
    assert (whole["run_id"], server.requests, max(server.prompts.values())) == (first["run_id"], CASES, 1)


def test_a_dead_endpoint_and_a_refused_call_are_told_as_on_one_machine(
    cluster: Cluster, tmp_path: Path, server: OpenAiServer
) -> None:
    project(tmp_path, server.base, 3, extra=", max_retries: 0")
    server.always = "429"
    documents: list[dict[str, Any]] = [report(run) for run in (llmops(tmp_path, "eval", "--json", "--no-cache"),)]
    documents.append(report(on(cluster, tmp_path, "--json", "--no-cache")))
    assert [[result["error"] for result in document["results"]] for document in documents] == 2 * [
        3 * ["RateLimited: HTTP 429: slow down"]
    ]


def test_an_index_that_was_embedded_on_the_workers_gives_the_same_hits(cluster: Cluster, tmp_path: Path) -> None:
    settings = "models:\n  small: {id: embedded/reader-small}\nindexes:\n  notes: {corpus: {paths: ['notes/*.md']}}\n"
    notes = {f"notes/{n}.md": f"# Note {n}\n\nThe {n}th door of the house is opened with key {n * 7}.\n" for n in range(40)}
    found = []
    for name, options in (("here", ()), ("there", ("--engine", "ray", "--address", cluster.address))):
        folder = write(tmp_path / name, {"llmops.yaml": settings, **notes})
        built = llmops(folder, "rag", "index", *options, **cluster.variables)
        assert (built.returncode, "40 chunks embedded" in built.stdout) == (0, True), built.stderr
        hits = json.loads(llmops(folder, "rag", "query", "Which key opens the 31st door?", "--json").stdout)
        found.append([(hit["chunk"], {stage: round(score, 4) for stage, score in hit["scores"].items()}) for hit in hits])
    assert found[0] == found[1] != []


def test_a_cluster_that_is_not_there_is_told_in_one_message(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    done = llmops(tmp_path, "eval", "--engine", "ray", "--address", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing answers there" in done.stderr
    assert "ray start --head" in done.stderr
