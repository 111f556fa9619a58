"""Several suites in one command, and the cases of a suite that failed before."""

import json
from pathlib import Path

import pytest
from command_line import edit, llmops, project, report
from openai_server import OpenAiServer


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    """Two suites, `say` and `sing`, over six cases each; a call costs 13 dollars."""
    project(tmp_path, server.base, 6)
    settings = tmp_path / "llmops.yaml"
    text = settings.read_text().replace("concurrency: 8", "concurrency: 1")
    settings.write_text(text.replace("input_per_million: 1,", "input_per_million: 1.0e+6,").replace(": 2}", ": 2.0e+6}"))
    prompt = (tmp_path / "prompts/say/prompt.j2").read_text()
    (tmp_path / "prompts/sing").mkdir()
    (tmp_path / "prompts/sing/prompt.j2").write_text(prompt.replace("Say", "Sing"))
    suite = (tmp_path / "evals/say.yaml").read_text()
    (tmp_path / "evals/sing.yaml").write_text(suite.replace("[say]", "[sing]"))
    return tmp_path


def answered(folder: Path, *arguments: str) -> list[int]:
    """Cells of each suite that a command ran."""
    done = llmops(folder, "eval", "--no-gate", "--json", *arguments)
    assert done.returncode in (0, 3, 5), done.stderr
    return [run["counts"]["cells"] for run in json.loads(done.stdout)["runs"]]


def test_a_budget_holds_for_all_suites(folder: Path, server: OpenAiServer) -> None:
    assert answered(folder, "--budget", str(8 * 13)) == [6, 2]
    assert server.requests == 8
    assert answered(folder, "--budget", str(12 * 13)) == [6, 6]
    assert server.requests == 12


def test_the_faults_of_all_suites_are_told_before_anything_is_asked(folder: Path, server: OpenAiServer) -> None:
    edit(folder / "evals/say.yaml", "dataset: datasets/say.jsonl", "dataset: datasets/sya.jsonl")
    edit(folder / "evals/sing.yaml", "prompts: [sing]", "prompts: [snig]")
    done = llmops(folder, "eval")
    assert (done.returncode, server.requests) == (2, 0)
    assert "sya.jsonl" in done.stderr
    assert "snig" in done.stderr


def test_a_suite_without_a_case_to_run_is_left_out(folder: Path, server: OpenAiServer) -> None:
    server.reply = lambda messages: "no" if messages[-1]["content"].startswith("Sing w1 ") else messages[-1]["content"]
    assert answered(folder) == [6, 6]
    done = llmops(folder, "eval", "--no-gate", "--failed", "--json")
    assert (done.returncode, report(done)["suite"], report(done)["counts"]["cells"]) == (0, "evals/sing.yaml", 1)
    assert "evals/say.yaml is left out: nothing failed in run" in done.stderr
    server.reply = lambda messages: messages[-1]["content"]
    assert llmops(folder, "eval", "--no-gate", "--failed", "--no-cache", "-q").returncode == 0
    nothing = llmops(folder, "eval", "--failed", "--json")
    last = json.loads(llmops(folder, "runs", "list", "--json").stdout)[0]
    told = f"{last['suite']} is left out: nothing failed in run {last['id']}\n"
    assert (nothing.returncode, json.loads(nothing.stdout)["runs"], told in nothing.stderr) == (0, [], True)
    for arguments in (("--failed", "--var", "word=w9"), ("--failed", "--explain")):
        alone = llmops(folder, "eval", last["suite"], *arguments)
        assert (alone.returncode, alone.stdout, alone.stderr) == (0, "", told)
    (folder / "report.xml").write_text("<of-an-earlier-run/>")
    written = llmops(folder, "eval", "--failed", "-o", "report.xml", "--html", "report.html", "--markdown", "report.md")
    assert (written.returncode, "wrote report.xml" in written.stderr) == (0, True)
    assert (folder / "report.xml").read_text().endswith('<testsuites name="llmops" />\n')
    assert all("Nothing was run: no case had failed." in (folder / name).read_text() for name in ("report.html", "report.md"))
    none = llmops(folder, "eval", "--filter", "tag=none")
    assert (none.returncode, "error: No case of" in none.stderr) == (2, True)


def test_a_suite_that_never_ran_has_nothing_that_failed_or_passed(folder: Path) -> None:
    never = llmops(folder, "eval", "evals/say.yaml", "--failed")
    told = "error: --failed: evals/say.yaml has no earlier run.\nRun it once: llmops eval evals/say.yaml\n"
    assert (never.returncode, never.stderr) == (2, told)


def test_what_ended_before_a_later_suite_could_not_run_is_written(folder: Path, server: OpenAiServer) -> None:
    edit(folder / "llmops.yaml", "models:", "models:\n  keyless: {id: anthropic/claude-3-haiku-20240307}")
    edit(folder / "evals/sing.yaml", "targets: [m]", "targets: [keyless]")
    done = llmops(folder, "eval", "--no-gate", "--json", "--junit", "report.xml")
    assert done.returncode == 2
    assert "ANTHROPIC_API_KEY" in done.stderr
    assert report(done)["counts"]["scored"] == 6
    assert "evals/say.yaml" in (folder / "report.xml").read_text()


def test_a_case_stays_failed_until_it_has_passed(folder: Path, server: OpenAiServer) -> None:
    server.reply = lambda messages: "no" if messages[-1]["content"] < "Say w4" else messages[-1]["content"]
    suite = ("evals/say.yaml",)
    assert answered(folder, *suite) == [6]
    assert answered(folder, *suite, "--failed", "-x") < [4]
    edit(folder / "datasets/say.jsonl", '"word": "w0"', '"word": "w9 w0"')
    assert answered(folder, *suite, "--failed") == [4]
    assert answered(folder, *suite, "--limit", "1") == [1]
    assert answered(folder, *suite, "--failed") == [3]
