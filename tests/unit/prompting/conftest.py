"""A small project with one prompt."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("prompting", deadline=None)
settings.load_profile("prompting")

TEXT = """---
description: Answers.
variables:
  question: {type: string}
---
system:
{% include 'rules.j2' %}
user:
{{ question }}
"""

Write = Callable[[str, str], None]
Git = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with the prompt `answer`, which includes a shared file."""
    folder = tmp_path / "project"
    (folder / "prompts" / "answer").mkdir(parents=True)
    (folder / "prompts" / "_shared").mkdir()
    (folder / "prompts" / "answer" / "prompt.j2").write_text(TEXT, encoding="utf-8")
    (folder / "prompts" / "_shared" / "rules.j2").write_text("Be brief.\n", encoding="utf-8")
    return folder


@pytest.fixture
def write(root: Path) -> Write:
    """Write a file of the project by its relative path."""

    def write_file(path: str, text: str) -> None:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    return write_file


@pytest.fixture
def git(root: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Run git in the project, which becomes a repository."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")

    def run(*arguments: str, cwd: Path | None = None, ok: bool = True) -> str:
        who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.test", "-c", "protocol.file.allow=always"]
        done = subprocess.run(["git", *who, *arguments], cwd=cwd or root, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not ok, done.stderr
        return done.stdout.strip()

    run("init", "-q", "-b", "main")
    return run
