"""Calls the command line in this process, on projects that a test writes."""

from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from llmops.cli.main import app
from llmops.domain.errors import LlmopsError

FILES = {
    "llmops.yaml": """\
models:
  small: {id: embedded/reader-small}
  paid:
    id: openai/some-model
    api_base: http://127.0.0.1:9/v1
    api_key_env: SOME_KEY
    concurrency: 3
    price: {input_per_million: 1, output_per_million: 2}
""",
    "prompts/say/prompt.j2": "---\ndescription: Says a word.\nvariables:\n  word: {type: string}\n"
    "  times: {type: integer, required: false, default: 1}\n---\nuser:\n"
    "{% for hit in contexts %}<{{ hit.text }}> {% endfor %}Say {{ word }} x{{ times }}.\n",
    "evals/say.yaml": "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [small]\n"
    "evaluators:\n  - contains: {any: expected}\n",
    "datasets/say.jsonl": '{"id": "c1", "vars": {"word": "moon"}, "contexts": ["A passage."], "expected": ["moon"]}\n'
    '{"id": "c2", "vars": {"word": "sun"}, "expected": ["sun"]}\n',
}


@dataclass(frozen=True)
class Called:
    code: int
    out: str
    """What was printed."""
    error: str
    """The message that `main` would tell, with its hint."""


def project(folder: Path, **changed: str) -> Path:
    for name, text in {**FILES, **changed}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def call(folder: Path, *arguments: str) -> Called:
    done = CliRunner().invoke(app, ["-C", str(folder), *arguments])
    if isinstance(done.exception, LlmopsError):
        return Called(done.exception.exit_code, done.stdout, str(done.exception))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Called(done.exit_code, done.stdout, done.stderr)
