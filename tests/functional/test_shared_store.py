"""One PostgreSQL store for several processes, with the real command line and a real server."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from command_line import COMMAND, environment, llmops, project, report, write
from guides import blocks, typed
from openai_server import OpenAiServer
from postgres_server import PASSWORD, PostgresServer


def on_database(folder: Path, url: str, base: str, cases: int = 3) -> Path:
    project(folder, base, cases)
    settings = folder / "llmops.yaml"
    settings.write_text(settings.read_text() + f"store: {url}\n")
    return folder


def without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split(':')[0]}@{rest.partition('@')[2]}"


def test_a_second_run_finds_what_the_first_paid_for_and_nothing_tells_the_password(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.database()
    with OpenAiServer().running() as server:
        here = on_database(tmp_path / "here", url, server.base)
        there = on_database(tmp_path / "there", without_password(url), server.base)
        first = llmops(here, "eval", "--json")
        second = llmops(there, "eval", "--json", PGPASSWORD=PASSWORD)
        assert report(first)["counts"]["cells"] == report(second)["counts"]["cells"] == 3
        assert (report(first)["counts"]["reused"], report(second)["counts"]["reused"]) == (0, 3)
        assert server.requests == 3
        told = [first.stdout, first.stderr, llmops(here, "doctor").stdout, llmops(here, "runs", "show", "--json").stdout]
    told.append(postgres.sql(url.rpartition("/")[2], "SELECT snapshot, report FROM runs"))
    assert "reachable" in told[2]
    assert not any(secret in text for text in told for secret in (PASSWORD, url.split(":")[2].partition("@")[0]))


def test_an_unreachable_store_is_exit_code_2_without_a_traceback(tmp_path: Path) -> None:
    folder = on_database(tmp_path, "postgresql://me:hidden-word@127.0.0.1:1/db", "http://127.0.0.1:1/v1")
    for arguments in (["eval"], ["runs", "list"]):
        done = llmops(folder, *arguments)
        assert done.returncode == 2
        assert "'postgresql://me@127.0.0.1:1/db' cannot be reached" in done.stderr
        assert "Check that the server runs" in done.stderr
        assert "Traceback" not in done.stderr
        assert "hidden-word" not in done.stdout + done.stderr


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    (run,) = json.loads(out)["runs"]
    return dict(run)


def counted(postgres: PostgresServer, url: str, query: str) -> int:
    return int(postgres.sql(url.rpartition("/")[2], f"SELECT count(*) FROM {query}"))


def test_four_processes_at_once_pay_for_each_answer_once(tmp_path: Path, postgres: PostgresServer) -> None:
    url, cases = postgres.database(), 240
    with OpenAiServer().running() as server:
        server.delay_s = 0.05
        folders = [on_database(tmp_path / str(number), url, server.base, cases) for number in range(4)]
        reports = [finished(process) for process in [start(folder, "eval", "--json") for folder in folders]]
        assert set(server.prompts.values()) == {1}
        assert server.requests == cases
    assert [report["counts"]["scored"] for report in reports] == [cases] * 4
    assert sum(report["counts"]["generated"] for report in reports) >= cases
    runs = {report["run_id"] for report in reports}
    assert counted(postgres, url, "nodes WHERE kind = 'generate'") == cases
    assert counted(postgres, url, "results") == cases * len(runs)
    assert counted(postgres, url, "runs WHERE status = 'finished'") == len(runs)
    assert counted(postgres, url, "claims") == 0
    assert counted(postgres, url, "pg_stat_database WHERE datname = current_database() AND deadlocks > 0") == 0


def test_two_processes_that_share_a_file_pay_for_each_answer_once(tmp_path: Path) -> None:
    cases = 80
    with OpenAiServer().running() as server:
        server.delay_s = 0.05
        folder = project(tmp_path, server.base, cases)
        reports = [finished(process) for process in [start(folder, "eval", "--json") for _ in range(2)]]
        assert set(server.prompts.values()) == {1}
        assert server.requests == cases
    assert [report["counts"]["scored"] for report in reports] == [cases] * 2


def test_two_processes_of_one_run_both_tell_what_the_run_took(tmp_path: Path) -> None:
    cases = 120
    with OpenAiServer().running() as server:
        server.delay_s = 0.5
        folder = project(tmp_path, server.base, cases)
        first = start(folder, "eval", "--json")
        while server.requests < 1:
            time.sleep(0.02)
        reports = [finished(process) for process in (start(folder, "eval", "--json"), first)]
        assert server.requests == cases
    assert len({report["run_id"] for report in reports}) == 1
    assert [report["counts"]["model_calls"] for report in reports] == [cases] * 2


def test_a_server_that_crashes_midway_costs_no_answer_and_the_runs_go_on(tmp_path: Path, postgres: PostgresServer) -> None:
    url, cases = postgres.database(), 240
    with OpenAiServer().running() as server:
        server.delay_s = 0.05
        processes = [start(on_database(tmp_path / str(number), url, server.base, cases), "eval", "--json") for number in (0, 1)]
        while server.requests < cases // 3:
            time.sleep(0.02)
        postgres.control("restart", "-m", "immediate")
        reports = [finished(process) for process in processes]
        assert server.requests == cases
    assert [report["counts"]["scored"] for report in reports] == [cases] * 2
    assert counted(postgres, url, "nodes WHERE kind = 'generate'") == cases
    assert counted(postgres, url, "results") == cases * len({report["run_id"] for report in reports})


def test_an_answer_that_one_process_could_not_get_is_asked_for_by_the_other(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.database()
    with OpenAiServer().running() as server:
        server.delay_s = 0.3
        server.faults = dict.fromkeys((1, 2, 3), "500")
        one = on_database(tmp_path / "one", url, server.base, cases=3)
        (one / "llmops.yaml").write_text(
            (one / "llmops.yaml").read_text().replace("timeout_s: 5", "timeout_s: 5, max_retries: 0")
        )
        first = start(one, "eval", "--json")
        while server.requests < 3:
            time.sleep(0.02)
        two = finished(start(on_database(tmp_path / "two", url, server.base, cases=3), "eval", "--json"))
        out, _ = first.communicate(timeout=200)
        assert json.loads(out)["runs"][0]["counts"]["failed"] == 3
    assert two["counts"]["scored"] == 3
    assert server.requests == 6


def test_the_guide_can_be_followed_to_the_letter(tmp_path: Path, postgres: PostgresServer) -> None:
    settings, *commands = [text for _, text in blocks("shared-store.md")]
    url = postgres.database()
    with OpenAiServer().running() as server:
        folder = project(tmp_path, server.base)
        typed(folder, "llmops eval -q")
        named = re.sub(r"postgresql://\S+", url.replace("\\", r"\\"), settings)
        (folder / "llmops.yaml").write_text((folder / "llmops.yaml").read_text() + named)
        told = [typed(folder, line) for block in commands for line in block.splitlines()]
        typed(folder, "llmops eval -q")
        assert server.requests == 3
    assert "schema 0 to" in told[0]
    assert "127.0.0.1" in told[1]
    assert not any(PASSWORD in text or "pa%2F" in text for text in told)
    assert counted(postgres, url, "runs") == 2


def test_an_index_belongs_to_its_machine_though_the_store_is_shared(tmp_path: Path, postgres: PostgresServer) -> None:
    url = postgres.database()
    for name in ("here", "there"):
        folder = on_database(tmp_path / name, url, "http://127.0.0.1:1/v1")
        write(folder, {"docs/a.md": "# Moon\n\nThe moon is far.\n"})
        with (folder / "llmops.yaml").open("a") as settings:
            settings.write("indexes:\n  notes: {corpus: {paths: ['docs/*.md']}, embedder: {kind: static}}\n")
        found = llmops(folder, "rag", "query", "How far is the moon?")
        assert "The moon is far." in found.stdout, found.stderr
