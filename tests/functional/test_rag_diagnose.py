"""`llmops rag diagnose`: every fault once, on a run of a small project; the guide's commands, typed to the letter."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, write
from guides import blocks, typed
from openai_server import OpenAiServer

NOTES = {
    "notes/bridge.md": "# Bridge\n\nThe bridge over the Dorn is 400 metres long.\n",
    "notes/ferry.md": "# Ferry\n\nThe boat crosses every hour until ten in the evening.\n",
    "notes/gate.md": "# Toll gate\n\nThe toll gate: toll gate opens at six.\n",
    "notes/toll.md": "# Prices\n\nA car pays nine crowns of toll.\n",
}
CASES: list[dict[str, Any]] = [
    {"id": "right", "q": "How long is the bridge?", "expected": ["400"], "relevant": ["notes/bridge.md"]},
    {"id": "lost", "q": "How long is the tunnel under the bridge?", "expected": ["90"], "relevant": ["notes/tunnel.md"]},
    {"id": "missed", "q": "When do vessels sail last?", "expected": ["ten"], "relevant": ["notes/ferry.md"]},
    {"id": "cut", "q": "What is the toll at the toll gate?", "expected": ["nine crowns"], "relevant": ["notes/toll.md"]},
    {"id": "ignored", "q": "How often does the boat cross?", "expected": ["every hour"], "relevant": ["notes/ferry.md"]},
    {"id": "against", "q": "How many metres is the bridge long?", "expected": ["400"], "relevant": ["notes/bridge.md"]},
    {"id": "invented", "q": "Who built the bridge?", "relevant": []},
    {"id": "unlabelled", "q": "Is the bridge old?", "expected": ["no"]},
    {"id": "reference", "q": "What do cars pay?", "expected": ["Drivers of cars have to pay a toll of nine crowns."]},
]
ANSWERS = {
    "How long is the bridge?": "The bridge over the Dorn is 400 metres long.",
    "How often does the boat cross?": "The passages do not say.",
    "How many metres is the bridge long?": "It opened in 1950 and is 900 metres long.",
    "Who built the bridge?": "Masons built the bridge.",
    "What is the toll at the toll gate?": "\x1b[31mThe gate opens at six.",
}


def _project(folder: Path, base: str) -> None:
    rows = []
    for case in CASES:
        tags = [] if "expected" in case else ["unanswerable"]
        rows.append({k: v for k, v in case.items() if k != "q"} | {"vars": {"question": case["q"]}, "tags": tags})
    write(
        folder,
        {
            **NOTES,
            "llmops.yaml": f"models:\n  m: {{id: openai/m, api_base: {base}}}\nindexes:\n  notes:\n"
            "    corpus: {paths: ['notes/*.md']}\n    embedder: {kind: static}\n    retrieve: {dense: 0, bm25: 9, k: 2}\n",
            "prompts/ask/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\n"
            "{% for hit in contexts[:1] %}{{ hit.text }}\n{% endfor %}{{ question }}\n",
            "evals/q.yaml": "dataset: datasets/q.jsonl\nprompts: [ask]\ntargets: [m]\nindex: notes\nevaluators:\n"
            "  - contains: {any: expected}\n  - refusal: {expected: {tags: [unanswerable]}}\n  - latency\n",
            "datasets/q.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnose")
    server = OpenAiServer()
    server.reply = lambda messages: next((a for q, a in ANSWERS.items() if q in messages[-1]["content"]), "It is blue.")
    with server.running() as running:
        _project(folder, running.base)
        done = llmops(folder, "eval", "evals/q.yaml", OPENAI_API_KEY="k")
        assert done.returncode == 0, done.stderr
    return folder


def test_every_wrong_answer_goes_to_the_stage_that_lost_it(folder: Path) -> None:
    found = json.loads(llmops(folder, "rag", "diagnose", "--json").stdout)
    assert {wrong["case_id"]: wrong["fault"] for wrong in found["wrong"]} == {
        "lost": "not in corpus",
        "missed": "not retrieved",
        "cut": "cut",
        "ignored": "ignored",
        "against": "contradicted",
        "invented": "should decline",
        "unlabelled": "unknown",
        "reference": "unknown",
    }
    (share,) = found["shares"]
    assert (share["answers"], share["wrong"]) == (9, 8)
    assert share["before_the_model"] == pytest.approx(3 / 6)
    places = {wrong["case_id"]: wrong["places"] for wrong in found["wrong"]}
    assert places["missed"] == ["notes/ferry.md:9-62"]
    assert (found["evaluators"], found["notes"]) == (["contains", "refusal"], [])


def test_the_terminal_and_markdown_tell_the_same_without_escapes(folder: Path) -> None:
    shown = llmops(folder, "rag", "diagnose", COLUMNS="80").stdout
    assert "3 (50% [" in shown
    assert "'It opened in 1950 and is 900 metres long.' number differs; notes/bridge.md says" in shown
    assert "passage 2 of 2 holds it and is not in the prompt" in shown
    assert "\x1b[31m" not in shown
    assert llmops(folder, "rag", "diagnose", "--markdown", "faults.md").stdout == ""
    written = (folder / "faults.md").read_text()
    assert "| not retrieved | 1 |" in written
    assert "\x1b" not in written


def test_the_chosen_evaluators_decide_what_is_wrong(folder: Path) -> None:
    found = json.loads(llmops(folder, "rag", "diagnose", "--evaluator", "refusal", "--json").stdout)
    assert {wrong["case_id"] for wrong in found["wrong"]} == {"ignored", "invented"}
    typo = llmops(folder, "rag", "diagnose", "--evaluator", "refusals")
    assert (typo.returncode, "Did you mean `refusal`?" in typo.stderr) == (2, True)


def test_an_answer_that_states_the_fact_and_fails_is_not_told_to_ignore_it(tmp_path: Path) -> None:
    server = OpenAiServer()
    server.reply = lambda _: "It is 400 metres long."
    with server.running() as running:
        _project(tmp_path, running.base)
        suite = (tmp_path / "evals/q.yaml").read_text().replace("contains: {any: expected}", "equals")
        case = (tmp_path / "datasets/q.jsonl").read_text().partition("\n")[0]
        write(tmp_path, {"evals/q.yaml": suite, "datasets/q.jsonl": case})
        llmops(tmp_path, "eval", "evals/q.yaml", OPENAI_API_KEY="k")
    (wrong,) = json.loads(llmops(tmp_path, "rag", "diagnose", "--json").stdout)["wrong"]
    assert (wrong["fault"], wrong["detail"]) == ("ignored", "passage 1 of 1 holds it, and the answer states it, too")


def test_the_commands_of_the_guide_work(folder: Path) -> None:
    lines = [line for kind, body in blocks("read-diagnose.md") if kind == "bash" for line in body.splitlines()]
    printed = {line: typed(folder, line) for line in lines}
    assert len(printed) >= 4
    assert "lost before the model" in printed["llmops rag diagnose @last"]


def test_passages_that_the_store_has_lost_blame_nobody(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    assert "9 nodes removed" in llmops(tmp_path, "cache", "clear", "--kind", "retrieve").stdout
    found = json.loads(llmops(tmp_path, "rag", "diagnose", "--json").stdout)
    assert {wrong["fault"] for wrong in found["wrong"]} == {"should decline", "unknown"}
    assert (found["shares"][0]["counts"]["unknown"], found["shares"][0]["before_the_model"]) == (7, 0)
    (note,) = found["notes"]
    assert note.startswith("7 wrong answers are not attributed: the passages are no longer in the store.")
    assert note.endswith("llmops eval evals/q.yaml")
    shown = llmops(tmp_path, "runs", "show", "--outputs", "--case", "cut").stdout
    told = " ".join(shown.replace("│", " ").split())
    assert ": not shown, the passages are no longer in the store" in told
    assert llmops(tmp_path, "runs", "export", "@last", "-o", "run.html").returncode == 0
    page = (tmp_path / "run.html").read_text()
    assert page.count('<p class="inconclusive">the passages are no longer in the store</p>') == 9
    assert page.count("not shown: the passages are no longer in the store") == 9


def test_a_changed_index_or_dataset_is_told(folder: Path) -> None:
    write(folder, {"notes/tunnel.md": "# Tunnel\n\nThe tunnel is 90 metres long.\n"})
    assert llmops(folder, "rag", "index").returncode == 0
    found = json.loads(llmops(folder, "rag", "diagnose", "--json").stdout)
    assert next(w["fault"] for w in found["wrong"] if w["case_id"] == "lost") == "not retrieved"
    assert "has changed since the run" in found["notes"][0]
    with (folder / "datasets/q.jsonl").open("a") as file:
        file.write('{"id": "new", "vars": {"question": "?"}}\n')
    refused = llmops(folder, "rag", "diagnose")
    assert (refused.returncode, "llmops eval evals/q.yaml" in refused.stderr) == (2, True)


def test_a_passage_that_was_cut_from_the_last_turn_of_a_conversation_is_cut(tmp_path: Path) -> None:
    server = OpenAiServer()
    server.reply = lambda _: "It is blue."
    with server.running() as running:
        _project(tmp_path, running.base)
        prompt = (tmp_path / "prompts/ask/prompt.j2").read_text()
        prompt = prompt.replace("\n---\nuser:", "\n  history: {type: messages}\n---\n{{ messages(history) }}\n\nuser:")
        turns = ["How long is the bridge?", "What is the toll at the toll gate?"]
        case = {"id": "c", "turns": turns, "expected": ["nine crowns"], "relevant": ["notes/toll.md"]}
        write(tmp_path, {"prompts/ask/prompt.j2": prompt, "datasets/q.jsonl": json.dumps(case)})
        edit(tmp_path / "evals/q.yaml", "  - refusal: {expected: {tags: [unanswerable]}}\n", "")
        llmops(tmp_path, "eval", "evals/q.yaml", OPENAI_API_KEY="k")
    (wrong,) = json.loads(llmops(tmp_path, "rag", "diagnose", "--json").stdout)["wrong"]
    assert (wrong["fault"], wrong["query"]) == ("cut", turns[1])
