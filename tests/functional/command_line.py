"""Runs the command line as a user does, on projects that a test writes."""

import json
import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import warm_processes
from typer.testing import CliRunner

from llmops.cli.main import app

TIMEOUT_S = 240
COMMAND = [sys.executable, "-c", "from llmops.cli.main import main; main()"]


def environment(**extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.endswith(("_API_KEY", "_proxy", "_PROXY"))}
    return {**kept, "COLUMNS": "100", **extra}


def llmops(folder: Path, *arguments: str, **extra: str) -> "subprocess.CompletedProcess[str]":
    if "PYTHONPATH" in extra:  # decides what is imported, so that nothing may be imported before
        command = [*COMMAND, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment(**extra), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    return warm_processes.run(arguments, folder, environment(**extra), TIMEOUT_S)


def llmops_here(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """As `llmops`, in this process: for what works with torch, which takes each other process seconds to import."""
    with chdir(folder):
        done = CliRunner().invoke(app, arguments)
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def llmops_after(first: str, folder: Path, *arguments: str, **extra: str) -> "subprocess.CompletedProcess[str]":
    """As `llmops`, in a process that runs some code first, which limits, changes or kills it."""
    return warm_processes.run(arguments, folder, environment(**extra), TIMEOUT_S, first)


def files_up_to(size: int) -> str:
    """Code after which a process writes no file larger than so many bytes."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def project(folder: Path, base: str, cases: int = 3, *, extra: str = "") -> Path:
    """A project that asks one OpenAI-compatible endpoint for a word."""
    rows = [{"id": f"c{i:04d}", "vars": {"word": f"w{i}"}, "expected": [f"w{i}"]} for i in range(cases)]
    model = (
        f"id: openai/m, api_base: {base}, timeout_s: 5, concurrency: 8, price: {{input_per_million: 1, output_per_million: 2}}"
    )
    return write(
        folder,
        {
            "llmops.yaml": f"models:\n  m: {{{model}{extra}}}\n",
            "prompts/say/prompt.j2": "---\nvariables:\n  word: {type: string}\n---\nuser:\nSay {{ word }} now.\n",
            "evals/say.yaml": "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [m]\nevaluators:\n"
            "  - contains: {any: expected, whole_words: true}\n  - latency\n  - cost\n"
            "gate:\n  - {metric: contains.pass_rate, min: 0.3}\n",
            "datasets/say.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def report(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The only run of a `--json` document."""
    document = json.loads(done.stdout)
    (run,) = document["runs"]
    return dict(run)
