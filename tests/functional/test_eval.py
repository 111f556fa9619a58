"""`llmops eval` against a real server: results, reuse, interruption, faults and reports."""

import json
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import COMMAND, environment, llmops, project, report, write
from jsonschema import Draft202012Validator
from openai_server import OpenAiServer


def test_an_unchanged_run_calls_nothing_and_an_edited_case_calls_once(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 10)
    first = report(llmops(tmp_path, "eval", "--json"))
    assert (first["status"], first["verdict"], first["counts"]["model_calls"]) == ("finished", "pass", 10)
    again = report(llmops(tmp_path, "eval", "--json"))
    assert (again["counts"]["model_calls"], again["counts"]["reused"], server.requests) == (0, 10, 10)
    dataset = tmp_path / "datasets/say.jsonl"
    dataset.write_text(dataset.read_text().replace('"word": "w3"', '"word": "other"').replace('["w3"]', '["other"]'))
    assert report(llmops(tmp_path, "eval", "--json"))["counts"]["model_calls"] == 1
    suite = tmp_path / "evals/say.yaml"
    suite.write_text(suite.read_text().replace("contains: {any: expected,", "contains: {any: expected, min: 0.5,"))
    assert report(llmops(tmp_path, "eval", "--json"))["counts"]["model_calls"] == 0
    assert report(llmops(tmp_path, "eval", "--json", "--repeat", "3"))["counts"]["model_calls"] == 20
    assert server.requests == 31


def test_latency_of_a_reused_answer_is_unmeasured_and_its_cost_is_not_spent_again(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    live = report(llmops(tmp_path, "eval", "--json"))["groups"][0]
    cached = report(llmops(tmp_path, "eval", "--json"))["groups"][0]
    latency = {g: next(e for e in g_["evaluators"] if e["name"] == "latency") for g, g_ in (("live", live), ("cached", cached))}
    assert (latency["live"]["scored"], latency["cached"]["scored"], latency["cached"]["unmeasured"]) == (3, 0, 3)
    assert live["spend"]["spent_usd"] == pytest.approx(3 * (7 * 1 + 3 * 2) / 1e6)
    assert cached["spend"]["spent_usd"] == 0
    assert cached["spend"]["cost_usd"] == live["spend"]["cost_usd"]


def test_a_killed_run_is_continued_by_the_same_command(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 60)
    server.delay_s = 0.1
    process = subprocess.Popen([*COMMAND, "eval"], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while server.requests < 30 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    asked = server.requests
    assert 30 <= asked < 60
    done = llmops(tmp_path, "eval", "--json")
    run = report(done)
    assert done.returncode == 0
    assert "continuing run" in done.stderr
    assert [r["case_id"] for r in run["results"]] == [f"c{i:04d}" for i in range(60)]
    assert all(r["evaluations"]["contains"]["passed"] for r in run["results"])
    repeated = sum(count - 1 for count in server.prompts.values())
    assert repeated <= 16  # in flight, or finished within the last commit interval
    undisturbed = write(tmp_path / "other", {})
    project(undisturbed, server.base, 60)
    other = report(llmops(undisturbed, "eval", "--json"))
    assert run["counts"] == other["counts"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_in_flight_and_the_next_run_continues(
    server: OpenAiServer, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    project(tmp_path, server.base, 60)
    server.delay_s = 0.1
    process = subprocess.Popen([*COMMAND, "eval"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while server.requests < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    shown, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command continues this run" in shown
    assert server.requests < 60
    run = report(llmops(tmp_path, "eval", "--json"))
    assert run["counts"]["scored"] == 60
    assert max(server.prompts.values()) == 1


def test_passing_faults_are_retried_and_counted(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 20)
    server.faults = {2: "429", 5: "500", 7: "reset", 9: "malformed", 11: "empty"}
    run = report(llmops(tmp_path, "eval", "--json"))
    assert run["counts"]["scored"] == 20
    assert run["groups"][0]["spend"]["retries"] == 5
    assert run["counts"]["model_calls"] == 25


@pytest.mark.usefixtures("ends")
def test_a_dead_endpoint_ends_soon_with_one_message_and_exit_3(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1", 200)
    done = llmops(tmp_path, "eval")
    assert done.returncode == 3
    assert 1 <= done.stdout.count("does not answer") <= 2  # as a note, and as the reason of one cell
    assert "Traceback" not in done.stdout + done.stderr


def test_an_endpoint_that_never_answers_is_given_up(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 200)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("timeout_s: 5", "timeout_s: 0.2"))
    server.delay_s = 1.0
    done = llmops(tmp_path, "eval")
    assert done.returncode == 3
    assert "does not answer: no complete answer within 0.2 s" in " ".join(done.stdout.split())
    assert server.requests < 200


def test_json_fits_its_schema_and_junit_parses(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 4)
    done = llmops(tmp_path, "eval", "--json")
    schema = json.loads(llmops(tmp_path, "schema", "report").stdout)
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(json.loads(done.stdout))) == []
    assert llmops(tmp_path, "eval", "-o", "out.xml", "--markdown", "out.md", "--csv", "out.csv").returncode == 0
    suites = ElementTree.parse(tmp_path / "out.xml").getroot()
    assert [s.get("tests") for s in suites] == ["4", "1"]
    assert "| pass |" in (tmp_path / "out.md").read_text()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 4 * 3


def test_a_relative_rule_passes_with_difference_0_when_nothing_changed(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 5)
    suite = tmp_path / "evals/say.yaml"
    suite.write_text(suite.read_text() + "  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.05}\n")
    first = report(llmops(tmp_path, "eval", "--json"))
    assert [rule["verdict"] for rule in first["rules"]] == ["pass", "not judged"]
    assert llmops(tmp_path, "runs", "baseline", "@last").returncode == 0
    second = report(llmops(tmp_path, "eval", "--json"))
    rule = second["rules"][1]
    assert (rule["verdict"], rule["value"], rule["low"], rule["high"]) == ("pass", 0.0, 0.0, 0.0)


def test_a_failing_gate_exits_1_and_an_undecided_one_4(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 30)
    dataset = tmp_path / "datasets/say.jsonl"
    lines = dataset.read_text().splitlines()
    dataset.write_text("\n".join(line.replace('"expected": ["w', '"expected": ["absent') for line in lines))
    assert llmops(tmp_path, "eval").returncode == 1
    half = [line if i % 3 else line.replace('"expected": ["w', '"expected": ["absent') for i, line in enumerate(lines)]
    dataset.write_text("\n".join(half))
    suite = tmp_path / "evals/say.yaml"
    suite.write_text(suite.read_text().replace("min: 0.3", "min: 0.66"))
    done = llmops(tmp_path, "eval")
    assert done.returncode == 4
    assert "INCONCLUSIVE" in done.stdout


def test_terminal_escapes_and_secrets_in_an_answer_are_not_shown(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 1)
    row = {"id": "x", "vars": {"word": "\x1b[31mred \x1b]0;title\x07 sk-abcdefghijklmnop1234567890"}, "expected": ["nothing"]}
    (tmp_path / "datasets/say.jsonl").write_text(json.dumps(row))
    done = llmops(tmp_path, "eval", OPENAI_API_KEY="sk-configured-secret-123")
    shown = done.stdout + done.stderr
    assert "red" in shown
    assert "\x1b" not in shown
    assert "sk-abcdefghijklmnop" not in shown
    assert b"sk-configured-secret-123" not in (tmp_path / ".llmops/llmops.db").read_bytes()


def test_verbose_tells_each_cell(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        server.reply = lambda messages: "w0" if "w0" in messages[-1]["content"] else "nothing"
        done = llmops(tmp_path, "eval", "-v", "--no-gate")
    lines = [line for line in done.stderr.splitlines() if " · " in line]
    assert len(lines) == 3
    assert any(line.startswith("pass") and "c0000" in line for line in lines)
    assert sum("not passed" in line and "contains" in line for line in lines) == 2


def test_cases_are_chosen_by_their_ids(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 12)

    def chosen(*names: str, **options: str) -> list[str]:
        filters = (word for name in names for word in ("--filter", f"id={name}"))
        done = report(llmops(tmp_path, "eval", "--json", *filters, **options))
        return sorted(result["case_id"] for result in done["results"])

    assert chosen("c0003") == ["c0003"]
    assert chosen("c0003", "c001*") == ["c0003", "c0010", "c0011"]
    assert chosen("*1", LLMOPS_EVAL_LIMIT="1") == ["c0001"]
    assert (server.requests, chosen("*[1]*", "c0001")) == (4, ["c0001"])
    wrong = llmops(tmp_path, "eval", "--filter", "id=c003")
    told = "error: --filter: no case of datasets/say.jsonl has the id 'c003'.\nDid you mean `c0003`?\n"
    assert (wrong.returncode, wrong.stderr) == (2, told)
    neither = llmops(tmp_path, "eval", "--filter", "id=c0003", "--filter", "tag=none")
    assert (neither.returncode, neither.stderr.splitlines()[0]) == (2, "error: No case of datasets/say.jsonl is selected.")
    assert "`tag=NAME` or `id=NAME` was expected." in llmops(tmp_path, "eval", "--filter", "case=c0003").stderr
