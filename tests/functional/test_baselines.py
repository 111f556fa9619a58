"""A run is held against prompts at another version or revision, which are run first; an inconclusive one is extended."""

import json
import subprocess
from pathlib import Path

import pytest
from command_line import edit, llmops, project, report, write
from openai_server import OpenAiServer

RULE = "  - {metric: contains.pass_rate, min: 0.3}\n"
RELATIVE = "  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.1}\n"
BROKEN = "Say {% if word < 'w3' %}{{ word }}{% endif %} now."


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments], cwd=folder, check=True, capture_output=True
    )


@pytest.fixture
def server() -> OpenAiServer:
    return OpenAiServer()


@pytest.fixture
def repository(tmp_path: Path, server: OpenAiServer) -> Path:
    """A project in git, on a branch that parted from `main` after the prompt was committed."""
    project(tmp_path, server.base, 60)
    edit(tmp_path / "evals/say.yaml", RULE, RELATIVE)
    (tmp_path / ".gitignore").write_text(".llmops/\n")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "checkout", "-q", "-b", "change")
    return tmp_path


def test_the_merge_base_is_the_baseline_and_its_answers_are_reused(repository: Path, server: OpenAiServer) -> None:
    prompt = repository / "prompts/say/prompt.j2"
    with server.running():
        unchanged = llmops(repository, "eval", "--baseline", "merge-base:main", "--json")
        assert unchanged.returncode == 0, unchanged.stderr
        assert (server.requests, report(unchanged)["rules"][0]["reason"]) == (60, "0 higher, 0 lower, 60 equal")
        edit(prompt, "Say {{ word }} now.", "Say {{ word }} right now.")
        assert llmops(repository, "eval", "--baseline", "merge-base:main", "-q").returncode == 0
        assert server.requests == 120
        edit(prompt, "Say {{ word }} right now.", BROKEN)
        broken = llmops(repository, "eval", "--baseline", "git:main")
    assert broken.returncode == 1
    assert "running evals/say.yaml with say@git:main" in broken.stderr
    assert "0 answers made, 60 reused" in broken.stderr


def test_two_versions_are_compared_and_only_what_is_missing_is_run(repository: Path, server: OpenAiServer) -> None:
    with server.running():
        edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", BROKEN)
        done = llmops(repository, "compare", "say@git:main", "say", "--margin", "0.05", "--json")
        assert done.returncode == 1, done.stderr
        (metric,) = [m for m in json.loads(done.stdout)["metrics"] if m["name"] == "contains.pass_rate"]
        assert (metric["n"], metric["prompt"]) == (60, "say")
        asked = server.requests
        assert "prompt `say`" in llmops(repository, "compare", "git:main").stdout
        assert server.requests == asked


def test_a_prompt_that_is_new_has_nothing_to_be_held_against(repository: Path, server: OpenAiServer) -> None:
    (repository / "prompts/other").mkdir()
    (repository / "prompts/other/prompt.j2").write_text((repository / "prompts/say/prompt.j2").read_text())
    edit(repository / "evals/say.yaml", "prompts: [say]", "prompts: [other]")
    with server.running():
        done = llmops(repository, "eval", "--baseline", "merge-base:main")
    assert done.returncode == 0
    assert "other is new since main" in done.stderr
    assert "not judged" in done.stdout


def test_a_run_that_is_continued_is_not_held_against_itself(repository: Path, server: OpenAiServer) -> None:
    with server.running():
        good = report(llmops(repository, "eval", "--json"))
        edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word[1:] }} now.")
        settings = repository / "llmops.yaml"
        text = settings.read_text().replace("concurrency: 8", "concurrency: 1")
        settings.write_text(text.replace("per_million: 1,", "per_million: 1000000,"))
        stopped = report(llmops(repository, "eval", "--baseline", "@last", "--budget", "20", "--json"))
        assert (stopped["status"], stopped["baseline"]) == ("over budget", None)
        done = llmops(repository, "eval", "--baseline", "@last", "--json")
        assert (done.returncode, report(done)["run_id"]) == (1, stopped["run_id"])
        assert report(done)["baseline"] == good["run_id"]
        edit(settings, "concurrency: 1", "concurrency: 2")
        again = report(llmops(repository, "eval", "--no-cache", "--budget", "20", "--json"))
        own = llmops(repository, "eval", "--no-cache", "--baseline", again["run_id"])
        assert (own.returncode, "would be its own baseline" in own.stderr) == (2, True)


def test_the_baseline_is_whole_whatever_stops_the_candidate(repository: Path, server: OpenAiServer) -> None:
    edit(repository / "evals/say.yaml", "gate:\n", "min_coverage: 0\ngate:\n")
    with server.running():
        edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word }} right now.")
        server.reply = lambda messages: "no"
        done = report(llmops(repository, "eval", "--baseline", "git:main", "--max-failures", "3", "--json"))
    assert done["counts"]["cells"] < 60
    baseline = llmops(repository, "runs", "show", done["baseline"], "--json")
    assert report(baseline)["counts"]["cells"] == 60


def test_a_typo_in_the_baseline_is_told_before_anything_is_asked(repository: Path, server: OpenAiServer) -> None:
    with server.running():
        for baseline, told in (
            ("merge-base:mian", "no revision 'mian'"),
            ("say@9.9.9", "no version 9.9.9"),
            ("sya", "no prompt 'sya'"),
            ("2say@1.0.0", "no prompt '2say'"),
            ("@nonsense", "@nonsense"),
            ("main", "The prompts of a git revision: git:main\n"),
            ("latest", "Did you mean `@last`?\n"),
            ("m", "llmops eval --model m --model ANOTHER\n"),
        ):
            done = llmops(repository, "eval", "--baseline", baseline)
            assert (done.returncode, told in done.stderr) == (2, True), done.stderr
        for sides, told in (
            (
                ("old.jsonl", "new.jsonl"),
                "'new.jsonl' names neither a run nor a prompt.\nResults in a file: llmops compare --from new.jsonl",
            ),
            (("nope",), "'nope' names neither a run nor a prompt.\nList them: llmops runs list"),
            (("m", "n"), "'m' names neither a run nor a prompt.\nIt is a model, and a run, a prompt or git:REV was expected."),
            (("main",), "git:main\n"),
            (("baseline", "last"), "Did you mean `@baseline`?\n"),
        ):
            done = llmops(repository, "compare", *sides)
            assert (done.returncode, told in done.stderr) == (2, True), done.stderr
        write(repository, {"prompts/other/prompt.j2": "user: Hello."})
        unused = llmops(repository, "compare", "other")
        assert (unused.returncode, "No suite in evals/ names other" in unused.stderr) == (2, True)
        assert server.requests == 0


def test_an_inconclusive_run_is_extended_up_to_its_cap(tmp_path: Path) -> None:
    server = OpenAiServer()
    calls = iter(range(10_000))
    server.reply = lambda messages: messages[-1]["content"] if next(calls) % 2 else "no"
    with server.running():
        project(tmp_path, server.base, 12)
        edit(tmp_path / "evals/say.yaml", RULE, RULE.replace("0.3", "0.45") + "on_inconclusive: extend\nextend: {repeats: 3}\n")
        done = llmops(tmp_path, "eval", "--concurrency", "1", "--json")
        run = report(done)
        assert (done.returncode, run["verdict"], run["counts"]["cells"], server.requests) == (4, "inconclusive", 36, 36)
        assert "inconclusive with 1 per case, so extended to 3" in run["notes"]
        look = [note for note in run["notes"] if "each look has a confidence of 0.9768 for 0.95 in all" in note]
        assert len(look) == 1
        gated = json.loads(llmops(tmp_path, "gate", run["run_id"], "--json").stdout)
        assert [note for note in gated["notes"] if "each look has" in note] == look
        most = report(llmops(tmp_path, "eval", "--repeat", "3", "--json"))  # as many as there may be: it looks once
        assert (most["counts"]["model_calls"], [note for note in most["notes"] if "may look" in note]) == (0, [])
        again = report(llmops(tmp_path, "eval", "--no-cache", "--concurrency", "1", "--json"))
        assert (again["counts"]["cells"], again["counts"]["model_calls"], server.requests) == (36, 12, 72)
        edit(tmp_path / "evals/say.yaml", "{repeats: 3}", "{repeats: 3, budget: 0.00001}")
        capped = llmops(tmp_path, "eval", "--no-cache", "--concurrency", "1", "--json")
        assert report(capped)["counts"]["cells"] == 12
        assert any("budget" in note for note in report(capped)["notes"])


def test_a_budget_holds_for_the_baseline_and_what_is_held_against_it(repository: Path, server: OpenAiServer) -> None:
    settings = repository / "llmops.yaml"
    text = settings.read_text().replace("concurrency: 8", "concurrency: 1")
    settings.write_text(text.replace("input_per_million: 1,", "input_per_million: 1.0e+6,").replace(": 2}", ": 2.0e+6}"))
    edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word }} right now.")
    command = ("eval", "--baseline", "git:main", "--json")
    with server.running():
        part = llmops(repository, *command, "--budget", str(70 * 13))
        assert (part.returncode, server.requests) == (5, 70), part.stderr
        whole = llmops(repository, *command, "--budget", str(120 * 13))
        assert (whole.returncode, server.requests) == (0, 120), whole.stderr


def test_what_failed_is_selected_once_for_all_that_a_command_runs(repository: Path, server: OpenAiServer) -> None:
    with server.running():
        edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", BROKEN)
        failed = report(llmops(repository, "eval", "--baseline", "git:main", "--json"))
        wrong = {result["case_id"] for result in failed["results"] if not result["evaluations"]["contains"]["passed"]}
        assert len(wrong) > 20
        again = report(llmops(repository, "eval", "--failed", "--baseline", "git:main", "--json"))
    assert {result["case_id"] for result in again["results"]} == wrong
    assert again["rules"][0]["n"] == len(wrong)


def test_an_extension_is_held_against_the_run_that_was_the_last_before_it(tmp_path: Path) -> None:
    server = OpenAiServer()
    with server.running():
        project(tmp_path, server.base, 12)
        assert llmops(tmp_path, "eval", "-q").returncode in (0, 4)
        edit(tmp_path / "evals/say.yaml", RULE, RELATIVE + "on_inconclusive: extend\nextend: {repeats: 2}\n")
        edit(tmp_path / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word if word != 'w0' else 'no' }} now.")
        first = report(llmops(tmp_path, "runs", "show", "--json"))
        done = llmops(tmp_path, "eval", "--baseline", "@last", "--json")
    assert (done.returncode, report(done)["counts"]["cells"]) == (4, 24)
    assert report(done)["baseline"] == first["run_id"]


def test_a_baseline_too_dear_to_be_extended_leaves_the_report(repository: Path, server: OpenAiServer) -> None:
    settings = repository / "llmops.yaml"
    text = settings.read_text().replace("concurrency: 8", "concurrency: 1")
    settings.write_text(text.replace("input_per_million: 1,", "input_per_million: 1.0e+6,").replace(": 2}", ": 2.0e+6}"))
    cases = repository / "datasets/say.jsonl"
    cases.write_text("".join(cases.read_text().splitlines(keepends=True)[:12]))
    edit(repository / "evals/say.yaml", RELATIVE, RELATIVE + "on_inconclusive: extend\nextend: {repeats: 3, budget: 39}\n")
    edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word if word != 'w0' else 'no' }} now.")
    with server.running():
        done = llmops(repository, "eval", "--baseline", "git:main", "--json")
    assert (done.returncode, report(done)["counts"]["cells"]) == (4, 12), done.stderr
    assert any("the budget allows no further answer" in note for note in report(done)["notes"])


def test_what_is_run_for_a_baseline_says_nothing_of_the_suite(repository: Path, server: OpenAiServer) -> None:
    edit(repository / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word if word != 'w0' else 'no' }} now.")
    with server.running():
        failed = report(llmops(repository, "eval", "--no-gate", "--json"))
        wrong = {result["case_id"] for result in failed["results"] if not result["evaluations"]["contains"]["passed"]}
        assert llmops(repository, "compare", "say@git:main", "say@git:main", "--json").returncode == 0
        again = report(llmops(repository, "eval", "--failed", "--no-gate", "--json"))
    assert {result["case_id"] for result in again["results"]} == wrong == {"c0000"}
