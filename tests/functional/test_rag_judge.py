"""Hits are judged over a real server where nothing is labelled: figures that can be checked by hand, reuse, and budgets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, write
from openai_server import OpenAiServer

TEXTS = {
    "light": "The lighthouse of the northern cape was built in 1873.",
    "herring": "Herring is smoked over beech wood in the old harbour.",
    "ferry": "The ferry to the island leaves at noon on Sundays.",
    "wool": "Knitting wool comes from sheep that graze on the dunes.",
}
QUESTIONS = {
    "light": "When was the lighthouse built?",
    "herring": "Which wood smokes herring?",
    "tide": "How high is the tide?",
}
PRICE = "price: {input_per_million: 1.0e+6, output_per_million: 2.0e+6}"
"""A call takes 7 + 3 tokens: 13 dollars."""


def judge(messages: list[dict[str, str]]) -> str:
    """As a model: a passage is of use that shares a rare word with the question."""
    asked = messages[1]["content"]
    name = next(name for name, question in QUESTIONS.items() if question in asked)
    items = re.findall(r"<<<item \d+ \w+>>>\n(.*?)\n<<<end item", asked, re.DOTALL)
    if "You check what a search has found" in messages[0]["content"]:
        useful = [name in item.casefold() for item in items]
    else:
        useful = [name == "light"]
    verdicts = [{"item": n, "reason": "so", "verdict": "yes" if yes else "no"} for n, yes in enumerate(useful, start=1)]
    return json.dumps({"verdicts": verdicts})


@pytest.fixture
def server(server: OpenAiServer) -> OpenAiServer:
    server.reply = judge
    return server


def unlabelled(folder: Path, base: str) -> Path:
    files = {f"docs/{name}.md": f"{text}\n" for name, text in TEXTS.items()}
    files["llmops.yaml"] = (
        f"models:\n  m: {{id: openai/m, api_base: {base}, concurrency: 1, max_retries: 0, {PRICE}}}\n"
        "  small: {id: embedded/reader-small}\nindexes:\n  notes: {corpus: {paths: ['docs/*.md']}, retrieve: {k: 2}}\n"
    )
    files["evals/e.yaml"] = "dataset: datasets/d.jsonl\nindex: notes\nprompts: [p]\ntargets: [small]\nevaluators: [latency]\n"
    rows = [{"id": name, "vars": {"question": question}} for name, question in QUESTIONS.items()]
    files["datasets/d.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
    return write(folder, files)


def judged(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = llmops(folder, "rag", "eval", "notes", "--judge", "m", *arguments, "--json", OPENAI_API_KEY="k")
    assert done.returncode == code, done.stderr
    (found,) = json.loads(done.stdout)["configurations"]
    return dict(found)


def test_hits_are_judged_where_nothing_is_labelled(server: OpenAiServer, tmp_path: Path) -> None:
    unlabelled(tmp_path, server.base)
    assert llmops(tmp_path, "rag", "eval", "notes").returncode == 2
    found = judged(tmp_path)
    assert (found["queries"], found["documents"], found["metrics"]) == (0, 4, {})
    told = found["judged"]
    # Two hits each: one of light's and one of herring's is of use, none of tide's.
    assert told["metrics"] == {"context_relevance": pytest.approx(1 / 3), "sufficiency": pytest.approx(1 / 3)}
    assert told["measured"] == {"context_relevance": 3, "sufficiency": 3}
    assert all(low < 1 / 3 < high for low, high in told["intervals"].values())
    assert (told["questions"], told["failed"], told["calls"], told["spent_usd"], told["stopped"]) == (3, 0, 6, 78, False)

    again = judged(tmp_path)["judged"]
    assert (again["metrics"], again["cost_usd"], again["spent_usd"]) == (told["metrics"], 78, 0)
    assert server.requests == 6
    shown = llmops(tmp_path, "rag", "eval", "notes", "--judge", "m", OPENAI_API_KEY="k").stdout
    assert "sufficiency        0.333 [" in shown
    assert "3 questions judged by m; 6 calls, worth $78.00, spent now $0" in shown
    assert "no case has `relevant`" in shown


def test_labels_and_a_judge_are_measured_side_by_side(server: OpenAiServer, tmp_path: Path) -> None:
    unlabelled(tmp_path, server.base)
    with (tmp_path / "datasets/d.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"id": "x", "vars": {"question": QUESTIONS["light"]}, "relevant": ["docs/light.md"]}) + "\n")
    found = judged(tmp_path, "-k", "1")
    assert (found["queries"], found["metrics"]["recall@1"]) == (1, 1.0)
    assert found["judged"]["metrics"]["sufficiency"] == 0.5


def test_a_budget_stops_the_judge_and_more_money_goes_on(server: OpenAiServer, tmp_path: Path) -> None:
    unlabelled(tmp_path, server.base)
    part = judged(tmp_path, "--budget", "50", code=5)["judged"]
    assert part["stopped"] is True
    assert (part["spent_usd"] <= 52, part["questions"] < 3, server.requests) == (True, True, 4)
    whole = judged(tmp_path, "--budget", "1000")["judged"]
    assert (whole["questions"], whole["spent_usd"], server.requests) == (3, 2 * 13, 6)


def test_what_the_judge_cannot_do_is_told(server: OpenAiServer, tmp_path: Path) -> None:
    unlabelled(tmp_path, server.base)
    server.reply = lambda messages: "I would rather not say."
    done = llmops(tmp_path, "rag", "eval", "notes", "--judge", "m", OPENAI_API_KEY="k")
    assert (done.returncode, "no usable verdict" in done.stderr) == (3, True)
    broke = llmops(tmp_path, "rag", "eval", "notes", "--judge", "m", "--budget", "0", OPENAI_API_KEY="k")
    assert (broke.returncode, "larger --budget" in broke.stderr) == (5, True)
    server.reply = lambda messages: judge(messages) if QUESTIONS["tide"] not in messages[1]["content"] else "no"
    told = judged(tmp_path)["judged"]
    assert (told["failed"], told["measured"]) == (1, {"context_relevance": 2, "sufficiency": 2})


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    unlabelled(tmp_path, "http://127.0.0.1:9/v1")
    for arguments, told in (
        (["notes", "--judge", "small"], "embedded reader"),
        (["notes", "--budget", "1"], "no use without --judge"),
        (["--beir", "docs", "--judge", "m"], "Leave --beir out"),
    ):
        done = llmops(tmp_path, "rag", "eval", *arguments)
        assert (done.returncode, told in " ".join(done.stderr.split())) == (2, True), done.stderr
    edit(tmp_path / "llmops.yaml", f", {PRICE}", "")
    done = llmops(tmp_path, "rag", "eval", "notes", "--judge", "m", "--budget", "1")
    assert (done.returncode, "needs the price of 'm'" in done.stderr) == (2, True)
