"""Presidio finds names beside our patterns, with a spaCy model that the test makes."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "functional"))
from command_line import llmops, write

pytest.importorskip("presidio_analyzer", reason="the extra `pii` is not installed: run `make test-engines`")
TEXT = "Ada Lovelace wrote to ada@example.org from London."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import spacy

    pipeline = spacy.blank("en")
    rules = [{"label": "PERSON", "pattern": "Ada Lovelace"}, {"label": "GPE", "pattern": "London"}]
    pipeline.add_pipe("entity_ruler").add_patterns(rules)
    pipeline.to_disk(tmp_path / "names")
    return write(
        tmp_path,
        {
            "llmops.yaml": "models: {a: {id: embedded/reader-small}}\n",
            "log.jsonl": json.dumps({"input": "Who?", "output": TEXT}),
        },
    )


def test_names_and_patterns_are_found_together(folder: Path) -> None:
    done = llmops(folder, "score", "log.jsonl", "--evaluator", "pii:presidio:names")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["scores"]["pii"]
    assert [(span["kind"], TEXT[span["start"] : span["end"]]) for span in found["spans"]] == [
        ("person", "Ada Lovelace"),
        ("email", "ada@example.org"),
    ]
    assert (found["value"], found["passed"]) == (2.0, False)


@pytest.mark.parametrize(
    ("backend", "told"), [("presidio", "spacy download en_core_web_lg"), ("presidio:no/where", "no/where")]
)
def test_a_model_that_is_not_there_is_named(folder: Path, backend: str, told: str) -> None:
    done = llmops(folder, "score", "log.jsonl", "--evaluator", f"pii:{backend}")
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
