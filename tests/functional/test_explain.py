"""`eval --explain` and `status` foretell what a run asks, and say why; the server counts whether they are right."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, report, write
from openai_server import OpenAiServer
from test_reuse import JUDGE_PROMPT, judged, two_prompts

CALL = (7 * 1 + 3 * 2) / 1e6
"""USD of one call: the server counts 7 and 3 tokens."""


@pytest.fixture
def folder(server: OpenAiServer, tmp_path: Path) -> Path:
    """A project with two prompts, a judge and one finished run."""
    server.reply = judged
    two_prompts(tmp_path, server.base)
    write(tmp_path, {"prompts/grade/prompt.j2": JUDGE_PROMPT})
    edit(
        tmp_path / "evals/say.yaml",
        "  - latency\n",
        "  - latency\n  - criteria: {judge: m, items: [is short], prompt: grade}\n",
    )
    assert llmops(tmp_path, "prompt", "commit", "say", "-m", "first").returncode == 0
    assert llmops(tmp_path, "eval", "--no-gate").returncode == 0
    return tmp_path


def explained(folder: Path, *options: str) -> dict[str, Any]:
    done = llmops(folder, "eval", "--explain", "--json", *options)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["suites"]
    return dict(found)


def work(found: dict[str, Any]) -> dict[str, tuple[int, int, list[str]]]:
    """By step and name: certain, possible and the reasons of what is to be done."""
    return {
        f"{each['step']} {each['name']}": (each["certain"], each["possible"], list(each["reasons"]))
        for each in found["work"]
        if each["possible"]
    }


def foretold(server: OpenAiServer, folder: Path, *options: str) -> dict[str, tuple[int, int, list[str]]]:
    """The work that is foretold, after the run has shown that it is all that is asked."""
    found = explained(folder, *options)
    before = server.requests
    answers = sum(each["certain"] for each in found["work"] if each["step"] == "generate")
    run = report(llmops(folder, "eval", "--no-gate", "--json", *options))
    assert run["counts"]["model_calls"] == answers
    verdicts = [each for each in found["work"] if each["step"] == "judge"]
    asked = server.requests - before - answers
    assert sum(each["certain"] for each in verdicts) <= asked <= sum(each["possible"] for each in verdicts)
    return work(found)


def test_nothing_is_to_be_done_after_a_run(server: OpenAiServer, folder: Path) -> None:
    before = server.requests
    found = explained(folder)
    assert (found["cells"], found["complete"], work(found), found["changes"], found["estimates"]) == (10, 10, {}, [], [])
    assert "nothing to do" in llmops(folder, "status").stdout
    assert server.requests == before


def test_before_the_first_run_everything_is_new_and_lengths_are_not_known(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    found = explained(tmp_path)
    assert work(found) == {f"generate {name} · m": (5, 5, ["there is no earlier run"]) for name in ("say", "sing")}
    assert [each["calls"] for each in found["estimates"]] == [5, 5]
    assert {each["cost_usd"] for each in found["estimates"]} == {None}
    assert all(each["input_tokens"] > 0 for each in found["estimates"])
    told = llmops(tmp_path, "eval", "--explain").stdout
    assert "not run yet" in told
    assert "cost not known" in told
    assert server.requests == 0


def test_a_new_version_of_a_prompt_is_named_and_priced(server: OpenAiServer, folder: Path) -> None:
    edit(folder / "prompts/say/prompt.j2", "now", "soon")
    assert llmops(folder, "prompt", "commit", "say", "-m", "second").returncode == 0
    told = llmops(folder, "status").stdout
    assert "prompt `say` 1.0.0 → 1.1.0 (5)" in told
    answers, verdicts = explained(folder)["estimates"]
    assert (answers["calls"], answers["role"], verdicts["calls"], verdicts["role"]) == (5, "answers", 5, "verdicts")
    assert verdicts["cost_usd"] == pytest.approx(5 * CALL)
    assert answers["output_tokens"] == 15
    assert answers["seconds"] > 0
    assert foretold(server, folder) == {
        "generate say · m": (5, 5, ["prompt `say` 1.0.0 → 1.1.0"]),
        "judge criteria": (0, 5, ["its answer may change"]),
    }


def test_each_change_has_its_reason(server: OpenAiServer, folder: Path) -> None:
    edit(folder / "datasets/say.jsonl", '"word": "w3"', '"word": "other"')
    found = foretold(server, folder)
    assert found["generate say · m"] == found["generate sing · m"] == (1, 1, ["the case was edited"])
    edit(folder / "prompts/grade/prompt.j2", "against each", "against the")
    assert foretold(server, folder) == {"judge criteria": (10, 10, ["evaluator `criteria`: judge prompt"])}
    edit(folder / "evals/say.yaml", "prompt: grade}", "prompt: grade, min: 0.5}")
    assert foretold(server, folder) == {}
    assert foretold(server, folder, "--repeat", "2")["generate say · m"] == (5, 5, ["repeat 2 is new"])
    edit(folder / "llmops.yaml", "concurrency: 8", "concurrency: 8, params: {temperature: 0}")
    found = foretold(server, folder)
    assert found["generate say · m"] == (5, 5, ["model `m`: temperature unset → 0"])
    assert foretold(server, folder, "--refresh", "judge") == {"judge criteria": (10, 10, ["--refresh judge"])}
    assert "0 of 5" in llmops(folder, "eval", "--explain").stdout
    assert {reason for _, _, some in work(explained(folder, "--no-cache")).values() for reason in some} == {"--no-cache"}


def test_what_failed_or_was_not_reached_is_said(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    edit(tmp_path / "llmops.yaml", "concurrency: 8", "concurrency: 1, max_retries: 0")
    server.faults = {2: "500"}
    llmops(tmp_path, "eval", "--no-gate", "--limit", "1")
    assert foretold(server, tmp_path, "--limit", "1") == {"generate sing · m": (1, 1, ["it failed last time"])}
    edit(tmp_path / "evals/say.yaml", "  - cost\n", "  - cost\nbudget: 0.00003\n")
    assert llmops(tmp_path, "eval", "--concurrency", "1").returncode == 5
    reasons = [reason for _, _, some in work(explained(tmp_path)).values() for reason in some]
    assert set(reasons) == {"the last run is over budget and did not come to it"}


def test_a_change_of_the_corpus_may_end_at_the_search(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    settings = tmp_path / "llmops.yaml"
    settings.write_text(f'{settings.read_text()}indexes:\n  notes: {{corpus: {{paths: ["notes/*.md"]}}, retrieve: {{k: 1}}}}\n')
    edit(tmp_path / "prompts/say/prompt.j2", "now", "now. {% for hit in contexts %}{{ hit.text }}{% endfor %}")
    edit(tmp_path / "evals/say.yaml", "targets", "index: notes\nquery: word\ntargets")
    write(tmp_path, {"notes/a.md": "# Words\n\nw0 w1 w2 w3 w4\n"})
    assert llmops(tmp_path, "eval", "--no-gate").returncode == 0
    write(tmp_path, {"notes/b.md": "# Elsewhere\n\nNothing of the sort is told here about anything.\n"})
    found = work(explained(tmp_path))
    assert found["retrieve notes"] == (5, 5, ["index `notes`: documents"])
    assert found["generate say · m"] == (0, 5, ["its passages may change"])
    assert report(llmops(tmp_path, "eval", "--no-gate", "--json"))["counts"]["model_calls"] == 0


def calls(folder: Path, *options: str) -> int:
    """Answers that are foretold for all that a command would run."""
    done = llmops(folder, "eval", "--explain", "--json", *options)
    assert done.returncode == 0, done.stderr
    return sum(e["calls"] for found in json.loads(done.stdout)["suites"] for e in found["estimates"])


def test_an_answer_that_two_prompts_share_counts_once(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    (tmp_path / "prompts/sing/prompt.j2").write_text((tmp_path / "prompts/say/prompt.j2").read_text())
    assert calls(tmp_path) == 5
    assert llmops(tmp_path, "eval", "--no-gate", "-q").returncode == 0
    assert server.requests == 5


def test_what_an_interrupted_run_has_made_anew_is_not_made_again(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    edit(tmp_path / "llmops.yaml", "input_per_million: 1,", "input_per_million: 1000000,")
    edit(tmp_path / "llmops.yaml", "concurrency: 8", "concurrency: 1")
    assert llmops(tmp_path, "eval", "--no-gate", "-q").returncode == 0
    assert llmops(tmp_path, "eval", "--no-cache", "--no-gate", "-q", "--budget", "20").returncode == 5
    left = calls(tmp_path, "--no-cache")
    before = server.requests
    assert before == 13
    assert llmops(tmp_path, "eval", "--no-cache", "--no-gate", "-q").returncode == 0
    assert (left, server.requests) == (7, before + left)


def test_what_a_baseline_costs_is_foretold_and_limits_per_minute_take_their_time(server: OpenAiServer, tmp_path: Path) -> None:
    two_prompts(tmp_path, server.base)
    assert llmops(tmp_path, "prompt", "commit", "say", "-m", "first").returncode == 0
    edit(tmp_path / "prompts/say/prompt.j2", "now", "soon")
    assert calls(tmp_path, "--baseline", "say@1.0.0") == 15
    assert llmops(tmp_path, "eval", "--no-gate", "-q", "--limit", "1").returncode == 0
    edit(tmp_path / "llmops.yaml", "concurrency: 8", "concurrency: 8, rpm: 3")
    assert [each["seconds"] for each in explained(tmp_path)["estimates"]] == [60, 60]
