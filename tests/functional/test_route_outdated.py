"""A learned route tells when its models or their prices are no longer what it was fitted on."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, write

from llmops.adapters.embedded_reader import READER_VERSION
from llmops.serving import Router

MODELS = """models:
  small: {id: embedded/reader-small, price: {input_per_million: 1, output_per_million: 1}}
  large: {id: embedded/reader-large, price: {input_per_million: 9, output_per_million: 9}}
"""
ROUTE = "routes:\n  learned: {kind: learned, models: [small, large], router: routes/learned}\n"
COMMANDS = (
    ("validate",),
    ("eval", "-q", "--model", "learned", "--limit", "2"),
    ("route", "report", "--embedder", "none"),
    ("route", "explain", "learned", "When does boat 3 leave?"),
    ("route", "export", "learned", "--force"),
)
FIT = ("route", "fit", "--embedder", "static")


def told(folder: Path, command: tuple[str, ...]) -> list[str]:
    done = llmops(folder, *command)
    assert done.returncode == 0, done.stderr
    return [line for line in (done.stdout + done.stderr).splitlines() if "the route learned was fitted before" in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cases: list[dict[str, Any]] = [
        {
            "id": f"c{n}",
            "vars": {"question": f"When does boat {n} leave?"},
            "contexts": [f"Boat {n} leaves at {n}:15."],
            "expected": [f"{n}:15"],
        }
        for n in range(1, 61)
    ]
    prompt = "user:\n<passages>\n{% for h in contexts %}{{ h.text }}\n{% endfor %}</passages>\nQuestion: {{ question }}\n"
    suite = "dataset: datasets/d.jsonl\nprompts: [p]\ntargets: [small, large]\nevaluators:\n  - contains: {any: expected}\n"
    files = {"llmops.yaml": MODELS, "prompts/p/prompt.j2": prompt, "evals/e.yaml": suite}
    write(tmp_path, {**files, "datasets/d.jsonl": "".join(f"{json.dumps(case)}\n" for case in cases)})
    assert llmops(tmp_path, "eval", "-q").returncode == 0
    return tmp_path


def test_a_model_or_a_price_that_changed_is_told_until_the_route_is_fitted_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert llmops(folder, *FIT).returncode == 0
    write(folder, {"llmops.yaml": MODELS + ROUTE})
    assert [line for command in COMMANDS for line in told(folder, command)] == []
    edit(folder / "llmops.yaml", "output_per_million: 9", "output_per_million: 20")
    edit(folder / "llmops.yaml", "small: {id: embedded/reader-small", "small: {id: embedded/reader-large")
    for command in COMMANDS:
        (line,) = told(folder, command)
        assert f"model `small`: embedded/reader-small|{READER_VERSION} → embedded/reader-large" in line
        assert line.endswith("model `large`: price. Fit it again: llmops eval, then llmops route fit --out routes/learned")
    with caplog.at_level(logging.WARNING, logger="llmops.serving"):
        Router(folder, "learned")
    assert ["the route learned was fitted before" in record.message for record in caplog.records] == [True]
    assert llmops(folder, "eval", "-q").returncode == 0
    assert llmops(folder, *FIT).returncode == 0
    assert [line for command in COMMANDS for line in told(folder, command)] == []


def test_what_was_not_recorded_is_not_compared(folder: Path) -> None:
    assert llmops(folder, *FIT, "--price", "large=2").returncode == 0
    write(folder, {"llmops.yaml": MODELS + ROUTE})
    edit(folder / "llmops.yaml", "output_per_million: 9", "output_per_million: 20")
    assert told(folder, ("validate",)) == []
    manifest = folder / "routes/learned/router.json"
    older = {name: value for name, value in json.loads(manifest.read_text()).items() if name != "asked"}
    manifest.write_text(json.dumps(older))
    edit(folder / "llmops.yaml", "output_per_million: 1}", "output_per_million: 3}")
    assert told(folder, ("validate",)) == []


def test_a_route_that_was_fitted_on_a_file_knows_the_models_of_llmops_yaml(folder: Path) -> None:
    rows = [
        {
            "id": n,
            "prompt": f"request {n}",
            "models": {"small": {"quality": n % 2, "cost": 1}, "large": {"quality": 1, "cost": 9}},
        }
        for n in range(60)
    ]
    write(folder, {"recorded.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows)})
    assert llmops(folder, *FIT, "--from", "recorded.jsonl").returncode == 0
    write(folder, {"llmops.yaml": MODELS + ROUTE})
    assert told(folder, ("validate",)) == []
    edit(folder / "llmops.yaml", "output_per_million: 9", "output_per_million: 20")
    assert len(told(folder, ("validate",))) == 1


def test_validate_tells_a_router_that_is_not_there(folder: Path) -> None:
    write(folder, {"llmops.yaml": MODELS + ROUTE})
    done = llmops(folder, "validate")
    assert (done.returncode, "there is no fitted router" in done.stderr, "llmops route fit" in done.stderr) == (2, True, True)
