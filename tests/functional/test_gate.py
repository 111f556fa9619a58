"""A stored run is judged again, against a baseline, with failures that do not vanish; and what cases can show is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, project, report, write
from openai_server import OpenAiServer

RULE = "  - {metric: contains.pass_rate, min: 0.3}\n"
RELATIVE = "  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.1}\n"


def verdicts(folder: Path, *arguments: str, code: int) -> dict[str, Any]:
    done = llmops(folder, "gate", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 60)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        llmops(tmp_path, "runs", "baseline", "@last")
    return tmp_path


def test_a_run_is_judged_by_the_rules_as_they_stand_now(evaluated: Path) -> None:
    assert verdicts(evaluated, code=0)["verdict"] == "pass"
    edit(evaluated / "evals/say.yaml", "min: 0.3", "max: 0.3")
    assert verdicts(evaluated, "@last", code=1)["verdict"] == "fail"
    assert "FAIL (exit 1)" in llmops(evaluated, "gate").stdout


def test_repeats_of_a_case_stay_one_case_when_a_run_is_judged_again(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 20)
        done = llmops(tmp_path, "eval", "-q", "--repeat", "3", "--json")
    rules = report(done)["rules"]
    assert rules[0]["n"] == 20
    assert verdicts(tmp_path, code=done.returncode)["rules"] == rules


def test_what_the_cases_can_show_counts_those_that_were_run(evaluated: Path) -> None:
    with OpenAiServer().running():
        assert "With 5 cases" in llmops(evaluated, "eval", "--limit", "5").stdout
    assert "With 5 cases" in llmops(evaluated, "gate", "@last").stdout
    assert "With 60 cases" in llmops(evaluated, "gate", "@last~1").stdout


def test_relative_rules_hold_the_run_against_a_baseline(evaluated: Path) -> None:
    edit(evaluated / "evals/say.yaml", RULE, RELATIVE)
    unchanged = verdicts(evaluated, code=0)
    assert (unchanged["verdict"], unchanged["rules"][0]["value"]) == ("pass", 0)
    with OpenAiServer().running() as server:
        settings = evaluated / "llmops.yaml"
        settings.write_text(
            settings.read_text().replace(settings.read_text().split("api_base: ")[1].split(",")[0], server.base)
        )
        edit(evaluated / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {% if word < 'w3' %}{{ word }}{% endif %} now.")
        assert llmops(evaluated, "eval", "-q").returncode == 1
    found = verdicts(evaluated, "@last", "--baseline", "@last~1", code=1)
    assert found["rules"][0]["verdict"] == "fail"
    assert found["rules"][0]["high"] < -0.1
    assert verdicts(evaluated, "@last", "--baseline", "@last", code=0)["verdict"] == "pass"


def test_a_baseline_of_other_cases_or_of_another_suite_is_told(evaluated: Path) -> None:
    edit(evaluated / "evals/say.yaml", RULE, RELATIVE)
    (evaluated / "evals/other.yaml").write_text((evaluated / "evals/say.yaml").read_text())
    baseline = json.loads(llmops(evaluated, "runs", "list", "--json").stdout)[0]["id"]
    part = report(llmops(evaluated, "eval", "evals/say.yaml", "--limit", "5", "--json"))
    assert part["notes"] == []
    whole = report(llmops(evaluated, "eval", "evals/say.yaml", "--baseline", "@last", "--json"))
    assert whole["notes"] == [f"held against {part['run_id']}, which lacks 55 of this run's cells"]
    assert whole["rules"][0]["n"] == 5
    assert verdicts(evaluated, "@last", "--baseline", baseline, code=0)["notes"] == []
    other = llmops(evaluated, "eval", "evals/other.yaml", "--baseline", baseline)
    assert f"note: held against {baseline}, a run of evals/say.yaml\n" in other.stdout
    cases = evaluated / "datasets/say.jsonl"
    cases.write_text("".join(cases.read_text().splitlines(keepends=True)[3:]))
    shorter = report(llmops(evaluated, "eval", "evals/say.yaml", "--json"))
    assert shorter["notes"] == [f"held against {baseline}, over other cases, 3 of which are not in this run"]


def test_a_baseline_that_was_measured_otherwise_decides_nothing(evaluated: Path) -> None:
    edit(evaluated / "evals/say.yaml", RULE, RELATIVE)
    baseline = json.loads(llmops(evaluated, "runs", "list", "--json").stdout)[0]["id"]
    edit(evaluated / "evals/say.yaml", "contains: {any: expected, whole_words: true}", 'regex: {name: contains, pattern: "."}')
    edit(evaluated / "datasets/say.jsonl", '"w7"]', '"w7", "seven"]')
    done = llmops(evaluated, "eval", "--baseline", baseline)
    told = " ".join(done.stdout.replace("│", " ").split())
    assert done.returncode == 4, told
    assert "the baseline measured 'contains' otherwise: evaluate it with this suite" in told
    assert f"note: held against {baseline}, over other cases, which measured contains otherwise" in told
    early = llmops(evaluated, "eval", "--baseline", baseline, "--sequential")
    assert (early.returncode, "the baseline measured 'contains' otherwise" in early.stderr) == (2, True)


def test_a_limit_on_what_no_case_measured_is_not_passed(evaluated: Path) -> None:
    cases = (evaluated / "datasets/say.jsonl").read_text().splitlines()
    rows = [
        json.dumps({**json.loads(case), "expected": None} if number < 5 else json.loads(case))
        for number, case in enumerate(cases)
    ]
    write(evaluated, {"datasets/say.jsonl": "\n".join(rows)})
    done = llmops(evaluated, "eval", "--limit", "5")
    assert (done.returncode, "no case was scored" in done.stdout) == (4, True), done.stdout


def test_failed_cells_that_could_change_the_verdict_make_it_inconclusive(evaluated: Path) -> None:
    edit(evaluated / "evals/say.yaml", RULE, f"{RELATIVE}min_coverage: 0.5\n")
    with OpenAiServer().running() as server:
        server.faults = dict.fromkeys(range(4, 61, 4), "500")
        settings = evaluated / "llmops.yaml"
        edit(settings, "timeout_s: 5", "max_retries: 0, timeout_s: 5")
        settings.write_text(
            settings.read_text().replace(settings.read_text().split("api_base: ")[1].split(",")[0], server.base)
        )
        done = llmops(evaluated, "eval", "--concurrency", "1")
    assert done.returncode == 4, done.stdout
    assert "15 without a value on one side" in " ".join(done.stdout.replace("│", " ").split())


def test_what_cannot_be_judged_is_told(evaluated: Path) -> None:
    edit(evaluated / "evals/say.yaml", f"gate:\n{RULE}", "")
    done = llmops(evaluated, "gate")
    assert done.returncode == 2
    assert "has no gate" in done.stderr
    assert llmops(evaluated, "gate", "@last~7").returncode == 2


def test_what_cases_can_show(evaluated: Path) -> None:
    shown = llmops(evaluated, "power", "evals/say.yaml").stdout
    assert "60 cases" in shown
    assert "a margin below 4.3 points can never pass" in shown
    found = json.loads(llmops(evaluated, "power", "say", "--cases", "80", "--margin", "0.04", "--json").stdout)
    assert found["margin"] == pytest.approx(0.0327, abs=1e-4)
    (margin, fewest, _), *_ = found["needed"]
    assert (margin, fewest) == (0.04, 65)
    assert llmops(evaluated, "power", "say", "--margin", "5").returncode == 2


def test_cases_that_a_rule_does_not_apply_to_show_nothing(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 8)
        rows = [json.loads(line) for line in (tmp_path / "datasets/say.jsonl").read_text().splitlines()]
        for row in rows[6:]:
            row["expected"], row["tags"] = None, ["bare"]
        write(tmp_path, {"datasets/say.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows)})
        before = llmops(tmp_path, "power", "say").stdout
        assert "no run shows how many of them contains.pass_rate is judged on: all are counted" in before
        assert "a margin below 25.3 points can never pass" in before
        assert "With 6 cases" in llmops(tmp_path, "eval").stdout
        assert report(llmops(tmp_path, "eval", "--filter", "tag=bare", "--json"))["counts"]["cells"] == 2
    shown = llmops(tmp_path, "power", "say").stdout
    assert "evals/say.yaml: 6 cases\ncontains.pass_rate is judged on 6 of 8, as in the last run" in shown
    assert "a margin below 31.1 points can never pass" in shown
    found = json.loads(llmops(tmp_path, "power", "say", "--cases", "80", "--json").stdout)
    assert (found["cases"], found["note"]) == (60, "contains.pass_rate is judged on 60 of 80, as in the last run")


def test_a_margin_out_of_reach_is_refused_by_validate(tmp_path: Path) -> None:
    edit(project(tmp_path, "http://127.0.0.1:9/v1", 20) / "evals/say.yaml", RULE, RELATIVE.replace("0.1", "0.05"))
    done = llmops(tmp_path, "validate")
    assert done.returncode == 2
    assert "52 are needed" in done.stderr


def test_the_gate_of_the_manual_in_which_every_case_has_to_pass(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/concepts/gate.md").read_text(encoding="utf-8")
    gate = text.partition("# evals/mended.yaml, in part\n")[2].partition("```")[0]
    with OpenAiServer().running() as server:
        suite = project(tmp_path, server.base, 400) / "evals/say.yaml"
        suite.write_text(suite.read_text().partition("gate:\n")[0] + gate)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        server.reply = lambda messages: "no" if "w399 " in messages[0]["content"] else messages[0]["content"]
        assert llmops(tmp_path, "eval", "-q", "--no-cache").returncode == 1
        server.faults = {server.requests + 1: "filter"}
        assert llmops(tmp_path, "eval", "-q", "--refresh", "generate", "--limit", "20").returncode == 1
