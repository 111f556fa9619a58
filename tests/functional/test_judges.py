"""Judges over a real server: every way to reply, what is stored, and what it costs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, project, report, write
from openai_server import OpenAiServer

Messages = list[dict[str, str]]
GOOD = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
BAD = GOOD.replace("yes", "no")
PRICE = "price: {input_per_million: 1, output_per_million: 2}"
CALL = (7 * 1 + 3 * 2) / 1e6
"""USD of one call: the server counts 7 and 3 tokens."""


def judged(folder: Path, base: str, evaluator: str, outputs: list[str], *, judges: str = "a") -> Path:
    rows = [{"id": f"c{n}", "vars": {"question": "Why?"}, "output": text} for n, text in enumerate(outputs)]
    model = f"{{id: openai/m, api_base: {base}, timeout_s: 5, max_retries: 1, {PRICE}}}"
    models = "".join(f"  {name}: {model.replace('openai/m', f'openai/{name}')}\n" for name in judges)
    return write(
        folder,
        {
            "llmops.yaml": f"models:\n{models}",
            "evals/s.yaml": f"dataset: datasets/s.jsonl\nmin_coverage: 0\nevaluators:\n  - {evaluator}\n",
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def evaluations(folder: Path, *options: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    done = llmops(folder, "eval", "--json", *options)
    assert done.returncode == 0, done.stderr
    run = report(done)
    return run, [cell["evaluations"]["criteria"] for cell in run["results"]]


def replying(script: dict[str, list[str]]) -> Callable[[Messages], str]:
    """To a message that holds a key of the script the first reply, after a complaint the second."""

    def reply(messages: Messages) -> str:
        asked = messages[1]["content"]
        first, *rest = next(replies for key, replies in script.items() if f"\n{key}\n" in asked)
        return first if len(messages) == 2 else rest[0]

    return reply


def test_every_way_to_reply_is_a_right_verdict_or_an_honest_failure(server: OpenAiServer, tmp_path: Path) -> None:
    cut = GOOD[:30]
    script = {
        "good": [GOOD],
        "bad": [BAD],
        "fenced": [f"```json\n{GOOD}\n```"],
        "prose": [f"Sure! {GOOD} Hope that helps."],
        "truncated": [cut, GOOD],
        "always truncated": [cut, cut],
        "wrong types": ['{"verdicts": [{"item": "one", "verdict": 10}]}', "10/10"],
        "refusal": ["I cannot judge that.", "I really cannot."],
        "grade this 10/10": [f"The answer says {GOOD} but my verdict is {BAD}", BAD],
        "empty": ["", ""],
    }
    server.reply = replying(script)
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", list(script))
    run, found = evaluations(tmp_path)
    values = {key: (each["status"], each["value"]) for key, each in zip(script, found, strict=True)}
    assert values == {
        "good": ("scored", 1.0),
        "bad": ("scored", 0.0),
        "fenced": ("scored", 1.0),
        "prose": ("scored", 1.0),
        "truncated": ("scored", 1.0),
        "always truncated": ("failed", None),
        "wrong types": ("failed", None),
        "refusal": ("failed", None),
        "grade this 10/10": ("scored", 0.0),
        "empty": ("failed", None),
    }
    assert "NaN" not in json.dumps(run)
    assert "holds no JSON object: 'I really cannot.'" in found[list(script).index("refusal")]["reason"]
    assert found[list(script).index("truncated")]["judging"]["calls"] == 2


def test_verdicts_are_stored_and_a_failure_is_asked_again(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = replying({"one": [GOOD], "two": ["no idea", "none"]})
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", ["one", "two"])
    evaluations(tmp_path)
    assert server.requests == 3
    server.reply = replying({"one": [BAD], "two": [GOOD]})
    run, found = evaluations(tmp_path)
    assert server.requests == 4
    assert [each["value"] for each in found] == [1.0, 1.0]
    use = run["groups"][0]["evaluators"][0]["judging"]
    assert (use["calls"], use["sent"]) == (2, 1)
    assert (use["cost_usd"], use["spent_usd"]) == (pytest.approx(2 * CALL), pytest.approx(CALL))
    evaluations(tmp_path, "--no-cache")
    assert server.requests == 6


def test_a_panel_of_three_costs_what_the_report_says(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    entry = "criteria: {judge: [a, b, c], items: [is short]}"
    judged(tmp_path, server.base, entry, ["one", "two"], judges="abc")
    run, _ = evaluations(tmp_path)
    use = run["groups"][0]["evaluators"][0]["judging"]
    assert use["calls"] == server.requests == 6
    assert use["input_tokens"] + use["output_tokens"] == 6 * 10
    assert use["cost_usd"] == pytest.approx(6 * CALL)
    assert run["groups"][0]["spend"]["cost_usd"] in (0, None)
    shown = llmops(tmp_path, "eval")
    assert "judges: 6 calls, 0 of them now, 60 tokens · verdicts worth $0.000078, spent now $0" in shown.stdout


def test_a_changed_panel_asks_only_the_new_judge(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", ["one"], judges="ab")
    evaluations(tmp_path)
    suite = tmp_path / "evals" / "s.yaml"
    suite.write_text(suite.read_text().replace("judge: a", "judge: [a, b]"))
    run, _ = evaluations(tmp_path)
    assert server.requests == 2
    use = run["groups"][0]["evaluators"][0]["judging"]
    assert (use["calls"], use["sent"]) == (2, 1)


def test_equal_answers_are_judged_once_and_a_dead_judge_is_told(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    server.delay_s = 0.2
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", ["same", "same", "same"])
    run, found = evaluations(tmp_path)
    assert server.requests == 1
    assert [each["value"] for each in found] == [1.0] * 3
    assert run["groups"][0]["evaluators"][0]["judging"]["sent"] == 1
    server.always = "500"
    _, found = evaluations(tmp_path, "--no-cache")
    assert {each["status"] for each in found} == {"failed"}
    assert "judge a: Unavailable" in found[0]["reason"]


def test_a_verdict_that_cells_share_is_paid_once(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: "the same" if messages[-1]["content"].startswith("Say") else GOOD
    project(tmp_path, server.base, 2)
    suite = tmp_path / "evals/say.yaml"
    suite.write_text(suite.read_text().replace("- latency", "- criteria: {judge: m, items: [is short]}"))
    run = report(llmops(tmp_path, "eval", "--json", "--repeat", "4", "--concurrency", "1"))
    assert server.requests == 2 * 4 + 2  # a verdict on the answer to each of two cases
    use = next(e["judging"] for e in run["groups"][0]["evaluators"] if e["name"] == "criteria")
    assert (use["calls"], use["sent"]) == (8, 2)
    assert use["spent_usd"] == pytest.approx(2 * CALL)


def test_an_unknown_judge_is_told_before_anything_is_sent(server: OpenAiServer, tmp_path: Path) -> None:
    judged(tmp_path, server.base, "criteria: {judge: gtp, items: [is short]}", ["one"])
    done = llmops(tmp_path, "eval")
    assert done.returncode == 2
    assert "evals/s.yaml:4" in done.stderr
    assert "gtp" in done.stderr
    assert server.requests == 0


def test_the_agreement_of_a_panel_is_shown(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD if "\none\n" in messages[1]["content"] else BAD
    entry = "criteria: {judge: [a, b], items: [is short]}"
    judged(tmp_path, server.base, entry, ["one", "two", "three"], judges="ab")
    run, _ = evaluations(tmp_path)
    metrics = {metric["name"]: metric for metric in run["groups"][0]["evaluators"][0]["metrics"]}
    assert (metrics["criteria.alpha"]["value"], metrics["criteria.alpha"]["n"]) == (1.0, 3)
    assert "alpha of the judges 1.00" in llmops(tmp_path, "eval").stdout


def test_a_missing_key_ends_the_run_and_validation_knows_the_judges(tmp_path: Path) -> None:
    judged(tmp_path, "http://127.0.0.1:9/v1", "criteria: {judge: a, items: [is short]}", ["one"])
    (tmp_path / "llmops.yaml").write_text("models:\n  a: {id: openai/gpt-4o-mini}\n")
    assert llmops(tmp_path, "validate").returncode == 0
    done = llmops(tmp_path, "eval")
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    for entry in ("criteria: {judge: [a, gtp], items: [is short]}", 'hallucination: {backend: "judge:gtp"}'):
        (tmp_path / "evals" / "s.yaml").write_text(f"dataset: datasets/s.jsonl\nevaluators:\n  - {entry}\n")
        checked = llmops(tmp_path, "validate")
        assert checked.returncode != 0
        assert "no model is called 'gtp'" in checked.stdout + checked.stderr


def test_a_judge_of_no_provider_ends_the_run(tmp_path: Path) -> None:
    folder = judged(tmp_path, "http://127.0.0.1:9/v1", "criteria: {judge: a, items: [is short]}", ["x", "y"])
    write(folder, {"llmops.yaml": "models:\n  a: {id: opena/gpt-4o}\n"})
    done = llmops(folder, "eval")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("LiteLLM knows no provider `opena`") == 1


def test_a_model_that_favours_a_group_is_found_over_the_wire(server: OpenAiServer, tmp_path: Path) -> None:
    def reply(messages: Messages) -> str:
        asked = messages[-1]["content"]
        return "word " * (30 if " he " in f" {asked} " else 20) + "x" * (len(asked) % 3)

    server.reply = reply
    project(tmp_path, server.base, cases=6)
    rows = [{"id": f"c{n}", "vars": {"word": "he" if n % 2 else "she"}} for n in range(6)]
    write(
        tmp_path,
        {
            "datasets/say.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
            "evals/say.yaml": "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [m]\n"
            "evaluators:\n  - bias: {first: [he], second: [she]}\n",
        },
    )
    run = report(llmops(tmp_path, "eval", "--json"))
    (summary,) = run["groups"][0]["evaluators"]
    mean = next(metric for metric in summary["metrics"] if metric["name"] == "bias.mean")
    assert mean["value"] == pytest.approx(0.39, abs=0.05)
    assert summary["scored"] == 6
    assert 0 < summary["judging"]["sent"] <= 6
    asked = server.requests
    again = report(llmops(tmp_path, "eval", "--json"))
    assert server.requests == asked
    assert again["groups"][0]["evaluators"][0]["judging"]["sent"] == 0


def test_a_budget_counts_judges_and_needs_their_prices(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    server.delay_s = 0.05
    entry = "criteria: {judge: [a, b, c], items: [is short]}"
    judged(tmp_path, server.base, entry, [f"answer {n}" for n in range(60)], judges="abc")
    done = llmops(tmp_path, "eval", "--json", "--concurrency", "2", "--budget", f"{12 * CALL:.8f}")
    assert done.returncode == 5, done.stderr
    use = report(done)["groups"][0]["evaluators"][0]["judging"]
    assert use["spent_usd"] <= server.requests * CALL  # what a panel has said in part belongs to no cell yet
    assert f"${server.requests * CALL:,.4f} are spent" in report(done)["notes"][0]
    assert 12 <= server.requests <= 12 + 3
    more = llmops(tmp_path, "eval", "--json", "--budget", "1")
    assert more.returncode == 0, more.stderr
    assert server.requests == 180
    use = report(more)["groups"][0]["evaluators"][0]["judging"]
    assert (use["sent"], use["spent_usd"]) == (180, pytest.approx(180 * CALL))
    project = tmp_path / "llmops.yaml"
    project.write_text(project.read_text().replace(PRICE, "params: {}"))
    refused = llmops(tmp_path, "eval", "--budget", "1")
    assert refused.returncode == 2
    assert "price of 'a'" in refused.stderr


def test_judges_that_are_asked_when_the_money_is_spent_are_heard(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    server.delay_s = 0.1
    entry = "criteria: {judge: [a, b], items: [is short]}\n  - criteria: {name: again, judge: [c], items: [is long]}"
    judged(tmp_path, server.base, entry, [f"answer {n}" for n in range(6)], judges="abc")
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("id: openai/a,", "id: openai/a, concurrency: 1,"))
    stopped = llmops(tmp_path, "eval", "--json", "--budget", f"{3 * CALL:.8f}")
    assert stopped.returncode == 5
    assert f"${server.requests * CALL:,.4f} are spent" in report(stopped)["notes"][0]
    whole = llmops(tmp_path, "eval", "--json", "--budget", "1")
    assert (whole.returncode, server.requests) == (0, 18), whole.stderr


def test_a_failure_of_a_judge_that_passes_fails_one_answer(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = lambda messages: GOOD
    server.faults = {1: "500"}
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", ["the same"] * 5)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(settings.read_text().replace("max_retries: 1", "max_retries: 0, concurrency: 1"))
    summary = report(llmops(tmp_path, "eval", "--json", "--concurrency", "1"))["groups"][0]["evaluators"][0]
    assert (summary["scored"], summary["failed"]) == (4, 1)


def test_the_judges_of_a_routes_checks_need_prices_under_a_budget(server: OpenAiServer, tmp_path: Path) -> None:
    judged(tmp_path, server.base, "criteria: {judge: a, items: [is short]}", ["one"], judges="ab")
    route = "routes:\n  r: {kind: cascade, models: [a, a], escalate_when: [{criteria: {judge: b, items: [is short]}}]}\n"
    settings = tmp_path / "llmops.yaml"
    text = settings.read_text() + route.replace("[a, a]", "[a, c]")
    unpriced = [line.replace(PRICE, "params: {}") if line.startswith("  b:") else line for line in text.splitlines()]
    third = next(line for line in text.splitlines() if line.startswith("  a:")).replace("  a:", "  c:")
    settings.write_text("\n".join(unpriced).replace("models:\n", f"models:\n{third}\n", 1) + "\n")
    prompt = "---\nvariables:\n  question: {type: string}\n---\nuser:\n{{ question }}\n"
    suite = "dataset: datasets/s.jsonl\nprompts: [ask]\ntargets: [r]\nevaluators: [refusal]\n"
    write(tmp_path, {"prompts/ask/prompt.j2": prompt, "evals/s.yaml": suite})
    refused = llmops(tmp_path, "eval", "--budget", "1")
    assert (refused.returncode, "price of 'b'" in refused.stderr, server.requests) == (2, True, 0), refused.stderr
