"""A model that gives away a key: no report shows a part of it, and one that is configured is not stored."""

import json
from pathlib import Path

import pytest
from command_line import llmops, report, write
from openai_server import OpenAiServer

KEY = "sk-envkey-99998888777"
FORMS = ("html", "junit", "markdown", "csv", "sarif", "code-quality")
SUITE = """dataset: datasets/s.jsonl
prompts: [ask]
targets: [m]
evaluators:
  - hallucination
  - secrets
  - contains: {any: expected}
  - regex: {pattern: "The deployment key sk.*"}
  - equals: {to: expected}
"""


def leaking(folder: Path, base: str) -> Path:
    words = "The deployment key that everybody has to use is"
    case = {
        "id": "c1",
        "vars": {"question": "Which key?"},
        "contexts": ["The deployment key is in the safe. Ask 4 people for it."],
        "expected": [f"{words} {KEY} and nothing else"],
    }
    files = {
        "llmops.yaml": f"models:\n  m: {{id: openai/m, api_base: {base}, max_retries: 0}}\n",
        "prompts/ask/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\n{{ question }}\n",
        "evals/s.yaml": SUITE,
        "datasets/s.jsonl": json.dumps(case) + "\n",
    }
    return write(folder, files)


def everything(folder: Path, **environment: str) -> dict[str, str]:
    """Each report of a run by its form, and what the commands printed."""
    named = [part for form in FORMS for part in (f"--{form}", f"r.{form}")]
    done = [llmops(folder, "eval", *named, **environment), llmops(folder, "eval", "--json", **environment)]
    done += [llmops(folder, "runs", "show", "--outputs", **environment), llmops(folder, "rag", "diagnose", **environment)]
    texts = {form: (folder / f"r.{form}").read_text() for form in FORMS}
    return texts | {"eval": done[0].stdout, "--json": done[1].stdout, "outputs": done[2].stdout, "diagnose": done[3].stdout}


@pytest.mark.parametrize("configured", [True, False])
def test_no_report_shows_a_part_of_a_key(tmp_path: Path, configured: bool) -> None:
    key = {"OPENAI_API_KEY": KEY if configured else "another-key-4711"}
    server = OpenAiServer()
    server.reply = lambda _: f"The deployment key {KEY} is used by 7 people. It was made in 1999 in Paris."
    with server.running():
        texts = everything(leaking(tmp_path, server.base), **key)
        asked = server.requests
        again = report(llmops(tmp_path, "eval", "--json", **key))
    assert asked == server.requests == 1
    assert again["counts"]["reused"] == 1
    found = again["results"][0]["evaluations"]
    assert (found["secrets"]["value"], found["secrets"]["passed"]) == (1.0, False)
    assert found["hallucination"]["reason"]
    if not configured:  # the answer is stored, and JSON holds what is stored
        texts["--json"] = json.dumps([each["reason"] for each in found.values()])
    assert [form for form, text in texts.items() if "sk-env" in text.replace("\u2060", "").replace("\\", "")] == []
    assert ("99998888777" in (tmp_path / ".llmops/llmops.db").read_bytes().decode("latin-1")) is not configured
