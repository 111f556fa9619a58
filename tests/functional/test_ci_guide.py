"""The guide for pull requests is followed in a repository: what passes, fails, is inconclusive, and is incomplete."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import COMMAND, environment, write
from guides import blocks
from openai_server import OpenAiServer
from test_baselines import git

ROOT = Path(__file__).parents[2]
PROMPT = "prompts/answer/prompt.j2"
TEXT = "Answer from the passage.\n\nPassage: {{ passage }}\n\nQuestion: {{ question }}\n"
SCRIPT, RULES = (
    next(body for language, body in blocks("gate-a-pull-request.md") if language == wanted) for wanted in ("sh", "yaml")
)


@pytest.fixture
def server(server: OpenAiServer) -> OpenAiServer:
    """A model that reads the passage when there is one, and guesses when there is none."""
    server.reply = lambda messages: messages[-1]["content"].partition("Passage: ")[2].partition("\n")[0] or "I guess so."
    return server


@pytest.fixture
def repository(tmp_path: Path, server: OpenAiServer) -> Path:
    rows = [
        {"id": f"q{i}", "vars": {"question": f"What is {i}?", "passage": f"It is word{i}."}, "expected": [f"word{i}"]}
        for i in range(60)
    ]
    rows[7]["tags"] = ["critical"]
    suite = "dataset: datasets/answers.jsonl\nprompts: [answer]\ntargets: [m]\nevaluators:\n  - contains: {any: expected}\n"
    model = f"id: openai/m, api_base: {server.base}, timeout_s: 5, max_retries: 0, concurrency: 4"
    front = "---\nvariables:\n  passage: {type: string}\n  question: {type: string}\n---\nuser:\n"
    write(
        tmp_path,
        {
            "llmops.yaml": f"models:\n  m: {{{model}, price: {{input_per_million: 1, output_per_million: 2}}}}\n",
            PROMPT: front + TEXT,
            "evals/answers.yaml": suite + RULES,
            "datasets/answers.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
            ".gitignore": ".llmops/\n",
        },
    )
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "checkout", "-q", "-b", "change")
    return tmp_path


def job(folder: Path, script: str = SCRIPT, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a CI job does: it ends at the first command that fails."""
    program = f"llmops() {{ {COMMAND[0]} -c '{COMMAND[2]}' \"$@\"; }}\n"
    done = subprocess.run(
        ["bash", "-ec", program + script],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def change(folder: Path, before: str, after: str, file: str = PROMPT) -> None:
    path = folder / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_harmless_reword_passes(repository: Path) -> None:
    change(repository, "Answer from the passage.", "Answer the question from the passage alone.")
    assert job(repository).returncode == 0
    assert "evals/answers.yaml: pass" in (repository / "comment.md").read_text()
    assert json.loads((repository / "quality.json").read_text()) == []


def test_a_prompt_that_drops_the_context_fails_with_a_readable_comment(repository: Path) -> None:
    change(repository, "Passage: {{ passage }}", "{% if false %}{{ passage }}{% endif %}")
    assert job(repository).returncode == 1
    comment = (repository / "comment.md").read_text()
    assert comment.startswith("## evals/answers.yaml: fail\n")
    for told in ("| fail | contains", "60 broken and 0 mended", "q7 · answer · m** critical", "after: I guess so."):
        assert told in comment
    (run,) = json.loads((repository / "broken.sarif").read_text())["runs"]
    assert [each["level"] for each in run["results"]].count("error") == 1


def test_annotations_of_a_project_in_a_folder_name_files_as_the_repository_does(repository: Path) -> None:
    git(repository, "checkout", "-q", "main")
    folder = repository / "apps/shop & more"
    folder.mkdir(parents=True)
    git(repository, "mv", "llmops.yaml", "prompts", "evals", "datasets", folder.relative_to(repository).as_posix())
    git(repository, "commit", "-q", "-m", "moved")
    git(repository, "checkout", "-q", "-b", "moved-change")
    change(folder, "Passage: {{ passage }}", "{% if false %}{{ passage }}{% endif %}")
    assert job(folder).returncode == 1
    lint = job(folder, "llmops prompt lint --format sarif > lint.sarif || true")
    assert lint.returncode == 0
    for name in ("broken.sarif", "lint.sarif"):
        (run,) = json.loads((folder / name).read_text())["runs"]
        found = {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in run["results"]}
        assert found == {"apps/shop%20%26%20more/prompts/answer/prompt.j2"}
    paths = {each["location"]["path"] for each in json.loads((folder / "quality.json").read_text())}
    assert paths == {"apps/shop & more/prompts/answer/prompt.j2"}


FLAKY = """
import collections, random
ASKED = collections.Counter()
def judge(sample):
    case = str(sample["vars"])
    ASKED[case] += 1
    return random.Random(f"{ASKED[case]} {case}").random() < 0.5
"""
"""A coin that falls otherwise each time a case is judged, and in the same way in every run of the test."""


def test_a_flaky_evaluator_gives_inconclusive(repository: Path) -> None:
    write(repository, {"evals/flaky.py": FLAKY})
    change(
        repository,
        "  - contains: {any: expected}",
        "  - python: {function: evals/flaky.py:judge, name: contains}",
        "evals/answers.yaml",
    )
    change(repository, "  - {no_new_failures: {tags: [critical]}}\n", "", "evals/answers.yaml")
    change(repository, "Question:", "Asked:")
    done = job(repository, SCRIPT.replace("llmops eval", "llmops eval --no-cache"))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "evals/answers.yaml: inconclusive" in (repository / "comment.md").read_text()


def test_many_provider_errors_are_incomplete_and_not_a_verdict(repository: Path, server: OpenAiServer) -> None:
    change(repository, "Answer from the passage.", "Answer the question from the passage alone.")
    server.faults = {number: "500" for number in range(61, 200) if number % 3 == 0}
    assert job(repository).returncode == 3
    assert "evals/answers.yaml: incomplete" in (repository / "comment.md").read_text()


def test_the_action_keeps_one_comment_up_to_date(repository: Path) -> None:
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
    steps = {step.get("name", step.get("uses", "")): step for step in action["runs"]["steps"]}
    gh = '#!/bin/bash\necho "$@" >> calls.txt\ncase "$*" in *--paginate*) cat known.txt;; *) [ ! -f refused ];; esac\n'
    write(repository, {"bin/gh": gh, "known.txt": ""})
    (repository / "bin/gh").chmod(0o755)
    told = {
        "PATH": f"{repository / 'bin'}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(repository / "summary.md"),
        "GITHUB_OUTPUT": str(repository / "output.txt"),
        "GITHUB_REPOSITORY": "o/r",
        "NUMBER": "5",
        "FOLDER": ".",
        "SUITES": "",
        "BASELINE": "merge-base:main",
        "ARGUMENTS": "",
    }
    change(repository, "Passage: {{ passage }}", "{% if false %}{{ passage }}{% endif %}")
    assert job(repository, steps["Evaluate"]["run"], **told).returncode == 0
    assert "exit-code=1" in (repository / "output.txt").read_text()
    assert "evals/answers.yaml: fail" in (repository / "summary.md").read_text()
    assert job(repository, steps["Comment"]["run"], **told).returncode == 0
    assert "-X POST repos/o/r/issues/5/comments" in (repository / "calls.txt").read_text()
    assert (repository / "llmops-comment.md").read_text().startswith("<!-- llmops . -->\n## evals")
    (repository / "known.txt").write_text("99\n100\n")
    assert job(repository, steps["Comment"]["run"], **told).returncode == 0
    assert "-X PATCH repos/o/r/issues/comments/99" in (repository / "calls.txt").read_text()
    (repository / "llmops-report.md").write_text("## a long report\n" + "- Größe\n" * 10_000)
    assert job(repository, steps["Comment"]["run"], **told).returncode == 0
    comment = (repository / "llmops-comment.md").read_text()
    assert len(comment) < 65_536
    assert comment.endswith("- Größe\n\n\nCut here: the summary of the run has the whole report.\n")
    (repository / "refused").touch()
    from_a_fork = job(repository, steps["Comment"]["run"], **told | {"SUITES": "evals/answers.yaml"})
    assert (from_a_fork.returncode, from_a_fork.stdout[:11]) == (0, "::warning::")
    assert (repository / "llmops-comment.md").read_text().startswith("<!-- llmops . evals/answers.yaml -->\n")
    assert job(repository, steps["Verdict"]["run"], CODE="1").returncode == 1
    assert job(repository, steps["Evaluate"]["run"], **told | {"SUITES": "evals/none.yaml"}).returncode == 0
    assert not (repository / "llmops-report.md").exists()


def test_the_action_keeps_the_answers_of_a_run_that_did_not_pass() -> None:
    # `actions/cache` saves nothing when the job fails, and never twice under one key, as when a job is run again.
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    (restored,), (saved,) = (
        [each for each in steps if f"cache/{what}@" in each.get("uses", "")] for what in ("restore", "save")
    )
    assert "github.run_attempt" in restored["with"]["key"]
    assert (saved["if"], saved["with"]["path"]) == ("always()", restored["with"]["path"])
    assert saved["with"]["key"] == f"${{{{ steps.{restored['id']}.outputs.cache-primary-key }}}}"
    names = [step.get("name") for step in steps]
    assert names.index("Evaluate") < steps.index(saved) < names.index("Verdict")


def test_the_hooks_are_commands_that_exist(repository: Path) -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        assert job(repository, f"{hook['entry']} --help").returncode == 0
