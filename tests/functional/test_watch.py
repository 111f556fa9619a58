"""`eval --watch` follows edits: only what changed is asked again, a broken file is told, and Ctrl-C ends it."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import COMMAND, edit, environment, write
from openai_server import OpenAiServer

SUITE = "dataset: datasets/s.jsonl\nprompts: [ask]\ntargets: [gpt]\nevaluators:\n  - contains: {any: expected}\n"


class Watching:
    """A running `llmops eval --watch`; what it says goes to a file of the project, which is no change of it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.told = folder / "told.txt"
        with self.told.open("w") as out:
            command = [*COMMAND, "eval", "--watch", *arguments]
            self.process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=out, stderr=subprocess.STDOUT)

    def until(self, text: str, times: int) -> str:
        """Everything it has said once a text has come so often."""
        end = time.monotonic() + 90
        while (said := self.told.read_text()).count(text) < times:
            assert self.process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
        return said


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    rows = [{"id": f"q{i}", "vars": {"question": f"{i}?"}, "expected": [str(i)]} for i in range(5)]
    return write(
        tmp_path / "project",
        {
            "llmops.yaml": f"models:\n  gpt: {{id: openai/x, api_base: {server.base}}}\n",
            "prompts/ask/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\nSay {{ question }}\n",
            "evals/s.yaml": SUITE,
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def test_an_edit_is_evaluated_and_a_broken_file_is_told(folder: Path, server: OpenAiServer) -> None:
    waiting = "watching for changes"
    watching = Watching(folder, "-o", "report.md")
    try:
        watching.until(waiting, 1)
        assert server.requests == 5
        edit(folder / "datasets/s.jsonl", '"3?"', '"three?"')
        said = watching.until(waiting, 2)
        assert server.requests == 6
        assert "changed: datasets/s.jsonl" in said
        edit(folder / "prompts/ask/prompt.j2", "{{ question }}", "{{ question")
        assert "prompts/ask/prompt.j2" in watching.until(waiting, 3)
        edit(folder / "prompts/ask/prompt.j2", "{{ question", "{{ question }} now")
        said = watching.until(waiting, 4)
        assert server.requests == 11
        named = ", ".join(line.removeprefix("changed: ") for line in said.splitlines() if line.startswith("changed: "))
        assert set(named.split(", ")) == {"datasets/s.jsonl", "prompts/ask/prompt.j2"}
        os.kill(watching.process.pid, signal.SIGINT)
        assert watching.process.wait(timeout=30) == 0
    finally:
        watching.process.kill()
        watching.process.wait()
    assert "Traceback" not in watching.told.read_text()
