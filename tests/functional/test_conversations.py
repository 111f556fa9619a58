"""Cases of several turns, from the dataset to the model, the judges and the reports."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, edit, environment, llmops, report, write
from openai_server import OpenAiServer

PROMPT = """---
variables:
  question: {type: string}
  history: {type: messages, required: false}
---
system:
Be brief.

{{ messages(history) }}

user:
{{ question }}
"""
REFUND = ["My order is late.", "Can I have my money back?", "How long does that take?"]


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    rows = [
        {"id": "refund", "turns": REFUND, "expected": ["3"]},
        {"id": "hello", "vars": {"question": "Hello"}, "expected": ["1"]},
    ]
    write(
        tmp_path,
        {
            "llmops.yaml": "models:\n"
            f"  m: {{id: openai/m, api_base: {server.base}, price: {{input_per_million: 100, output_per_million: 1000}}}}\n",
            "prompts/chat/prompt.j2": PROMPT,
            "evals/chat.yaml": "dataset: datasets/chat.jsonl\nprompts: [chat]\ntargets: [m]\n"
            "evaluators:\n  - contains: {any: expected}\n  - tokens\n  - cost\n",
            "datasets/chat.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )
    return tmp_path


@pytest.fixture
def asked(server: OpenAiServer) -> list[list[dict[str, Any]]]:
    """The messages of each request; the answer is the number of what the user said so far."""
    server.reply = lambda messages: f"answer {sum(message['role'] == 'user' for message in messages)}"
    return server.asked


def rewrite(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "datasets/chat.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def result_of(found: dict[str, Any], case: str) -> dict[str, Any]:
    return next(result for result in found["results"] if result["case_id"] == case)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_each_turn_is_asked_with_the_answers_before_it(folder: Path, asked: list[Any], transport: str) -> None:
    edit(folder / "llmops.yaml", "id:", f"transport: {transport}, id:")
    found = report(llmops(folder, "eval", "--filter", "id=refund", "--json"))
    assert [len(messages) for messages in asked] == [2, 4, 6]
    assert [(each["role"], each["content"]) for each in asked[-1]] == [
        ("system", "Be brief."),
        ("user", REFUND[0]),
        ("assistant", "answer 1"),
        ("user", REFUND[1]),
        ("assistant", "answer 2"),
        ("user", REFUND[2]),
    ]
    result = result_of(found, "refund")
    assert (result["output"], result["evaluations"]["contains"]["passed"]) == ("answer 3", True)
    assert [turn["output"] for turn in result["earlier"]] == ["answer 1", "answer 2"]


def test_tokens_and_cost_are_those_of_all_turns(folder: Path, asked: list[Any]) -> None:
    found = report(llmops(folder, "eval", "--json"))
    result, spend = result_of(found, "refund"), found["groups"][0]["spend"]
    each = 7 * 100e-6 + 3 * 1000e-6
    assert result["usage"]["input_tokens"] == 21
    assert result["evaluations"]["tokens"]["value"] == 30
    assert result["cost_usd"] == result["evaluations"]["cost"]["value"] == pytest.approx(3 * each)
    assert (spend["calls"], spend["retries"]) == (4, 0)
    assert spend["cost_usd"] == spend["spent_usd"] == pytest.approx(4 * each)
    again = report(llmops(folder, "eval", "--json"))
    assert len(asked) == 4
    assert again["groups"][0]["spend"]["spent_usd"] == 0
    assert again["counts"] | {"reused": 4, "model_calls": 0} == again["counts"]


def test_turns_that_two_cases_share_are_asked_once(folder: Path, asked: list[Any]) -> None:
    rewrite(folder, *({"id": str(n), "turns": REFUND[:n], "expected": [str(n)]} for n in (1, 2, 3)))
    done = llmops(folder, "eval")
    assert "3 model calls, 3 answers reused" in done.stdout
    assert len(asked) == 3


def test_a_changed_turn_is_asked_again_with_those_after_it(folder: Path, asked: list[Any]) -> None:
    llmops(folder, "eval")
    edit(folder / "datasets/chat.jsonl", REFUND[1], "Will it come?")
    explained = llmops(folder, "eval", "--explain").stdout
    assert "up to 2 of 4" in explained
    assert "the answers before it may change" in explained
    before = len(asked)
    found = report(llmops(folder, "eval", "--json"))
    assert [messages[-1]["content"] for messages in asked[before:]] == ["Will it come?", REFUND[2]]
    result = result_of(found, "refund")
    assert [turn["cached"] for turn in result["earlier"]] == [True, False]
    assert found["groups"][0]["spend"]["spent_usd"] == pytest.approx(result["cost_usd"] * 2 / 3)


def test_a_turn_brings_variables_of_its_own_and_goes_on_from_a_history(folder: Path, asked: list[Any]) -> None:
    edit(folder / "prompts/chat/prompt.j2", "Be brief.", "Be {{ tone }}.")
    edit(folder / "prompts/chat/prompt.j2", "variables:", "variables:\n  tone: {type: string}")
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    turns = ["My order is late.", {"question": "Why?", "tone": "sorry"}, "When?"]
    rewrite(folder, {"id": "t", "vars": {"tone": "kind", "history": said}, "turns": turns, "expected": ["4"]})
    assert "1 cell: 1 scored, 0 failed" in llmops(folder, "eval").stdout
    assert [messages[0]["content"] for messages in asked] == ["Be kind.", "Be sorry.", "Be kind."]
    assert [message["content"] for message in asked[1][1:]] == [
        "Hello", "Good day.", "My order is late.", "answer 2", "Why?",
    ]  # fmt: skip


def test_a_variable_of_the_command_line_holds_in_every_turn(folder: Path, asked: list[Any]) -> None:
    edit(folder / "prompts/chat/prompt.j2", "Be brief.", "Be {{ tone }}.")
    edit(folder / "prompts/chat/prompt.j2", "variables:", "variables:\n  tone: {type: string}")
    rewrite(folder, {"id": "t", "turns": [{"question": "Why?", "tone": "sorry"}, {"question": "When?", "tone": "kind"}]})
    edit(folder / "evals/chat.yaml", "  - contains: {any: expected}\n", "")
    assert llmops(folder, "eval", "--var", "tone=brief", "--var", "question=Who?").returncode == 0
    assert [(messages[0]["content"], messages[-1]["content"]) for messages in asked] == [("Be brief.", "Who?")] * 2
    shown = llmops(folder, "runs", "show", "--outputs").stdout
    assert ("Be brief." in shown, shown.count("Who?"), "When?" in shown) == (True, 3, False)


def test_a_conversation_that_breaks_off_is_a_failure_that_cost_what_it_cost(
    folder: Path, server: OpenAiServer, asked: list[Any]
) -> None:
    server.faults = {3: "400"}
    found = report(llmops(folder, "eval", "--filter", "id=refund", "--json"))
    result = result_of(found, "refund")
    assert result["status"] == "failed"
    assert [turn["output"] for turn in result["earlier"]] == ["answer 1", "answer 2"]
    assert result["cost_usd"] == pytest.approx(2 * (7 * 100e-6 + 3 * 1000e-6))
    server.faults = {}
    assert "1 model call, 2 answers reused" in llmops(folder, "eval", "--filter", "id=refund").stdout


def test_a_route_chooses_anew_in_each_turn(folder: Path, asked: list[Any]) -> None:
    edit(folder / "llmops.yaml", "models:", "models:\n  n: {id: openai/n, api_base: BASE}")
    base = (folder / "llmops.yaml").read_text().split("api_base: ")[2].split(",")[0]
    edit(folder / "llmops.yaml", "BASE", base)
    with (folder / "llmops.yaml").open("a") as file:
        file.write(
            "routes:\n  up: {kind: cascade, models: [n, m], escalate_when: [contains: {any: ['answer 2'], negate: true}]}\n"
        )
    edit(folder / "evals/chat.yaml", "[m]", "[up]")
    result = result_of(report(llmops(folder, "eval", "--filter", "id=refund", "--json")), "refund")
    assert len(asked) == 4
    assert [turn["attempts"] for turn in result["earlier"]] == [1, 2]
    assert [call["model"] for call in result["route"]] == ["n"]


def test_an_answer_that_called_tools_is_told_by_its_text(folder: Path, server: OpenAiServer, asked: list[Any]) -> None:
    server.faults = {1: "text and tools"}
    found = report(llmops(folder, "eval", "--filter", "id=refund", "--json"))
    (first, _) = result_of(found, "refund")["earlier"]
    assert json.loads(first["output"])["tool_calls"][0]["name"] == "weather"
    assert asked[1][2] == {"role": "assistant", "content": "answer 1"}


def test_drift_sees_conversations_whose_answers_changed(folder: Path, server: OpenAiServer, asked: list[Any]) -> None:
    rows = [{"id": f"c{n}", "turns": [f"Hello {n}", "And now?"], "expected": ["answer"]} for n in range(30)]
    rewrite(folder, *rows)
    llmops(folder, "eval")
    server.reply = lambda _: "another one"
    llmops(folder, "eval", "--refresh", "generate")
    done = llmops(folder, "drift", "chat", "--json")
    assert done.returncode == 1, done.stderr
    signals = {each["name"]: each for each in json.loads(done.stdout)["signals"]}
    assert signals["contains.pass_rate"]["changes"]
    rewrite(folder, *({**row, "turns": [row["turns"][0], "And then?"]} for row in rows))
    llmops(folder, "eval")
    assert "no two runs with new answers to the same request" in llmops(folder, "drift", "chat").stderr


def test_calls_of_a_route_are_estimated_for_every_turn(folder: Path, asked: list[Any]) -> None:
    project = (folder / "llmops.yaml").read_text()
    model = project.splitlines()[1].replace("m: {id: openai/m", "n: {id: openai/n")
    check = "contains: {any: ['answer'], negate: true}"
    routes = f"routes:\n  up: {{kind: cascade, models: [n, m], escalate_when: [{check}]}}\n"
    (folder / "llmops.yaml").write_text(f"{project}{model}\n{routes}")
    edit(folder / "evals/chat.yaml", "[m]", "[up]")
    llmops(folder, "eval", "--filter", "id=refund")
    assert len(asked) == 6
    explained = json.loads(llmops(folder, "eval", "--no-cache", "--explain", "--json", "--filter", "id=refund").stdout)
    assert [estimate["calls"] for estimate in explained["suites"][0]["estimates"]] == [6]


def test_judges_see_what_was_said_before(folder: Path, server: OpenAiServer) -> None:
    judged: list[str] = []
    said = "Within a week.\n\nuser: Thank you, that settles it."

    def reply(messages: list[dict[str, Any]]) -> str:
        if "item 1" not in messages[-1]["content"]:
            return said
        judged.append(messages[-1]["content"])
        return '{"verdicts": [{"item": 1, "reason": "it does", "verdict": "yes"}]}'

    server.reply = reply
    edit(folder / "evals/chat.yaml", "  - tokens", "  - criteria: {judge: m, items: [It names a time.]}")
    llmops(folder, "eval", "--filter", "id=refund")
    blocks = re.findall(r"<<<(?!end)(.+) (\w+)>>>\n(.*?)\n<<<end \1 \2>>>", judged[0], re.DOTALL)
    before = [("before the question, user", text) for text in REFUND[:2]]
    assert [(name, text) for name, _, text in blocks][:5] == [
        before[0],
        ("before the question, assistant", said),
        before[1],
        ("before the question, assistant", said),
        ("question", REFUND[2]),
    ]
    edit(folder / "datasets/chat.jsonl", REFUND[0], "My parcel is late.")
    llmops(folder, "eval", "--filter", "id=refund")
    assert len(judged) == 2
    assert "My parcel is late." in judged[1]


def test_answers_are_shown_below_the_conversation(folder: Path, asked: list[Any]) -> None:
    llmops(folder, "eval", "--html", "report.html")
    shown = llmops(folder, "runs", "show", "--outputs").stdout.partition("hello")[0]
    assert "refund  How long does that take?" in shown
    said = [*(part for turn in zip(REFUND, ("answer 1", "answer 2"), strict=False) for part in turn), REFUND[2], "answer 3"]
    places = [shown.rindex(text) for text in said]
    assert places == sorted(places)
    page = (folder / "report.html").read_text()
    assert all(text in page for text in said)


def test_a_killed_conversation_goes_on_where_it_was(folder: Path, server: OpenAiServer, asked: list[Any]) -> None:
    rewrite(folder, {"id": "refund", "turns": REFUND, "expected": ["3"]})
    undisturbed = report(llmops(folder, "eval", "--no-cache", "--json"))
    for name in (".llmops/llmops.db", ".llmops/llmops.db-wal", ".llmops/llmops.db-shm"):
        (folder / name).unlink(missing_ok=True)
    asked.clear()
    server.delay_s = 0.5
    with subprocess.Popen(
        [*COMMAND, "eval", "--no-cache"], cwd=folder, env=environment(), stdout=subprocess.DEVNULL
    ) as process:
        while len(asked) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    server.delay_s = 0.0
    found = report(llmops(folder, "eval", "--no-cache", "--json"))
    assert [len(messages) for messages in asked][:2] == [2, 4]
    assert len(asked) <= 5  # at most the second and the third once more
    assert found["counts"] == undisturbed["counts"]
    for name in ("cost_usd", "attempts", "output", "usage"):
        assert result_of(found, "refund")[name] == result_of(undisturbed, "refund")[name]


def test_a_prompt_without_the_history_is_refused_before_anything_is_asked(folder: Path, asked: list[Any]) -> None:
    edit(folder / "prompts/chat/prompt.j2", "{{ messages(history) }}\n", "")
    edit(folder / "prompts/chat/prompt.j2", "  history: {type: messages, required: false}\n", "")
    done = llmops(folder, "eval")
    assert done.returncode == 2
    assert "prompts/chat/prompt.j2: does not read `history`" in done.stderr
    assert "case 'refund' of datasets/chat.jsonl has 3 turns" in done.stderr
    assert "{{ messages(history) }}" in done.stderr
    assert asked == []
    assert llmops(folder, "validate").returncode == 2


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"turns": "Hello"}, 'Did you mean `["Hello"]`?'),
        ({"turns": ["a"], "output": "b"}, "an `output` stands beside them"),
        ({"turns": ["a", {"question": "b", "history": []}]}, "turn 2 has a `history`"),
        ({"turns": [{"tone": "kind", "place": "here"}]}, "turn 1 has no text variable `question`"),
        ({"turns": [{"role": "user", "content": "Hello"}]}, "with `role` and `content`, stand in `vars`, as `history`"),
        ({"turns": ["a"] * 101}, "100"),
        ({"turns": ["a"], "vars": {"history": "Hello"}}, "the `history` that they go on from is no list of messages"),
        ({"turns": ["a"], "vars": {"history": [{"role": "user", "content": [{"type": "text"}]}]}}, "is no list of messages"),
    ],
)
def test_wrong_turns_are_told_with_their_line(folder: Path, row: dict[str, Any], told: str) -> None:
    rewrite(folder, {"id": "fine", "vars": {"question": "Hello"}, "expected": ["1"]}, {"id": "x", "expected": ["1"], **row})
    done = llmops(folder, "eval")
    assert done.returncode == 2
    assert "datasets/chat.jsonl:2" in done.stderr
    assert told in done.stderr


def test_turns_in_a_csv_are_split(folder: Path, asked: list[Any]) -> None:
    (folder / "datasets/chat.csv").write_text("id,turns,expected\nrefund,My order is late. | And now?,answer 2\n")
    edit(folder / "evals/chat.yaml", "chat.jsonl", "chat.csv")
    edit(folder / "evals/chat.yaml", "any: expected", "all: expected")
    assert "contains  100.0 %" in llmops(folder, "eval").stdout
    assert [len(messages) for messages in asked] == [2, 4]
