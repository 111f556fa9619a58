"""Nothing that a model or a dataset says is a command of the code host in whose log it is printed."""

import json
from pathlib import Path

import pytest
from command_line import edit, llmops, project
from openai_server import OpenAiServer

HOSTILE = "Well:\n::error file=x::pwn ##vso[task.setvariable variable=a]b " + "and so on " * 40 + "\n   ::warning::pwn"


def no_command(text: str) -> bool:
    return not any(line.lstrip().startswith("::") or "##vso[" in line for line in text.splitlines())


@pytest.mark.parametrize("columns", ["40", "80", "100"])
def test_answers_and_ids_begin_no_line(tmp_path: Path, columns: str) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        edit(tmp_path / "datasets/say.jsonl", '"c0001"', json.dumps("::error::id\n::error::id"))
        edit(tmp_path / "evals/say.yaml", "gate:", "gate:\n  - {no_new_failures: {}}")
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        assert llmops(tmp_path, "runs", "baseline", "@last").returncode == 0
        server.reply = lambda _: HOSTILE
        edit(tmp_path / "prompts/say/prompt.j2", "now", "then")
        done = llmops(tmp_path, "eval", COLUMNS=columns)
    assert done.returncode == 1, done.stdout
    printed = [done, llmops(tmp_path, "compare", "@baseline", "@last", COLUMNS=columns)]
    printed.append(llmops(tmp_path, "runs", "show", "@last", "--outputs", COLUMNS=columns))
    printed.append(llmops(tmp_path, "judge", "next", "evals/say.yaml", "--evaluator", "contains", COLUMNS=columns))
    for each in printed:
        assert "::error::id ::error::id" in " ".join(each.stdout.replace("│", " ").split())
        assert "::warning::pwn" in each.stdout or "Well: ::error file=x::pwn" in each.stdout
        assert no_command(each.stdout + each.stderr), each.stdout
