"""Answers that exist already are scored line by line, whatever the log holds."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, environment, llmops
from openai_server import OpenAiServer

from llmops.domain.errors import UsageError
from llmops.workflows.score import LogScorer

GOOD = {
    "id": 7,
    "input": "When does the boat leave?",
    "output": "The boat leaves at 9:15.",
    "contexts": "The boat leaves at 9:15.",
}
BAD = {"output": "The captain was born in 1921 in Paris.", "contexts": ["The boat leaves at 9:15.", "Tickets cost 12 euros."]}
TOXIC = {"output": "You are a fucking idiot.", "contexts": [], "trace": {"deep": [1, None]}}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def scored(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_line_comes_back_with_its_scores(tmp_path: Path) -> None:
    lines(tmp_path / "log.jsonl", GOOD, BAD, TOXIC)
    done = llmops(tmp_path, "score", "log.jsonl")
    assert done.returncode == 0, done.stderr
    good, bad, toxic = scored(done.stdout)
    assert {k: v for k, v in toxic.items() if k != "scores"} == TOXIC
    assert good["scores"]["hallucination"]["passed"] is True
    found = bad["scores"]["hallucination"]
    assert (found["status"], found["passed"]) == ("scored", False)
    assert BAD["output"][found["spans"][0]["start"] : found["spans"][0]["end"]]
    assert toxic["scores"]["hallucination"] | {"reason": ""} == {
        "value": None, "passed": None, "status": "unmeasured", "spans": [], "reason": "",
    }  # fmt: skip
    assert toxic["scores"]["toxicity"]["passed"] is False
    assert set(good["scores"]) == {"hallucination", "toxicity"}
    assert "3 lines scored" in done.stderr


def test_passages_may_have_names_and_an_answer_that_names_them_invents_nothing(tmp_path: Path) -> None:
    output = "The boat leaves at 9:15.\n\nSources:\n- docs/boat.md"
    passage = {"text": "The boat leaves at 9:15.", "source": "docs/boat.md", "heading": "Times"}
    named, unnamed = {"output": output, "contexts": [passage]}, {"output": output, "contexts": [passage["text"]]}
    other = {"output": "The boat leaves at 9:51.", "contexts": [passage]}
    lines(tmp_path / "log.jsonl", named, unnamed, other)
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "hallucination")
    assert done.returncode == 0, done.stderr
    values = [each["scores"]["hallucination"]["value"] for each in scored(done.stdout)]
    assert values[0] < 0.5 < values[1]
    [span, *_] = scored(done.stdout)[2]["scores"]["hallucination"]["spans"]
    assert span["source"] == "docs/boat.md"


def test_what_a_judge_took_is_told(server: OpenAiServer, tmp_path: Path) -> None:
    model = f"{{id: openai/m, api_base: {server.base}, price: {{input_per_million: 1, output_per_million: 2}}}}"
    (tmp_path / "llmops.yaml").write_text(f"models:\n  grader: {model}\n")
    server.reply = lambda messages: '{"claims": []}'
    lines(tmp_path / "log.jsonl", GOOD, BAD)
    done = llmops(tmp_path, "score", "log.jsonl", "--evaluator", "hallucination:judge:grader", "--evaluator", "pii")
    assert done.returncode == 0, done.stderr
    assert "judges: 2 calls, 2 of them now, 20 tokens" in done.stderr
    assert "spent now $0.000026" in done.stderr
    assert "judges:" not in llmops(tmp_path, "score", "log.jsonl", "--evaluator", "pii").stderr


def test_a_log_in_which_nothing_is_measured_says_why(tmp_path: Path) -> None:
    lines(tmp_path / "log.jsonl", {"output": "It leaves at 9:15.", "context": "The boat leaves at 9:15."})
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "hallucination")
    assert done.returncode == 0
    told = "hallucination: 0 of 0 did not pass, 1 unmeasured: there are no passages (`contexts`) to hold the answer against\n"
    assert told in done.stderr
    lines(tmp_path / "log.jsonl", GOOD, TOXIC)
    told = "hallucination: 0 of 1 did not pass, 1 unmeasured\n"
    assert told in llmops(tmp_path, "score", "log.jsonl", "-e", "hallucination").stderr


def test_evaluators_thresholds_and_their_keys(tmp_path: Path) -> None:
    lines(tmp_path / "log.jsonl", TOXIC)
    (row,) = scored(
        llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity:embedded", "-e", "toxicity", "--threshold", "1").stdout
    )
    assert list(row["scores"]) == ["toxicity:embedded", "toxicity"]
    assert all(each["passed"] for each in row["scores"].values())


def test_a_malformed_line_ends_it_or_is_skipped(tmp_path: Path) -> None:
    lines(
        tmp_path / "log.jsonl",
        GOOD,
        '{"output": ',
        {"outptu": "x"},
        {"output": 3},
        "[1]",
        {"output": "x", "contexts": [1]},
        '{"output": "x", "v": NaN}',
        '{"output": "x", "output": "y"}',
        TOXIC,
    )
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity")
    assert done.returncode == 2
    assert "log.jsonl:2" in done.stderr
    assert len(scored(done.stdout)) == 1
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity", "--skip-invalid")
    assert done.returncode == 0
    assert len(scored(done.stdout)) == 2
    for place in ("log.jsonl:2", "log.jsonl:3", "log.jsonl:4", "log.jsonl:5", "log.jsonl:6"):
        assert f"skipped {place}" in done.stderr
    assert "skipped 2 more lines" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none.jsonl",), "none.jsonl"),
        (("log.jsonl", "-e", "halucination"), "Did you mean `hallucination`?"),
        (("log.jsonl", "-e", "toxicity:hosted"), "hosted"),
        (("log.jsonl", "-e", "cost"), "measures a run"),
    ],
)
def test_what_cannot_be_asked_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    lines(tmp_path / "log.jsonl", GOOD)
    done = llmops(tmp_path, "score", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_call_is_gone_on_from(tmp_path: Path) -> None:
    rows = [{"id": number, "output": f"Number {number} is a pleasant one."} for number in range(1500)]
    lines(tmp_path / "log.jsonl", *rows)
    command = [*COMMAND, "score", "log.jsonl", "-e", "toxicity", "--out", "out.jsonl"]
    partial = tmp_path / "out.jsonl.partial"
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    assert not (tmp_path / "out.jsonl").exists()
    with partial.open("a") as stream:
        stream.write('{"id": 1, "outp')
    done = llmops(tmp_path, *command[len(COMMAND) :])
    assert "more were scored before" in done.stderr
    assert [row["id"] for row in scored((tmp_path / "out.jsonl").read_text())] == list(range(1500))
    assert not partial.exists()


def test_a_log_from_a_pipe_is_gone_on_with_where_it_ended(tmp_path: Path) -> None:
    rows = [json.dumps({"id": number, "output": f"Number {number} is a pleasant one."}) for number in range(1500)]
    command = [*COMMAND, "score", "-", "-e", "secrets", "--out", "out.jsonl"]

    def piped(*lines: str) -> "subprocess.CompletedProcess[str]":
        text = "".join(f"{line}\n" for line in lines)
        return subprocess.run(command, cwd=tmp_path, env=environment(), input=text, capture_output=True, text=True, check=False)

    broken = piped(*rows[:1000], "broken", *rows[1001:])
    assert (broken.returncode, "/dev/stdin:1001" in broken.stderr) == (2, True)
    mended = piped(*rows)
    assert (mended.returncode, "1000 more were scored before" in mended.stderr) == (0, True), mended.stderr
    assert [row["id"] for row in scored((tmp_path / "out.jsonl").read_text())] == list(range(1500))


def test_a_line_in_another_encoding_hides_none_of_those_below_it(tmp_path: Path) -> None:
    text = "".join(f"{json.dumps(each)}\n" for each in (GOOD, BAD, *[TOXIC] * 8))
    (tmp_path / "log.jsonl").write_bytes(text.encode().replace(b"captain", b"capit\xe3o").replace(b"idiot", b"idi\xf6t", 7))
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "secrets", "--skip-invalid")
    assert [row["output"] for row in scored(done.stdout)] == [GOOD["output"], TOXIC["output"]]
    assert "log.jsonl:2: byte 0xe3 is not UTF-8." in done.stderr
    assert "skipped 3 more lines" in done.stderr


@pytest.mark.parametrize(
    ("packed", "told"),
    [(gzip.compress(b"{}\n", mtime=0), "is compressed"), ("x".encode("utf-16"), "is UTF-16")],
    ids=["gzip", "UTF-16"],
)
def test_a_file_that_is_no_text_is_not_taken_for_one_bad_line(tmp_path: Path, packed: bytes, told: str) -> None:
    (tmp_path / "log.jsonl").write_bytes(packed)
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "secrets", "--skip-invalid")
    assert (done.returncode, told in done.stderr) == (2, True)


def test_scores_of_others_are_kept_and_those_asked_for_again_replaced(tmp_path: Path) -> None:
    lines(tmp_path / "log.jsonl", {**TOXIC, "scores": {"human": 0.9, "toxicity": "old"}}, {**GOOD, "scores": None})
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity", "--out", "k2.jsonl")
    assert done.returncode == 0, done.stderr
    done = llmops(tmp_path, "score", "k2.jsonl", "-e", "pii", "--out", "k2.jsonl")
    assert done.returncode == 0, done.stderr
    toxic, good = scored((tmp_path / "k2.jsonl").read_text())
    assert list(toxic["scores"]) == ["human", "toxicity", "pii"]
    assert toxic["scores"]["human"] == 0.9
    assert toxic["scores"]["toxicity"]["status"] == toxic["scores"]["pii"]["status"] == "scored"
    assert {k: v for k, v in toxic.items() if k != "scores"} == TOXIC
    assert list(good["scores"]) == ["toxicity", "pii"]
    lines(tmp_path / "log.jsonl", {**GOOD, "scores": 0.9})
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "pii", COLUMNS="300")
    assert (done.returncode, "log.jsonl:1: `scores`: is not an object" in done.stderr) == (2, True), done.stderr


def test_in_place_no_line_is_lost(tmp_path: Path) -> None:
    log = lines(tmp_path / "log.jsonl", GOOD, '{"output": ', TOXIC)
    before = log.read_text()
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "pii", "--out", "./log.jsonl", "--skip-invalid", COLUMNS="300")
    assert (done.returncode, log.read_text()) == (2, before)
    assert "'log.jsonl' would lose the lines that --skip-invalid leaves out" in done.stderr
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "pii", "--out", "log.jsonl")
    assert (done.returncode, log.read_text()) == (2, before)
    lines(log, GOOD, BAD, TOXIC)
    assert llmops(tmp_path, "score", "log.jsonl", "-e", "pii", "--out", "log.jsonl").returncode == 0
    assert [row["output"] for row in scored(log.read_text())] == [row["output"] for row in (GOOD, BAD, TOXIC)]


def test_a_log_that_grows_while_it_is_scored_in_place_is_gone_on_with(tmp_path: Path) -> None:
    log = lines(tmp_path / "log.jsonl", GOOD)
    scorer = LogScorer(log, tmp_path, {}, skip_invalid=False)
    original = scorer.lines

    async def growing() -> AsyncIterator[str]:
        async for line in original():
            yield line
        with log.open("a") as stream:
            stream.write(json.dumps(TOXIC) + "\n")

    scorer.lines = growing  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="has changed meanwhile"):
        asyncio.run(scorer.write(log))
    assert scored(log.read_text()) == [GOOD, TOXIC]
    again = LogScorer(log, tmp_path, {}, skip_invalid=False)
    asyncio.run(again.write(log))
    assert (again.done.resumed, again.done.lines) == (1, 1)
    assert [row["output"] for row in scored(log.read_text())] == [GOOD["output"], TOXIC["output"]]


@pytest.mark.parametrize(
    ("changed", "rows"),
    [
        (("-e", "toxicity", "--threshold", "0.999"), (GOOD, TOXIC)),
        (("-e", "toxicity:embedded", "-e", "pii", "--threshold", "0.01"), (GOOD, TOXIC)),
        (("-e", "toxicity", "--threshold", "0.01"), (BAD, TOXIC)),
        (("-e", "toxicity", "--threshold", "0.01"), ()),
    ],
)
def test_only_what_the_same_call_began_is_gone_on_with(tmp_path: Path, changed: tuple[str, ...], rows: tuple[Any, ...]) -> None:
    same = ("score", "log.jsonl", "--out", "out.jsonl", "-e", "toxicity", "--threshold", "0.01")
    lines(tmp_path / "log.jsonl", GOOD, '{"output": ')
    assert llmops(tmp_path, *same).returncode == 2
    partial = tmp_path / "out.jsonl.partial"
    before = partial.read_bytes()
    lines(tmp_path / "log.jsonl", *rows)
    done = llmops(tmp_path, *same[:4], *changed)
    assert (done.returncode, "begun with another input, other evaluators or another threshold" in done.stderr) == (2, True)
    assert partial.read_bytes() == before
    lines(tmp_path / "log.jsonl", GOOD, TOXIC)
    done = llmops(tmp_path, *same)
    assert (done.returncode, "1 line scored (1 more were scored before)" in done.stderr) == (0, True), done.stderr
    good, toxic = scored((tmp_path / "out.jsonl").read_text())
    assert (good["output"], toxic["output"]) == (GOOD["output"], TOXIC["output"])
    assert not partial.exists()


@pytest.mark.parametrize("text", ["not json\n", "[1]\n", "notes without an end", '{"output": "The boat leaves at 9:15."}\n'])
def test_a_file_of_others_that_is_called_so_is_left_alone(tmp_path: Path, text: str) -> None:
    lines(tmp_path / "log.jsonl", GOOD)
    partial = tmp_path / "out.jsonl.partial"
    partial.write_text(text)
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity", "--out", "out.jsonl")
    assert (done.returncode, "was begun with another input" in done.stderr) == (2, True), done.stderr
    assert partial.read_text() == text


@pytest.mark.parametrize(
    ("threshold", "told"), [("5", "a value of `toxicity` lies within 0 and 1"), ("nan", "nan is no finite number")]
)
def test_a_threshold_that_decides_nothing_is_refused(tmp_path: Path, threshold: str, told: str) -> None:
    (tmp_path / "log.jsonl").write_text('{"output": "Fine."}\n')
    done = llmops(tmp_path, "score", "log.jsonl", "-e", "toxicity", "--threshold", threshold)
    assert done.returncode == 2
    assert "--threshold" in done.stderr
    assert told in done.stderr
