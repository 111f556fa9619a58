"""A shell completes the names of a project, and is told nothing where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, llmops, llmops_after, project, write

REST = """  other: {id: openai/o}
indexes:
  manual: {corpus: {paths: ['docs/*.md']}}
routes:
  cheap: {kind: cascade, models: [m, other], escalate_when: [refusal]}
"""


def asked(line: str) -> dict[str, str]:
    """How Bash asks for what may stand at the end of a line."""
    return {"_LLMOPS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}


def completed(folder: Path, line: str) -> list[str]:
    """What Bash would offer."""
    done = llmops_after("import sys; sys.argv[0] = 'llmops'", folder, **asked(line))
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = project(tmp_path_factory.mktemp("project"), "http://127.0.0.1:9/v1")
    text = (folder / "llmops.yaml").read_text()
    return write(folder, {"llmops.yaml": text + REST, "evals/deep/other.yaml": "{}"})


def test_the_program_that_is_installed_is_asked(folder: Path) -> None:
    program = str(Path(sys.executable).with_name("llmops"))
    env = environment(**asked("llmops eval s"))
    done = subprocess.run([program], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split(), done.stderr) == (["say"], "")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("llmops eval s", ["say"]),
        ("llmops eval ", ["deep/other", "say"]),
        ("llmops eval evals/s", ["evals/say.yaml"]),
        ("llmops eval --model ", ["m", "other", "cheap"]),
        ("llmops eval -p s", ["say"]),
        ("llmops rag drop ", ["manual"]),
        ("llmops route explain c", ["cheap"]),
        ("llmops prompt show x", []),
        ("llmops runs show ", []),
        ("llmops compare ", ["@baseline", "say"]),
    ],
)
def test_names_of_the_project_are_offered(folder: Path, line: str, offered: list[str]) -> None:
    assert completed(folder, line) == offered
    assert not (folder / ".llmops").exists()  # looking makes no store


def test_versions_labels_and_runs_are_offered(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    write(tmp_path, {"evals/recorded.yaml": "dataset: d.jsonl\nevaluators: [tokens]\n"})
    write(tmp_path, {"d.jsonl": '{"id": "1", "output": "yes"}\n'})
    llmops(tmp_path, "prompt", "commit", "say", "-m", "first")
    llmops(tmp_path, "prompt", "label", "say@1.0.0", "--label", "live", "-m", "first")
    llmops(tmp_path, "eval", "recorded")
    assert completed(tmp_path, "llmops prompt show say@") == ["say@live", "say@1.0.0"]
    last, run = completed(tmp_path, "llmops runs show ")
    assert (last, run in llmops(tmp_path, "runs", "list", "--json").stdout) == ("@last", True)
    assert completed(tmp_path.parent, f"llmops -C {tmp_path} gate {run[:4]}") == [run]


@pytest.mark.parametrize("settings", [None, "models: {m: {id: x/y", "models: 5\n"])
def test_without_a_project_or_with_a_faulty_one_nothing_is_offered(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        write(tmp_path, {"llmops.yaml": settings})
    for line in ("llmops eval -m ", "llmops eval ", "llmops runs show ", "llmops prompt show a@"):
        assert completed(tmp_path, line) == []
