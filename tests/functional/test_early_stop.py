"""A run stops as soon as its rules are decided, and says what it saved."""

from pathlib import Path

import pytest
from command_line import edit, llmops, project, report
from openai_server import OpenAiServer

RULE = "  - {metric: contains.pass_rate, min: 0.3}\n"
RELATIVE = "  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.1}\n"
CASES = 400


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    project(tmp_path, server.base, CASES)
    edit(tmp_path / "evals/say.yaml", RULE, RELATIVE)
    assert llmops(tmp_path, "eval", "-q").returncode == 0
    llmops(tmp_path, "runs", "baseline", "@last")
    server.requests = 0
    return tmp_path


@pytest.mark.parametrize(
    ("text", "code", "verdict"),
    [("Please say {{ word }}.", 0, "pass"), ("Say {% if false %}{{ word }}{% endif %}.", 1, "fail")],
    ids=["harmless", "broken"],
)
def test_a_clear_case_is_decided_with_few_of_the_cases(
    folder: Path, server: OpenAiServer, text: str, code: int, verdict: str
) -> None:
    edit(folder / "prompts/say/prompt.j2", "Say {{ word }} now.", text)
    done = llmops(folder, "eval", "--sequential", "--concurrency", "4", "--json")
    run = report(done)
    assert (done.returncode, run["status"], run["verdict"]) == (code, "finished", verdict)
    assert server.requests <= run["counts"]["cells"] < CASES / 2
    assert any("did not have to be run" in note for note in run["notes"])
    (rule,) = run["rules"]
    assert (rule["verdict"], rule["n"] <= run["counts"]["cells"]) == (verdict, True)
    again = llmops(folder, "gate", "@last")
    assert (again.returncode, "stopped by what it found" in again.stderr) == (2, True)


def test_what_stays_open_is_inconclusive_after_all_cases(folder: Path, server: OpenAiServer) -> None:
    edit(folder / "evals/say.yaml", "margin: 0.1", "margin: 0.004")
    edit(folder / "prompts/say/prompt.j2", "Say {{ word }} now.", "Please say {{ word }}.")
    done = llmops(folder, "eval", "--sequential", "--json")
    assert (done.returncode, server.requests) == (4, CASES)
    assert report(done)["rules"][0]["reason"] == f"undecided after {CASES} cases in random order"


def test_rules_that_it_cannot_decide_are_refused_before_anything_is_asked(folder: Path, server: OpenAiServer) -> None:
    edit(folder / "prompts/say/prompt.j2", "Say {{ word }} now.", "Please say {{ word }}.")
    edit(folder / "evals/say.yaml", RELATIVE, f"{RELATIVE}  - {{metric: latency.p95, max: 2}}\n")
    done = llmops(folder, "eval", "--sequential")
    assert (done.returncode, "cannot decide the rule 'latency.p95 <= 2'" in done.stderr) == (2, True)
    edit(folder / "evals/say.yaml", "  - {metric: latency.p95, max: 2}\n", "")
    (folder / "evals/say.yaml").rename(folder / "evals/other.yaml")
    done = llmops(folder, "eval", "--sequential")
    assert (done.returncode, "needs a baseline" in done.stderr) == (2, True)
    assert llmops(folder, "eval", "--sequential", "--no-gate").returncode == 2
    assert server.requests == 0
