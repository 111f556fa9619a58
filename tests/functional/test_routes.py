"""Routes as targets of a suite: what is asked, served, paid and reused, also when a model hangs, refuses or dies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, report, write
from openai_server import OpenAiServer

CASES = 40
ROUTES = """routes:
  careful: {kind: cascade, models: [small, large], escalate_when: [refusal]}
  backed: {kind: fallback, models: [small, large]}
  sure: {kind: cascade, models: [small, large], escalate_when: [{perplexity: {above: 1.5}}]}
  finder: {kind: bandit, models: [small, large], checks: [refusal]}
  thrifty: {kind: budget, models: [large, small], usd: 0.0002}
"""


@pytest.fixture
def servers() -> Iterator[tuple[OpenAiServer, OpenAiServer]]:
    """A small model that declines every fourth question, and a large one that answers all."""
    with OpenAiServer().running() as small, OpenAiServer().running() as large:
        small.reply = lambda messages: "I cannot answer that." if messages[-1]["content"].endswith("0?") else "It is fine."
        large.reply = lambda messages: "It is fine, surely."
        yield small, large


@pytest.fixture
def folder(tmp_path: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> Path:
    small, large = servers
    options = "timeout_s: 2, max_retries: 0, concurrency: 2"
    models = "".join(
        f"  {name}: {{id: openai/{name}, api_base: {server.base}, {options}, "
        f"price: {{input_per_million: {price}, output_per_million: {price}}}}}\n"
        for name, server, price in (("small", small, 1), ("large", large, 9))
    )
    rows = [{"id": f"q{i}", "vars": {"question": f"Is {i % 4}{i}{i % 4}?"}, "expected": ["fine"]} for i in range(CASES)]
    return write(
        tmp_path,
        {
            "llmops.yaml": f"models:\n{models}{ROUTES}",
            "prompts/ask/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\n{{ question }}\n",
            "evals/ask.yaml": "dataset: datasets/ask.jsonl\nprompts: [ask]\ntargets: [small, large]\n"
            "evaluators:\n  - contains: {any: expected}\n  - refusal\n  - latency\n  - cost\n",
            "datasets/ask.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def group(run: dict[str, Any], target: str) -> dict[str, Any]:
    return next(dict(group) for group in run["groups"] if group["target"] == target)


def rate(found: dict[str, Any]) -> float:
    return float(next(m["value"] for e in found["evaluators"] for m in e["metrics"] if m["name"] == "contains.pass_rate"))


def test_a_cascade_serves_pays_and_reuses(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, large = servers
    assert llmops(folder, "eval", "-q").returncode == 0
    assert (small.requests, large.requests) == (CASES, CASES)
    done = llmops(folder, "eval", "--model", "careful", "--json")
    found = group(report(done), "careful")
    assert (small.requests, large.requests) == (CASES, CASES)  # what both had answered is not asked again
    assert found["served"] == {"small": 30, "large": 10}
    assert rate(found) == 1.0
    each = 10 / 1e6
    assert found["spend"]["cost_usd"] == pytest.approx(CASES * each + 10 * 9 * each)
    assert found["spend"]["spent_usd"] == 0
    assert (report(done)["counts"]["generated"], report(done)["counts"]["reused"]) == (0, CASES)
    assert (found["latency"]["live"], found["latency"]["cached"]) == (0, CASES)
    results = report(done)["results"]
    escalated = next(result for result in results if result["case_id"] == "q0")
    assert [(call["model"], call["served"]) for call in escalated["route"]] == [("small", False), ("large", True)]
    assert "small did not pass refusal" in escalated["route"][1]["reason"]
    shown = llmops(folder, "eval", "--model", "careful").stdout
    assert "by large 25 %, small 75 %" in shown


def test_an_unchanged_route_asks_nothing_and_a_changed_one_only_what_is_new(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    small, large = servers
    llmops(folder, "eval", "--model", "careful", "-q")
    assert (small.requests, large.requests) == (CASES, 10)
    llmops(folder, "eval", "--model", "careful", "-q")
    assert (small.requests, large.requests) == (CASES, 10)
    edit(
        folder / "llmops.yaml", "escalate_when: [refusal]", "escalate_when: [refusal, {regex: {pattern: surely, negate: true}}]"
    )
    run = report(llmops(folder, "eval", "--model", "careful", "--json"))
    assert (small.requests, large.requests) == (CASES, 10)
    assert group(run, "careful")["served"] == {"small": 30, "large": 10}


def test_a_case_that_is_edited_where_only_the_route_looks_is_routed_again(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    small, large = servers
    edit(
        folder / "llmops.yaml",
        "routes:\n",
        "routes:\n  tagged: {kind: rules, rules: [{when: {tag: hard}, use: large}], otherwise: small}\n"
        "  checked: {kind: cascade, models: [small, large], escalate_when: [{contains: {any: expected}}]}\n",
    )
    rows = [{"id": name, "vars": {"question": "Is it so?"}, "expected": ["fine"]} for name in ("a", "b")]
    rows[1]["tags"] = ["hard"]  # and the text of another case that is not
    cases = folder / "datasets/ask.jsonl"
    cases.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = ("eval", "--model", "tagged", "--model", "checked", "--json")
    found = report(llmops(folder, *command))
    assert group(found, "tagged")["served"] == {"small": 1, "large": 1}
    assert group(found, "checked")["served"] == {"small": 2}
    asked = (small.requests, large.requests)
    cases.write_text("".join(f"{json.dumps({**row, 'tags': ['hard'], 'expected': ['surely']})}\n" for row in rows))
    found = report(llmops(folder, *command))
    assert group(found, "tagged")["served"] == group(found, "checked")["served"] == {"large": 2}
    assert (small.requests, large.requests) == asked  # both had answered this before


@pytest.mark.parametrize("fault", ["hang", "429", "dies"])
def test_a_fallback_serves_what_the_small_model_does_not(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer], fault: str
) -> None:
    small, large = servers
    if fault == "hang":
        small.delay_s = 30
        edit(folder / "llmops.yaml", f"api_base: {small.base}, timeout_s: 2", f"api_base: {small.base}, timeout_s: 0.3")
    elif fault == "429":
        small.always = "429"
    else:
        small.faults = dict.fromkeys(range(11, 1000), "reset")
    limit = ("--limit", "16")
    done = llmops(folder, "eval", "--model", "backed", "--model", "careful", *limit, "--json")
    run = report(done)
    assert run["counts"]["failed"] == 0, done.stderr
    for name in ("backed", "careful"):
        served = group(run, name)["served"]
        if fault == "dies":
            assert 0 < served["small"] < 16 == served["small"] + served["large"]
        else:
            assert served == {"large": 16}
    first = next(r for r in run["results"] if r["target"] == "backed" and r["route"][0]["error"])
    reason = {"hang": "ModelTimeout", "429": "RateLimited", "dies": "Unavailable"}[fault]
    assert first["route"][0]["error"] == reason
    assert f"small: {reason}" in first["route"][1]["reason"]
    assert first["cost_usd"] == pytest.approx(9 * 10 / 1e6)
    assert fault != "hang" or first["latency_s"] >= 0.3  # who waited for the small one is told so


def test_when_every_model_fails_the_cell_does(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    for server in servers:
        server.always = "500"
    done = llmops(folder, "eval", "--model", "backed", "--limit", "4", "--json")
    assert done.returncode == 3
    assert {result["error"].partition(":")[0] for result in report(done)["results"]} == {"Unavailable"}


def test_a_budget_is_kept_up_to_what_is_in_flight(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, large = servers
    run = report(llmops(folder, "eval", "--model", "thrifty", "--concurrency", "2", "--json"))
    served = group(run, "thrifty")["served"]
    assert served["large"] * 9e-5 <= 0.0002 + 2 * 9e-5
    assert (small.requests, large.requests) == (served["small"], served["large"])


def test_a_route_that_looks_at_what_is_spent_needs_every_price(folder: Path) -> None:
    edit(folder / "llmops.yaml", ", price: {input_per_million: 9, output_per_million: 9}", "")
    edit(folder / "llmops.yaml", "checks: [refusal]}\n  thrifty", "checks: [refusal], cost_weight: 1}\n  thrifty")
    for route in ("thrifty", "finder"):
        asked = llmops(folder, "eval", "--model", route), llmops(folder, "route", "export", route, "--out", "proxy")
        assert [done.returncode for done in asked] == [2, 2], asked
        assert all(f"The route '{route}' needs the price of 'large', which is not known" in done.stderr for done in asked)
    assert llmops(folder, "eval", "--model", "backed", "--limit", "2", "--no-gate").returncode == 0


def test_a_run_that_is_continued_knows_what_its_route_has_spent(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    edit(folder / "llmops.yaml", "usd: 0.0002", "usd: 0.0009")
    part = llmops(folder, "eval", "--model", "thrifty", "--concurrency", "1", "--budget", "0.0006", "--json")
    assert part.returncode == 5
    before = servers[1].requests
    assert before > 0
    run = report(llmops(folder, "eval", "--model", "thrifty", "--concurrency", "1", "--json"))
    assert run["run_id"] == report(part)["run_id"]
    spent = sum(call["cost_usd"] for result in run["results"] for call in result["route"] if call["model"] == "large")
    assert servers[1].requests > before
    assert round(spent, 9) <= 0.0009


def test_an_edited_export_is_kept_until_it_is_forced(folder: Path) -> None:
    export = ("route", "export", "backed", "--out", "proxy")
    assert [llmops(folder, *export).returncode for _ in range(2)] == [0, 0]
    config, handler = folder / "proxy/config.yaml", folder / "proxy/llmops_routes.py"
    edit(handler, "log_text=False", "log_text=True")
    for arguments, file in ((export, handler), (("route", "export", "finder", "--out", "proxy"), config)):
        refused = llmops(folder, *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert f"'proxy/{file.name}' exists and holds something else.\nOverwrite it with --force" in refused.stderr
    assert "log_text=True" in handler.read_text()
    assert "llmops/backed" in config.read_text()
    assert llmops(folder, *export, "--force").returncode == 0
    assert "log_text=False" in handler.read_text()


def test_a_wrong_route_is_told_where_it_stands(folder: Path) -> None:
    for before, after, told in (
        ("models: [small, large], escalate", "models: [small, lage], escalate", "Did you mean `large`?"),
        ("kind: fallback", "kind: fallbak", "Did you mean `fallback`?"),
        ("escalate_when: [refusal]", "escalate_when: [refusl]", "refus"),
        ("escalate_when: [refusal]", "escalate_when: [{perplexity: {max: 2}}]", "when to escalate is told by `above`"),
        (
            "escalate_when: [refusal]",
            "escalate_when: [{perplexity: {above: lots}}]",
            "`perplexity`: `above` should be a number",
        ),
        ("escalate_when: [refusal]", "escalate_when: [{perplexity: {above: 0.5}}]", "perplexity.above`: 0.5 is no limit"),
        ("usd: 0.0002", "usb: 0.0002", "unknown key"),
    ):
        text = (folder / "llmops.yaml").read_text()
        edit(folder / "llmops.yaml", before, after)
        done = llmops(folder, "eval", "--model", "careful")
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
        (folder / "llmops.yaml").write_text(text)
    assert "No model or route is called 'carefl'" in llmops(folder, "eval", "--model", "carefl").stderr


def test_a_bandit_leaves_the_model_whose_answers_do_not_pass(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    servers[0].reply = lambda messages: "I cannot answer that."
    run = report(llmops(folder, "eval", "--model", "finder", "--concurrency", "1", "--json"))
    served = group(run, "finder")["served"]
    assert served["large"] > served["small"] > 0
    last = run["results"][-1]["route"][0]
    assert "passed so far" in last["reason"] or last["reason"].startswith("exploring")
    assert {call["passed"] for result in run["results"] for call in result["route"]} == {True, False}


def test_a_bandit_leaves_the_model_that_gives_no_answers(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, large = servers
    small.always = "malformed"
    large.reply = lambda messages: "It is fine." if messages[-1]["content"].endswith("0?") else "I cannot answer that."
    edit(folder / "llmops.yaml", "kind: bandit,", "kind: bandit, floor: 0,")
    run = report(llmops(folder, "eval", "--model", "finder", "--concurrency", "1", "--json"))
    assert small.requests == run["counts"]["failed"] < CASES / 2
    assert "small 0 of" in run["results"][-1]["route"][0]["reason"]


def test_a_cascade_goes_on_when_the_small_model_is_not_sure(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, large = servers
    run = report(llmops(folder, "eval", "--model", "sure", "--limit", "4", "--json"))
    assert run["counts"]["failed"] == 0
    assert large.requests == 0  # without log-probabilities nobody can tell, and what is not measured does not fail
    small.logprob = lambda prompt: -1.0 if prompt.endswith("0?") else -0.1
    text = (folder / "llmops.yaml").read_text()
    (folder / "llmops.yaml").write_text(text.replace("id: openai/small,", "id: openai/small, params: {logprobs: true},"))
    run = report(llmops(folder, "eval", "--model", "sure", "--json"))
    assert group(run, "sure")["served"] == {"small": 30, "large": 10}
    assert "small did not pass perplexity" in run["results"][0]["route"][1]["reason"]


def test_an_answer_in_the_shadow_is_paid_where_the_model_beside_it_fails(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    servers[0].always = "500"
    edit(folder / "llmops.yaml", "routes:\n", "routes:\n  watched: {kind: shadow, models: [small, large]}\n")
    each = 9 * 10 / 1e6
    for spent in (5 * each, 0):
        run = report(llmops(folder, "eval", "--model", "watched", "--limit", "5", "--json"))
        assert run["counts"]["failed"] == 5
        spend = group(run, "watched")["spend"]
        assert (spend["cost_usd"], spend["spent_usd"]) == (pytest.approx(5 * each), pytest.approx(spent))
        assert [call["model"] for call in run["results"][0]["route"]] == ["small", "large"]


def test_the_calls_of_a_route_are_foretold_by_those_of_its_last_run(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    edit(folder / "llmops.yaml", "routes:\n", "routes:\n  watched: {kind: shadow, models: [small, large]}\n")
    assert llmops(folder, "eval", "--model", "watched", "--limit", "4", "-q").returncode == 0
    (explained,) = json.loads(llmops(folder, "eval", "--model", "watched", "--explain", "--json").stdout)["suites"]
    before = sum(server.requests for server in servers)
    assert llmops(folder, "eval", "--model", "watched", "-q").returncode == 0
    asked = sum(server.requests for server in servers) - before
    assert sum(each["calls"] for each in explained["estimates"]) == asked == 2 * (CASES - 4)
