"""What a CI system reads: JUnit, Markdown, SARIF and code quality, of runs that broke, flickered and failed."""

import json
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from command_line import edit, llmops, project, report
from openai_server import OpenAiServer

JUNIT = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))
RULES = (
    "gate:\n  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.1}\n  - {no_new_failures: {tags: [vital]}}\n"
)
WRITTEN = ("--junit", "j.xml", "--markdown", "r.md", "--sarif", "r.sarif", "--code-quality", "q.json", "-o", "r.json")


def junit_suites(path: Path) -> list[dict[str, Any]]:
    JUNIT.validate(path)
    document: Any = JUNIT.to_dict(path)
    return list(document["testsuite"])


@pytest.fixture
def server() -> OpenAiServer:
    return OpenAiServer()


@pytest.fixture
def broken(tmp_path: Path, server: OpenAiServer) -> Path:
    """A run in which the prompt forgot the word in most cases, beside a baseline in which all passed."""
    project(tmp_path, server.base, 60)
    suite = tmp_path / "evals/say.yaml"
    suite.write_text(suite.read_text().partition("gate:")[0] + RULES)
    dataset = tmp_path / "datasets/say.jsonl"
    rows = [json.loads(line) for line in dataset.read_text().splitlines()]
    rows[50]["tags"] = ["vital"]
    dataset.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with server.running():
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        llmops(tmp_path, "runs", "baseline", "@last")
        edit(tmp_path / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {% if word < 'w3' %}{{ word }}{% endif %} now.")
        assert llmops(tmp_path, "eval", *WRITTEN).returncode == 1
    return tmp_path


def test_every_form_names_what_broke(broken: Path) -> None:
    suites = junit_suites(broken / "j.xml")
    (failure,) = next(case for case in suites[0]["testcase"] if case["@name"] == "c0050")["failure"]
    assert "the baseline's answer, which passed:\necho: Say w50 now." in failure["$"]
    page = (broken / "r.md").read_text()
    assert "broken and 0 mended against run" in page
    assert "critical, broken" in page
    assert "cannot be told from noise" in page
    (run,) = json.loads((broken / "r.sarif").read_text())["runs"]
    levels = {each["ruleId"]: each["level"] for each in run["results"]}
    assert levels == {"critical-case-broken": "error", "case-broken": "warning"}
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "prompts/say/prompt.j2"
    issues = json.loads((broken / "q.json").read_text())
    assert (issues[0]["severity"], issues[0]["location"]["lines"]) == ("critical", {"begin": 1})
    assert len({issue["fingerprint"] for issue in issues}) == len(issues) == len(run["results"])


def test_the_terminal_shows_the_critical_case_first_and_what_the_cases_can_show(broken: Path) -> None:
    shown = " ".join(llmops(broken, "gate", "@last").stdout.split())
    assert "With 60 cases a drop below 10.0 points cannot be told from noise (10 % of the cases flip by chance" in shown
    full = llmops(broken, "eval").stdout
    assert full.index("critical broken c0050") < full.index("before: echo: Say w50 now.") < full.index("after:")


def test_repeats_show_how_often_several_tries_pass_and_which_cases_flicker(tmp_path: Path, server: OpenAiServer) -> None:
    project(tmp_path, server.base, 10)
    edit(tmp_path / "evals/say.yaml", "gate:\n", "repeat: 3\ngate:\n  - {metric: contains.pass@3, min: 0.5}\n")
    edit(tmp_path / "evals/say.yaml", "min: 0.3", "min: 0.01")
    server.faults = {}
    seen: dict[str, int] = {}

    def reply(messages: list[dict[str, str]]) -> str:
        said = messages[-1]["content"]
        seen[said] = seen.get(said, 0) + 1
        return "no" if "w4 " in said and seen[said] == 2 else said

    server.reply = reply
    with server.running():
        done = llmops(tmp_path, "eval", "--concurrency", "1", "--json", "-o", "r.json")
    run = json.loads((tmp_path / "r.json").read_text())["runs"][0]
    metrics = {m["name"]: m["value"] for m in run["groups"][0]["evaluators"][0]["metrics"]}
    assert (metrics["contains.pass@3"], metrics["contains.pass^3"]) == (1.0, pytest.approx(0.9))
    assert run["rules"][0]["verdict"] == "pass"
    assert [(case["case_id"], case["passed"], case["repeats"]) for case in run["flaky"]] == [("c0004", 2, 3)]
    assert done.returncode == 0
    assert "1 flaky, passing in some of their repeats: c0004 (2 of 3)" in llmops(tmp_path, "gate").stdout


def test_junit_holds_failed_cells_hostile_text_and_the_gate(tmp_path: Path, server: OpenAiServer) -> None:
    project(tmp_path, server.base, 6)
    server.always = None
    server.reply = lambda messages: "\x1b[31m]]></failure>\x00 \ufffe & <b>" if "w2 " in messages[-1]["content"] else "w1"
    server.faults = {1: "malformed"}
    with server.running():
        edit(tmp_path / "llmops.yaml", "timeout_s: 5", "max_retries: 0, timeout_s: 5")
        done = llmops(tmp_path, "eval", "--concurrency", "1", "--junit", "j.xml", "--json")
    assert report(llmops(tmp_path, "eval", "--json"))["schema_version"] == 1
    assert done.returncode in (1, 3, 4)
    suites = junit_suites(tmp_path / "j.xml")
    assert (suites[0]["@errors"], suites[1]["@name"]) == (1, "evals/say.yaml · gate")
