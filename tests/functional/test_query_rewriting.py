"""A model writes for queries over a real server: what is found, what is asked again, what it costs, and what fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, llmops_after, report, write
from openai_server import OpenAiServer

PAGES = {
    "docs/ferry.md": "# Crossing\n\nThe boat to the island leaves at noon on Sundays.\n",
    "docs/smoke.md": "# Smokehouse\n\nHerring hangs over beech wood for two days.\n",
    "docs/wool.md": "# Wool\n\nYarn is spun from the fleece of sheep that graze on the dunes.\n",
}
CASES = [
    {"id": "ferry", "vars": {"question": "zug qux?"}, "expected": ["noon"], "relevant": ["docs/ferry.md"]},
    {"id": "smoke", "vars": {"question": "plu vex?"}, "expected": ["beech"], "relevant": ["docs/smoke.md"]},
]
WORDINGS = {"zug qux?": "when does the boat leave", "plu vex?": "herring beech wood"}
SUITE = "dataset: datasets/d.jsonl\nindex: notes\nprompts: [say]\ntargets: [small]\nevaluators:\n  - retrieval: {k: [1]}\n"


def write_for(messages: list[dict[str, str]]) -> str:
    """As a model: other words, or the passage itself."""
    asked = messages[-1]["content"].strip()
    if "JSON" in messages[0]["content"]:
        return json.dumps({"queries": [WORDINGS[asked], asked.upper()]})
    return PAGES["docs/ferry.md" if asked == "zug qux?" else "docs/smoke.md"]


@pytest.fixture
def server(server: OpenAiServer) -> OpenAiServer:
    server.reply = write_for
    return server


def project(folder: Path, base: str, retrieve: str, model: str = "") -> Path:
    priced = f"id: openai/m, api_base: {base}, max_retries: 0, price: {{input_per_million: 1, output_per_million: 2}}{model}"
    models = f"models:\n  m: {{{priced}}}\n  small: {{id: embedded/reader-small}}\n"
    index = f"indexes:\n  notes: {{corpus: {{paths: ['docs/*.md']}}, retrieve: {{k: 1, {retrieve}}}}}\n"
    prompt = "user:\n{% for hit in contexts %}{{ hit.text }}\n{% endfor %}{{ question }}\n"
    rows = "".join(f"{json.dumps(case)}\n" for case in CASES)
    files = {"llmops.yaml": models + index, "prompts/say/prompt.j2": prompt, "datasets/d.jsonl": rows, "evals/e.yaml": SUITE}
    return write(folder, PAGES | files)


def evaluated(folder: Path, *options: str) -> dict[str, Any]:
    done = llmops(folder, "eval", "--json", "--no-gate", *options, OPENAI_API_KEY="k")
    assert done.returncode == 0, done.stderr
    return report(done)


def test_rewriting_finds_what_the_query_does_not_and_is_paid_for_once(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "rewrite: {model: m, queries: 2}")
    explained = json.loads(llmops(tmp_path, "eval", "--explain", "--json", OPENAI_API_KEY="k").stdout)["suites"][0]
    steps = {work["step"]: (work["name"], work["certain"], work["possible"]) for work in explained["work"]}
    assert steps["rewrite"] == ("notes · m", 2, 2)
    assert steps["retrieve"] == ("notes", 0, 2)
    assert explained["estimates"][0]["role"] == "rewrites"

    run = evaluated(tmp_path)
    metrics = {each["name"]: each["value"] for each in run["groups"][0]["evaluators"][0]["metrics"]}
    assert metrics["retrieval.recall@1"] == 1.0
    assert (run["writing"]["sent"], run["writing"]["spent_usd"]) == (2, pytest.approx(2 * 13e-6))
    assert any("queries rewritten by m: 2 calls now" in note for note in run["notes"])
    again = evaluated(tmp_path)
    assert (server.requests, again["writing"]["sent"], again["counts"]["retrieved"]) == (2, 0, 0)
    assert evaluated(tmp_path, "--refresh", "rewrite")["writing"]["sent"] == 2
    assert server.requests == 4

    found = llmops(tmp_path, "rag", "query", "zug qux?", OPENAI_API_KEY="k")
    assert "also searched for: when does the boat leave" in found.stdout
    assert "docs/ferry.md" in found.stdout
    measured = json.loads(llmops(tmp_path, "rag", "eval", "--json", "-k", "1", OPENAI_API_KEY="k").stdout)["configurations"][0]
    assert measured["metrics"]["recall@1"] == 1.0
    assert measured["stages_ms"]["rewrite"] > 0
    assert (measured["writing"]["calls"], measured["writing"]["sent"], server.requests) == (2, 0, 4)


def test_made_up_passages_are_searched_near(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "bm25: 0, hyde: {model: m, documents: 2}")
    run = evaluated(tmp_path)
    metrics = {each["name"]: each["value"] for each in run["groups"][0]["evaluators"][0]["metrics"]}
    assert (metrics["retrieval.recall@1"], server.requests) == (1.0, 4)
    found = llmops(tmp_path, "rag", "query", "zug qux?", OPENAI_API_KEY="k")
    assert (found.stdout.count("and near: # Crossing The boat"), server.requests) == (2, 4)


def test_each_made_up_passage_is_an_answer_of_its_own_in_a_batch_too(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "bm25: 0, hyde: {model: m, documents: 2}")
    quick = "from llmops.evaluation import batch_calls\nbatch_calls.QUIET_S = batch_calls.FIRST_LOOK_S = 0.1"
    explained = json.loads(llmops(tmp_path, "eval", "--batch", "--explain", "--json", OPENAI_API_KEY="k").stdout)["suites"][0]
    assert (explained["estimates"][0]["role"], explained["estimates"][0]["batched"]) == ("rewrites", True)
    done = llmops_after(quick, tmp_path, "eval", "--batch", "--json", "--no-gate", OPENAI_API_KEY="k")
    assert report(done)["writing"]["sent"] == server.requests == 4


def test_a_model_that_writes_nothing_usable_fails_the_cell_with_its_reason(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "rewrite: {model: m}")
    server.reply = lambda messages: "I cannot." if "plu" in messages[1]["content"] else write_for(messages)
    done = llmops(tmp_path, "eval", "--json", "--no-gate", OPENAI_API_KEY="k")
    run = report(done)
    assert (done.returncode, run["counts"]["failed"]) == (3, 1)
    (failed,) = [each for each in run["results"] if each["status"] == "failed"]
    assert failed["error"].startswith("BadResponse: no other wording of the query by 'm': the reply")
    asked = llmops(tmp_path, "rag", "query", "plu vex?", OPENAI_API_KEY="k")
    assert (asked.returncode, "no other wording of the query by 'm'" in asked.stderr) == (3, True)
    server.reply = write_for
    server.requests = 0
    assert evaluated(tmp_path)["counts"]["failed"] == 0
    assert server.requests == 1


def test_a_budget_holds_for_what_is_written(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "rewrite: {model: m}", ", concurrency: 1")
    (tmp_path / "llmops.yaml").write_text(
        (tmp_path / "llmops.yaml").read_text().replace(", price: {", ", params: {}, price: {")
    )
    done = llmops(tmp_path, "eval", "--json", "--no-gate", "--budget", "0.000001", "--concurrency", "1", OPENAI_API_KEY="k")
    assert (done.returncode, server.requests) == (5, 1)


def test_settings_that_cannot_work_are_refused(tmp_path: Path) -> None:
    for retrieve, told in (
        ("rewrite: {model: mm}", "names the model 'mm', which `models` does not have.\n    Did you mean `m`?"),
        ("rewrite: {model: small}", "an embedded reader: it copies sentences and cannot write"),
        ("dense: 0, hyde: {model: m}", "`hyde` needs `dense` above 0"),
        ("rewrite: {model: m, querys: 3}", "Did you mean `queries`?"),
        ("rewrite: {model: m, queries: 50}", "less than or equal to 10"),
        ("rewrite: {model: m, prompt: sai}", "sai"),
    ):
        project(tmp_path, "http://127.0.0.1:9/v1", retrieve)
        done = llmops(tmp_path, "validate")
        assert (done.returncode, told in done.stdout + done.stderr) == (2, True), done.stdout + done.stderr


def test_a_question_that_goes_on_from_a_conversation_is_rewritten_with_it(server: OpenAiServer, tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(messages: list[dict[str, str]]) -> str:
        asked.append(messages[-1]["content"])
        return json.dumps({"queries": ["when does the boat leave" if "island" in asked[-1] else "sheep"]})

    server.reply = reply
    project(tmp_path, server.base, "rewrite: {model: m, queries: 1}")
    turns = ["How do I get to the island?", "And when?"]
    row = {"id": "c", "turns": turns, "expected": ["noon"], "relevant": ["docs/ferry.md"]}
    (tmp_path / "datasets/d.jsonl").write_text(json.dumps(row) + "\n")
    front = "---\nvariables:\n  question: {type: string}\n  history: {type: messages}\n---\n"
    prompt = front + "{{ messages(history) }}\n\nuser:\n{% for hit in contexts %}{{ hit.text }}\n{% endfor %}{{ question }}\n"
    (tmp_path / "prompts/say/prompt.j2").write_text(prompt)
    run = evaluated(tmp_path)
    assert asked[0] == turns[0]
    first, *others = asked[1].splitlines()
    assert first.startswith("The conversation before the question")
    assert others[0] == f"user: {turns[0]}"
    assert others[1].startswith("assistant: ")
    assert others[-1] == turns[1]
    metrics = {each["name"]: each["value"] for each in run["groups"][0]["evaluators"][0]["metrics"]}
    assert metrics["retrieval.recall@1"] == 1.0
    assert run["writing"]["sent"] == 2
    assert (evaluated(tmp_path)["writing"]["sent"], len(asked)) == (0, 2)


def test_each_conversation_is_shown_with_the_passages_that_it_found(server: OpenAiServer, tmp_path: Path) -> None:
    def reply(messages: list[dict[str, str]]) -> str:
        asked = messages[-1]["content"]
        if "JSON" in messages[0]["content"]:
            return json.dumps({"queries": ["sheep wool" if "dry" in asked else "when does the boat leave"]})
        return "Stay dry." if "On land:" in asked else "Go to sea."

    server.reply = reply
    project(tmp_path, server.base, "rewrite: {model: m, queries: 1}")
    row = {"id": "c", "turns": ["plu vex?", "zug qux?"], "expected": ["noon"], "relevant": ["docs/ferry.md"]}
    front = "---\nvariables:\n  question: {type: string}\n  history: {type: messages}\n---\n{{ messages(history) }}\n\nuser:\n"
    body = "{% for hit in contexts %}{{ hit.text }}\n{% endfor %}{{ question }}\n"
    prompts = {"prompts/say/prompt.j2": front + body, "prompts/land/prompt.j2": f"{front}On land: {body}"}
    suite = SUITE.replace("[say]", "[say, land]").replace("small", "m")
    write(tmp_path, {"datasets/d.jsonl": json.dumps(row), "evals/e.yaml": suite, **prompts})
    evaluated(tmp_path)
    shown = llmops(tmp_path, "runs", "show", "--outputs").stdout
    said, land = shown.split("c  zug qux?")[1:]
    assert ("[1] docs/ferry.md" in said, "The boat to the island" in said, "Yarn" in said) == (True, True, False)
    assert ("[1] docs/wool.md" in land, "Yarn is spun" in land, "boat" in land) == (True, True, False)
