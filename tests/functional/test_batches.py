"""`eval --batch` asks models in batches of their provider, pays each answer once, and collects what was begun before."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, environment, llmops, llmops_after, project, report
from openai_server import OpenAiServer

FAST = """
from llmops.evaluation import batch_calls
batch_calls.QUIET_S, batch_calls.FIRST_LOOK_S, batch_calls.FIRST_DELAY_S, batch_calls.MOST_WITH_BUDGET = 0.3, 0.05, 0.01, 4
"""
"""Code before a command: what takes minutes at a provider takes moments here."""
KILLED = f"""{FAST}
import os
from llmops.adapters.openai_batches import OpenaiBatches
async def killed(*_):
    os.kill(os.getpid(), 9)
"""
CASES = 12
BATCH_PRICE = "batch: {input_per_million: 0.5, output_per_million: 1}"
SOON_S = 60


def priced(folder: Path, server: OpenAiServer) -> Path:
    """Each call costs (7 x 1 + 3 x 2) / 1e6 = 0.000013 dollars, and half of it in a batch."""
    project(folder, server.base, CASES)
    edit(folder / "llmops.yaml", "output_per_million: 2}", f"output_per_million: 2, {BATCH_PRICE}}}")
    return folder


def batched(folder: Path, *options: str, first: str = FAST) -> "subprocess.CompletedProcess[str]":
    return llmops_after(first, folder, "eval", "--batch", "--json", *options)


def word(number: int) -> str:
    return f"Say w{number} now."


def test_all_answers_come_in_one_batch_at_its_price_and_are_paid_once(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.polls = 3
    done = batched(tmp_path)
    assert done.returncode == 0, done.stderr
    run = report(done)
    assert [len(each) for each in server.batches.begun] == [CASES]
    assert "batch batch_0 of 'm': 12 requests handed over" in done.stderr
    (group,) = run["groups"]
    assert group["spend"]["spent_usd"] == pytest.approx(CASES * 6.5e-6)
    assert run["counts"]["scored"] == run["counts"]["generated"] == CASES
    cells = run["results"]
    assert [cell["output"] for cell in cells] == [f"echo: {word(n)}" for n in range(CASES)]
    assert {cell["latency_s"] for cell in cells} == {None}
    latency = cells[0]["evaluations"]["latency"]
    assert (latency["status"], latency["reason"]) == ("unmeasured", "the answer came in a batch, whose time is not its own")

    again = report(llmops(tmp_path, "eval", "--json"))
    assert (server.requests, again["counts"]["reused"]) == (CASES, CASES)
    assert again["groups"][0]["spend"]["cost_usd"] == pytest.approx(CASES * 6.5e-6)  # what they cost when they were made


def test_repeats_are_answers_of_their_own_and_an_edit_sends_one(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    assert batched(tmp_path, "--repeat", "2").returncode == 0
    assert [len(each) for each in server.batches.begun] == [2 * CASES]
    edit(tmp_path / "datasets/say.jsonl", '"word": "w3"', '"word": "w33"')
    assert batched(tmp_path).returncode == 0
    assert server.batches.begun[1:] == [[word(33)]]
    assert batched(tmp_path, "--refresh", "generate", "--limit", "2", "--no-gate").returncode == 0
    assert [sorted(each) for each in server.batches.begun[2:]] == [[word(0), word(1)]]


def test_judges_are_asked_in_a_batch_after_the_answers(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short]}\n")
    verdict = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
    server.reply = lambda messages: verdict if "is short" in str(messages) else f"echo: {messages[-1]['content']}"
    done = batched(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [len(each) for each in server.batches.begun] == [CASES, CASES]
    criteria = next(e for e in report(done)["groups"][0]["evaluators"] if e["name"] == "criteria")
    assert criteria["judging"]["calls"] == CASES
    assert criteria["judging"]["spent_usd"] == pytest.approx(CASES * 6.5e-6)


def test_verdicts_that_cannot_be_read_are_asked_for_again_by_the_next_run(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short]}\n")
    assert batched(tmp_path, "--no-gate").returncode == 3
    assert [len(each) for each in server.batches.begun] == [CASES, CASES, CASES]
    verdict = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
    server.reply = lambda messages: verdict
    done = batched(tmp_path, "--no-gate")
    assert done.returncode == 0, done.stderr
    assert [len(each) for each in server.batches.begun[3:]] == [CASES]
    criteria = next(e for e in report(done)["groups"][0]["evaluators"] if e["name"] == "criteria")
    assert (criteria["scored"], criteria["judging"]["sent"]) == (CASES, CASES)
    assert "batch" not in llmops(tmp_path, "cache", "list").stdout


def test_a_cascade_asks_its_second_model_in_a_second_batch(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    settings = tmp_path / "llmops.yaml"
    small = settings.read_text().splitlines()[1]
    large = small.replace("m: {id: openai/m", "large: {id: openai/large", 1)
    settings.write_text(
        f"models:\n{small}\n{large}\nroutes:\n  careful: {{kind: cascade, models: [m, large], escalate_when: [refusal]}}\n"
    )
    server.reply = lambda messages: "I cannot help with that." if "w1 " in messages[-1]["content"] else "w0 to w11"
    done = batched(tmp_path, "--model", "careful", "--no-gate")
    assert done.returncode == 0, done.stderr
    assert server.batches.begun[1:] == [[word(1)]]
    cell = next(cell for cell in report(done)["results"] if cell["case_id"] == "c0001")
    assert [call["model"] for call in cell["route"]] == ["m", "large"]
    assert cell["latency_s"] is None


@pytest.mark.parametrize(
    "route", ["{kind: budget, models: [m, m2], usd: 1}", "{kind: bandit, models: [m, m2], checks: [cost]}"]
)
def test_a_route_that_looks_at_the_answers_before_is_refused(server: OpenAiServer, tmp_path: Path, route: str) -> None:
    priced(tmp_path, server)
    settings = tmp_path / "llmops.yaml"
    model = settings.read_text().splitlines()[1]
    settings.write_text(f"models:\n{model}\n{model.replace('m:', 'm2:', 1)}\nroutes:\n  careful: {route}\n")
    done = batched(tmp_path, "--model", "careful")
    assert done.returncode == 2
    assert "The route 'careful' looks at how the answers before fared" in " ".join(done.stderr.split())
    assert server.batches.calls == []
    assert batched(tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("moment", "uploads"),
    [
        ("OpenaiBatches.begin = killed", 2),
        ("begin = OpenaiBatches.begin\nasync def begun(*a): await begin(*a); await killed()\nOpenaiBatches.begin = begun", 1),
        ("OpenaiBatches.state = killed", 1),
        ("OpenaiBatches.answers = killed", 1),
    ],
    ids=["before it began", "just after it began", "while it was worked on", "before it was read"],
)
def test_a_batch_is_paid_once_whenever_the_run_was_killed(
    server: OpenAiServer, tmp_path: Path, moment: str, uploads: int
) -> None:
    priced(tmp_path, server)
    for _ in range(3):  # so that the list of batches has pages
        assert batched(tmp_path, "--no-cache", "--limit", "1", "--no-gate").returncode == 0
    before = len(server.batches.begun)
    killed = batched(tmp_path, first=f"{KILLED}{moment}")
    assert killed.returncode == -signal.SIGKILL
    done = batched(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [sorted(each) for each in server.batches.begun[before:]] == [sorted(word(n) for n in range(1, CASES))]
    assert server.batches.calls.count(("POST", "files")) == before + uploads
    assert report(done)["counts"]["scored"] == CASES
    assert ("which was begun before" in done.stderr) == (uploads == 1)


def interrupted_after(folder: Path, server: OpenAiServer, batches: int) -> str:
    """What is told to who presses Ctrl-C once so many batches are begun."""
    command = [sys.executable, "-c", f"{FAST}\nfrom llmops.cli.main import main; main()", "eval", "--batch"]
    with (folder / "told.txt").open("wb") as told:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=told)
        deadline = time.monotonic() + SOON_S
        while len(server.batches.begun) < batches and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON_S) == 130
    return (folder / "told.txt").read_text()


def test_a_signal_leaves_the_batch_to_the_provider_and_the_same_command_collects_it(
    server: OpenAiServer, tmp_path: Path
) -> None:
    priced(tmp_path, server)
    server.batches.polls = 10**6
    told = interrupted_after(tmp_path, server, batches=1)
    assert "batch batch_0 of 'm' goes on; the same command collects its answers" in told
    server.batches.polls = 0
    run = report(batched(tmp_path))
    assert (run["counts"]["scored"], len(server.batches.begun)) == (CASES, 1)
    assert run["groups"][0]["spend"]["spent_usd"] == pytest.approx(CASES * 6.5e-6)


def test_a_signal_between_a_verdict_and_its_repair_costs_neither(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short]}\n")
    verdict = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
    server.reply = lambda messages: verdict if "cannot be used" in messages[-1]["content"] else messages[-1]["content"][:9]
    server.batches.slow = {"batch_2": 10**6}
    interrupted_after(tmp_path, server, batches=3)
    server.batches.slow = {}
    run = report(batched(tmp_path, "--no-gate"))
    assert [len(each) for each in server.batches.begun] == [CASES, CASES, CASES]
    criteria = next(each for each in run["groups"][0]["evaluators"] if each["name"] == "criteria")
    assert (criteria["scored"], criteria["judging"]["sent"]) == (CASES, 2 * CASES)


def test_who_leaves_out_the_option_afterwards_is_told_what_is_paid_twice(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    assert batched(tmp_path, first=f"{KILLED}OpenaiBatches.state = killed").returncode == -signal.SIGKILL
    done = llmops(tmp_path, "eval")
    assert "it was begun with --batch: without it, what the provider still holds is asked, and paid, again" in done.stderr
    assert server.requests == 2 * CASES


def test_a_rule_on_latency_tells_how_it_can_be_judged(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "gate:", "gate:\n  - {metric: latency.p95, max: 9}")
    reasons = [rule["reason"] for rule in report(batched(tmp_path))["rules"]]
    assert "no live measurement: use `--refresh generate` without `--batch`" in reasons
    assert report(llmops(tmp_path, "eval", "--refresh", "generate", "--json"))["verdict"] == "pass"


def test_single_failures_are_sent_again_or_told_with_their_reason(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.statuses = {word(1): [500], word(2): [429, 503], word(3): [400]}
    done = batched(tmp_path, "--no-gate")
    run = report(done)
    assert [sorted(each) for each in server.batches.begun[1:]] == [[word(1), word(2)], [word(2)]]
    failed = [(cell["case_id"], cell["error"]) for cell in run["results"] if cell["error"]]
    assert failed == [("c0003", "Refused: HTTP 400: broken")]
    assert {cell["case_id"]: cell["attempts"] for cell in run["results"]}["c0002"] == 3


def test_what_a_batch_did_not_come_to_is_told_and_sent_by_the_next_run(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.expired = {word(4), word(5)}
    run = report(batched(tmp_path, "--no-gate"))
    failed = {cell["case_id"]: cell["error"] for cell in run["results"] if cell["error"]}
    assert failed == dict.fromkeys(("c0004", "c0005"), "Refused: the batch gave no answer: the window has expired")
    server.batches.expired = set()
    assert report(batched(tmp_path, "--no-gate"))["counts"]["scored"] == CASES
    assert [sorted(each) for each in server.batches.begun[1:]] == [[word(4), word(5)]]


def test_a_broken_line_in_a_file_of_answers_costs_none_of_the_others(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.junk = b'{"custom_id": "cut of\n[]\n\xff\n{"custom_id": "of nobody", "response": null}\n'
    assert report(batched(tmp_path))["counts"]["scored"] == CASES
    assert len(server.batches.begun) == 1


def test_what_a_batch_says_nothing_of_is_not_begun_again_by_itself(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.unsaid = {word(4)}
    run = report(batched(tmp_path, "--no-gate"))
    assert [cell["error"] for cell in run["results"] if cell["error"]] == ["Refused: the batch batch_0 gave no answer"]
    assert len(server.batches.begun) == 1
    server.batches.unsaid = set()
    assert report(batched(tmp_path, "--no-gate"))["counts"]["scored"] == CASES
    assert server.batches.begun[1:] == [[word(4)]]


def test_answers_that_are_gone_from_the_provider_are_asked_again(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    killed = batched(tmp_path, first=f"{KILLED}OpenaiBatches.answers = killed")
    assert killed.returncode == -signal.SIGKILL
    server.batches.forget()
    assert report(batched(tmp_path))["counts"]["scored"] == CASES
    assert len(server.batches.begun) == 2


def test_faults_between_do_not_lose_a_batch(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.polls = 1
    server.batches.broken = {
        ("POST", "files"): [503],
        ("POST", "batches"): [500],
        ("GET", "batches"): [429, 500, 502],
        ("GET", "files"): [500],
    }
    run = report(batched(tmp_path))
    assert (run["counts"]["scored"], len(server.batches.begun)) == (CASES, 1)


def test_an_endpoint_without_batches_or_that_refuses_one_is_told_once(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    server.batches.offered = False
    done = batched(tmp_path)
    assert done.returncode == 3
    run = report(done)
    told = [note for note in run["notes"] if "takes no batch" in note]
    assert len(told) == 1
    assert "the endpoint of 'm' (openai/m) takes no batch: HTTP 404 from http://127.0.0.1" in told[0]
    assert server.batches.calls == [("POST", "files")]

    server.batches.offered = True
    server.batches.error = "Enqueued token limit reached"
    refused = report(batched(tmp_path, "--no-gate"))
    errors = {cell["error"] for cell in refused["results"]}
    assert errors == {"Refused: the batch batch_0 was refused: Enqueued token limit reached"}
    assert report(batched(tmp_path))["counts"]["scored"] == CASES


def test_a_budget_keeps_batches_small_and_needs_their_price(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, CASES)
    done = batched(tmp_path, "--budget", "1")
    assert done.returncode == 2
    assert "A budget needs the price of 'm' in batches, which is not known." in done.stderr
    assert "{m: {price: {batch: {input_per_million: ..., output_per_million: ...}, ...}}}" in done.stderr
    assert server.batches.calls == []
    unpriced = report(batched(tmp_path, "--limit", "1"))
    assert any("the price of batches is not known for m" in note for note in unpriced["notes"])
    assert unpriced["groups"][0]["spend"]["cost_usd"] is None

    priced(tmp_path, server)
    over = batched(tmp_path, "--budget", str(5 * 6.5e-6), "--no-cache")
    assert over.returncode == 5, over.stderr
    assert [len(each) for each in server.batches.begun[1:]] == [4, 4]
    whole = report(batched(tmp_path, "--no-cache"))
    assert (whole["counts"]["scored"], sum(map(len, server.batches.begun[1:]))) == (CASES, CASES)


def test_batches_that_go_on_when_the_money_is_spent_are_counted(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    settings = tmp_path / "llmops.yaml"
    model = settings.read_text().splitlines()[1]
    settings.write_text(f"models:\n{model}\n{model.replace('m: {id: openai/m', 'm2: {id: openai/m2', 1)}\n")
    edit(tmp_path / "evals/say.yaml", "targets: [m]", "targets: [m, m2]")
    server.batches.slow = {"batch_1": 5}
    over = batched(tmp_path, "--budget", str(3 * 6.5e-6))
    assert over.returncode == 5, over.stderr
    assert [len(each) for each in server.batches.begun] == [4, 4]
    assert sum(group["spend"]["spent_usd"] for group in report(over)["groups"]) == pytest.approx(8 * 6.5e-6)


@pytest.mark.parametrize("budget", ["budget: 1", "extend: {budget: 1}"])
def test_the_budget_of_a_suite_keeps_batches_small_too(server: OpenAiServer, tmp_path: Path, budget: str) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "gate:", f"{budget}\ngate:")
    assert batched(tmp_path).returncode == 0
    assert [len(each) for each in server.batches.begun] == [4, 4, 4]


def test_before_a_run_its_batches_are_counted_and_priced(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    assert batched(tmp_path).returncode == 0
    shown = llmops(tmp_path, "eval", "--batch", "--no-cache", "--explain").stdout
    assert "about 12 answers by m:" in shown
    assert "within a day" in shown
    (found,) = json.loads(llmops(tmp_path, "eval", "--batch", "--no-cache", "--explain", "--json").stdout)["suites"]
    (estimate,) = found["estimates"]
    assert (estimate["batched"], estimate["seconds"]) == (True, None)
    each: dict[str, Any] = json.loads(llmops(tmp_path, "eval", "--no-cache", "--explain", "--json").stdout)["suites"][0]
    assert estimate["cost_usd"] == pytest.approx(each["estimates"][0]["cost_usd"] / 2)
    assert "in batches 0.5 in, 1 out" in llmops(tmp_path, "models", COLUMNS="200").stdout


def test_what_verdicts_cost_is_estimated_at_the_price_of_how_they_are_asked(server: OpenAiServer, tmp_path: Path) -> None:
    priced(tmp_path, server)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short]}\n")
    verdict = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
    server.reply = lambda messages: verdict if "is short" in str(messages) else f"echo: {messages[-1]['content']}"

    def estimated(*how: str) -> tuple[Any, float | None]:
        (found,) = json.loads(llmops(tmp_path, "eval", *how, "--no-cache", "--explain", "--json").stdout)["suites"]
        (verdicts,) = (each for each in found["estimates"] if each["role"] == "verdicts")
        return verdicts["cost_usd"], verdicts["seconds"]

    assert batched(tmp_path).returncode == 0
    assert estimated("--batch") == (pytest.approx(CASES * 6.5e-6), None)
    assert estimated() == (pytest.approx(CASES * 13e-6), None)
    assert llmops(tmp_path, "eval", "--no-cache").returncode == 0
    assert estimated("--batch") == (pytest.approx(CASES * 6.5e-6), None)
    cost, seconds = estimated()
    assert cost == pytest.approx(CASES * 13e-6)
    assert seconds is not None


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--watch",), "--watch waits for each answer, and --batch for all of them."),
        (("--sequential",), "--sequential waits for each answer, and --batch for all of them."),
        (("--model", "local"), "--batch: no model that evals/say.yaml asks is asked in batches."),
    ],
)
def test_what_cannot_be_batched_is_refused(server: OpenAiServer, tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    priced(tmp_path, server)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(f"{settings.read_text()}  local: {{id: embedded/reader-small}}\n  other: {{id: anthropic/claude-x}}\n")
    done = llmops(tmp_path, "eval", "--batch", *options)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert server.batches.calls == []
