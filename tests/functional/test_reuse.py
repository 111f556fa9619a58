"""Nothing is done twice: what a change touches runs again, and the server counts that nothing else does."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, project, report, write
from openai_server import OpenAiServer

VERDICT = '{"verdicts": [{"item": 1, "reason": "short", "verdict": "yes"}]}'
JUDGE_PROMPT = (
    "---\nvariables:\n  material: {type: array}\n---\nuser:\nHold it against each item.\n{{ material | join('\\n') }}\n"
)


def judged(messages: list[dict[str, str]]) -> str:
    """A verdict to a judge's prompt, an echo to every other."""
    asked = messages[-1]["content"]
    return VERDICT if "item 1" in asked else f"echo: {asked}"


def asked(server: OpenAiServer, folder: Path, *options: str) -> int:
    """Requests that one run makes."""
    before = server.requests
    done = llmops(folder, "eval", "--no-gate", "-q", *options)
    assert done.returncode == 0, done.stderr
    return server.requests - before


def two_prompts(folder: Path, base: str, cases: int = 5) -> Path:
    project(folder, base, cases)
    other = (folder / "prompts/say/prompt.j2").read_text().replace("Say", "Sing")
    write(folder, {"prompts/sing/prompt.j2": other})
    edit(folder / "evals/say.yaml", "[say]", "[say, sing]")
    return folder


def test_only_what_a_change_touches_is_asked_again(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    assert asked(server, tmp_path) == 10
    assert asked(server, tmp_path) == 0
    edit(tmp_path / "prompts/sing/prompt.j2", "now", "soon")
    assert asked(server, tmp_path) == 5
    edit(tmp_path / "datasets/say.jsonl", '"word": "w3"', '"word": "other"')
    assert asked(server, tmp_path) == 2
    edit(tmp_path / "evals/say.yaml", "whole_words: true", "whole_words: true, min: 0.5")
    assert asked(server, tmp_path) == 0
    assert asked(server, tmp_path, "--repeat", "3") == 20
    edit(tmp_path / "llmops.yaml", "concurrency: 8", "concurrency: 8, params: {temperature: 0}")
    assert asked(server, tmp_path) == 10


def test_an_answer_holds_for_the_address_that_the_environment_names(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    edit(tmp_path / "llmops.yaml", f"api_base: {server.base}, ", "")
    with OpenAiServer().running() as other:
        for place, made in ((server, 3), (other, 3), (server, 0)):
            before = place.requests
            done = llmops(tmp_path, "eval", "--no-gate", "-q", OPENAI_API_KEY="none", OPENAI_BASE_URL=place.base)
            assert done.returncode == 0, done.stderr
            assert place.requests - before == made


def test_a_judges_prompt_asks_the_judge_again_and_nobody_else(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = judged
    two_prompts(tmp_path, server.base)
    write(tmp_path, {"prompts/grade/prompt.j2": JUDGE_PROMPT})
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short], prompt: grade, min: 1}\n")
    assert asked(server, tmp_path) == 20
    edit(tmp_path / "prompts/grade/prompt.j2", "against each", "against the")
    server.prompts.clear()
    assert asked(server, tmp_path) == 10
    assert all("item 1" in prompt for prompt in server.prompts)
    edit(tmp_path / "evals/say.yaml", "min: 1}", "min: 0.5}")
    assert asked(server, tmp_path) == 0


def test_a_verdict_outlives_what_its_judge_does_not_read(server: OpenAiServer, tmp_path: Path) -> None:
    server.reply = judged
    project(tmp_path, server.base, 5)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - criteria: {judge: m, items: [is short], min: 1}\n")
    assert asked(server, tmp_path) == 10
    dataset = tmp_path / "datasets/say.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    changed = [{**row, "tags": ["new"], "expected": ["something"], "metadata": {"from": "a log"}} for row in rows]
    dataset.write_text("".join(json.dumps(row) + "\n" for row in changed))
    assert "5 cells, 5 of them complete in the store" in llmops(tmp_path, "eval", "--explain").stdout
    assert asked(server, tmp_path) == 0


def test_an_index_built_again_with_equal_passages_asks_nobody(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(f'{settings.read_text()}indexes:\n  notes: {{corpus: {{paths: ["notes/*.md"]}}, retrieve: {{k: 1}}}}\n')
    text = "Say {% for hit in contexts %}{{ hit.text }}{% endfor %}"
    for name in ("say", "sing"):
        edit(tmp_path / f"prompts/{name}/prompt.j2", "now", f"now. {text}")
    edit(tmp_path / "evals/say.yaml", "targets", "index: notes\nquery: word\ntargets")
    write(tmp_path, {"notes/a.md": "# Words\n\nw0 w1 w2 w3 w4\n"})
    assert asked(server, tmp_path) == 10
    write(tmp_path, {"notes/b.md": "# Elsewhere\n\nNothing of the sort is told here about anything.\n"})
    assert asked(server, tmp_path) == 0
    assert '"chunks": 2' in llmops(tmp_path, "rag", "status", "--json").stdout


def step(*names: str) -> list[str]:
    return [option for name in names for option in ("--refresh", name)]


@pytest.mark.parametrize(
    ("options", "answers", "verdicts"),
    [
        (step("generate"), 5, 0),  # the same answers come back, so that their verdicts hold
        (step("judge"), 0, 5),
        (step("retrieve", "detect"), 0, 0),
        (step("generate", "judge"), 5, 5),
        (["--no-cache"], 5, 5),
    ],
)
def test_one_step_can_be_done_again(
    server: OpenAiServer, tmp_path: Path, options: list[str], answers: int, verdicts: int
) -> None:
    server.reply = judged
    project(tmp_path, server.base, 5)
    edit(tmp_path / "evals/say.yaml", "  - latency\n", "  - latency\n  - criteria: {judge: m, items: [is short], min: 1}\n")
    asked(server, tmp_path)
    server.prompts.clear()
    done = llmops(tmp_path, "eval", "--json", "--no-gate", *options)
    assert done.returncode == 0, done.stderr
    run: dict[str, Any] = report(done)
    assert run["counts"]["model_calls"] == answers
    assert sum(server.prompts.values()) == answers + verdicts


def test_an_unknown_step_names_the_nearest(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    done = llmops(tmp_path, "eval", "--refresh", "generat")
    assert done.returncode == 2
    assert "Did you mean `generate`?" in done.stderr


def test_equal_answers_with_equal_evidence_are_evaluated_once(tmp_path: Path) -> None:
    rows = [{"id": f"c{n}", "vars": {"word": "one"}, "output": "You are kind." if n % 3 else "You fool."} for n in range(40)]
    suite = "dataset: datasets/said.jsonl\nevaluators:\n  - toxicity: {backend: embedded, max: 0.5}\n"
    write(
        tmp_path,
        {
            "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
            "evals/said.yaml": f"{suite}  - toxicity: {{name: strict, backend: embedded, max: 0.1}}\n",
            "datasets/said.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )
    for option in ("--limit=40", "--no-cache", "--refresh=detect"):
        assert report(llmops(tmp_path, "eval", "--json", option))["counts"]["evaluated"] == 2
    assert report(llmops(tmp_path, "eval", "--json"))["counts"]["evaluated"] == 0
