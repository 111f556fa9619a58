"""A hosted model that changes under a suite, as the stored runs show it."""

import json
import random
from pathlib import Path
from typing import Any

from command_line import edit, llmops, project
from openai_server import OpenAiServer

ANEW = ("eval", "-q", "--no-gate", "--refresh", "generate")


def flickering(night: int, right: float, *, hard: float | None = None) -> Any:  # noqa: ANN401 -- a reply of the server
    """Answers that hold the word in a share of the cases, in another one for words that end in 7."""

    def reply(messages: list[dict[str, str]]) -> str:
        word = messages[-1]["content"].split()[1]
        share = hard if hard is not None and word.endswith("7") else right
        return f"echo: {word}" if random.Random(f"{word} of night {night}").random() < share else "echo: no"

    return reply


def watched(folder: Path, server: OpenAiServer, nights: int, *, after: int | None = None) -> None:
    """A run a night; from `after` on another model answers, which gets the words wrong that end in 7."""
    project(folder, server.base, 100)
    rows = [json.loads(line) for line in (folder / "datasets/say.jsonl").read_text().splitlines()]
    tagged = [row | {"tags": ["seven" if row["id"].endswith("7") else "other"]} for row in rows]
    (folder / "datasets/say.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in tagged))
    for night in range(nights):
        changed = after is not None and night >= after
        server.reply = flickering(night, 0.95, hard=0.0 if changed else None)
        server.model = "m-2" if changed else "m-1"
        assert llmops(folder, *ANEW).returncode == 0


def test_a_model_that_changed_is_found_with_the_night_the_tag_and_the_cases(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        watched(tmp_path, server, 6, after=4)
        calls = server.requests
        done = llmops(tmp_path, "drift", "say", "--json")
        assert server.requests == calls
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    runs = [run["id"] for run in found["runs"]]
    assert [run["answers"] for run in found["runs"]] == [100] * 6
    (signal,) = [each for each in found["signals"] if each["name"] == "contains.pass_rate"]
    (change,) = signal["changes"]
    assert (change["previous"], change["run"]) == (runs[3], runs[4])
    assert runs.index(change["earliest"]) <= 4 <= runs.index(change["latest"])
    assert change["interval"][0] <= change["difference"] <= change["interval"][1] < 0
    assert signal["p_value"] <= 0.05
    assert (change["tags"][0]["name"], change["tags"][0]["cases"]) == ("seven", 10)
    assert sum(each["name"].endswith("7") for each in change["moved"]) >= 8
    (model,) = found["models"]
    assert (model["run"], model["before"], model["name"]) == (runs[4], ["m-1"], "m-2")
    shown = llmops(tmp_path, "drift", "say").stdout
    for told in (
        "say · m",
        "worse contains.pass_rate  since ",
        "seven (10) -",
        "names m-2, and before m-1",
        "CHANGED (exit 1)",
    ):
        assert told in shown
    accepted = llmops(tmp_path, "drift", "say", "--since", runs[4])
    assert (accepted.returncode, "NO CHANGE FOUND (exit 0)" in accepted.stdout) == (0, True)


def test_answers_that_flicker_as_ever_are_no_change(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        watched(tmp_path, server, 4)
    done = llmops(tmp_path, "drift", "say")
    assert done.returncode == 0, done.stdout
    for told in ("4 runs", "no change in", "contains.pass_rate", "points", "NO CHANGE FOUND (exit 0)"):
        assert told in done.stdout
    assert "latency" not in done.stdout


def test_reused_answers_and_other_requests_are_left_out_and_told(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        watched(tmp_path, server, 1)
        alone = llmops(tmp_path, "drift", "say")
        assert (alone.returncode, "evals/say.yaml has no two runs with new answers" in alone.stderr) == (2, True)
        assert "llmops eval evals/say.yaml --refresh generate" in alone.stderr
        edit(tmp_path / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word }} at once.")
        for options in (ANEW, ANEW, ("eval", "-q", "--no-gate"), (*ANEW, "--limit", "5")):
            assert llmops(tmp_path, *options).returncode == 0
    found = json.loads(llmops(tmp_path, "drift", "say", "--json").stdout)
    assert len(found["runs"]) == 2
    reasons = [each["reason"] for each in found["left_out"]]
    assert reasons[0] == "every answer was reused"
    assert reasons[1].startswith("prompt `say` ")
    assert len(reasons) == 2


def test_runs_that_answer_no_request_alike_and_those_that_failed_are_told(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        assert llmops(tmp_path, "eval", "-q", "--no-gate").returncode == 0
        rows = (tmp_path / "datasets/say.jsonl").read_text()
        (tmp_path / "datasets/say.jsonl").write_text(rows + rows.replace('"c0', '"d0').replace(': "w', ': "x'))
        assert llmops(tmp_path, "eval", "-q", "--no-gate").returncode == 0  # asks the new cases alone
        disjoint = llmops(tmp_path, "drift", "say")
        assert (disjoint.returncode, "no two runs with new answers to the same request" in disjoint.stderr) == (2, True)
        assert llmops(tmp_path, *ANEW).returncode == 0
        server.always = "401"
        assert llmops(tmp_path, *ANEW).returncode == 3
    done = llmops(tmp_path, "drift", "say")
    assert (done.returncode, "left out: 1 run: every answer failed" in done.stdout) == (0, True), done.stderr


def test_what_it_is_not_given_is_told(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        none = llmops(tmp_path, "drift", "say")
        assert (none.returncode, "No whole run of evals/say.yaml has finished." in none.stderr) == (2, True)
        assert llmops(tmp_path, *ANEW).returncode == 0
    for options, told in (
        (("say", "--target", "n"), "The newest run has no target 'n'"),
        (("say", "--prompt", "sai"), "Did you mean `say`?"),
        (("say", "--since", "nothing"), "No run is called 'nothing'"),
        (("say", "--confidence", "95"), "it lies between 0.5 and 0.99"),
        (("sy",), "No suite file 'sy'"),
    ):
        done = llmops(tmp_path, "drift", *options)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
