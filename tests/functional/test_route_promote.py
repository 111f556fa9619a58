"""A canary climbs while its log shows no loss, falls when it does, and stays when nobody can tell."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, write
from openai_server import OpenAiServer

from llmops.serving import Router

PROJECT = """# our models
models:
  old: {{id: openai/old, api_base: {base}, max_retries: 0}}
  new: {{id: openai/new, api_base: {base}, max_retries: 0}}
routes:
  rollout: {{kind: canary, models: [old, new], percent: 25, checks: [refusal]}}   # since Monday
  plain: {{kind: fixed, model: old}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, {"llmops.yaml": PROJECT.format(base="http://127.0.0.1:9/v1").replace("", "")})


def logged(folder: Path, old: list[float], new: list[float], **more: Any) -> str:  # noqa: ANN401
    rows = [("old", worth) for worth in old] + [("new", worth) for worth in new]
    lines = [
        {
            "id": f"d{n}",
            "at": "2026-01-01T00:00:00+00:00",
            "route": "rollout",
            "key": f"user-{n}",
            "calls": [{"model": model, "served": True}],
            "quality": worth,
            **more,
        }
        for n, (model, worth) in enumerate(rows)
    ]
    (folder / "d.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return "d.jsonl"


def promote(folder: Path, *more: str) -> tuple[int, dict[str, Any]]:
    done = llmops(folder, "route", "promote", "rollout", "--log", "d.jsonl", "--json", *more)
    return done.returncode, json.loads(done.stdout)


def test_as_good_as_the_old_one_climbs_and_earlier_lines_count_no_more(folder: Path) -> None:
    logged(folder, [1.0] * 300, [1.0] * 150)
    code, found = promote(folder, "--dry-run")
    assert (code, found["verdict"], found["percent_after"]) == (0, "pass", 50)
    assert "percent: 25," in (folder / "llmops.yaml").read_text()
    assert promote(folder)[0] == 0
    text = (folder / "llmops.yaml").read_text()
    assert "percent: 50, checks: [refusal], since: '" in text
    assert "# our models" in text
    assert "# since Monday" in text
    code, found = promote(folder)
    assert (code, found["verdict"], found["old"]["graded"]) == (4, "inconclusive", 0)
    assert (folder / "llmops.yaml").read_text() == text


def test_a_canary_climbs_no_higher_than_the_last_step(folder: Path) -> None:
    logged(folder, [1.0] * 300, [1.0] * 150)
    before = (folder / "llmops.yaml").read_text()
    done = llmops(folder, "route", "promote", "rollout", "--log", "d.jsonl", "--steps", "5,25")
    assert (done.returncode, "PASS: rollout stays at 25 %" in done.stdout) == (0, True)
    assert (folder / "llmops.yaml").read_text() == before


def test_worse_falls_to_nothing(folder: Path) -> None:
    logged(folder, [1.0] * 300, [1.0, 0.0] * 75)
    done = llmops(folder, "route", "promote", "rollout", "--log", "d.jsonl")
    assert done.returncode == 1
    assert "FAIL: rollout 25 % -> 0 %" in done.stdout
    assert "Start each running Router and proxy again" in done.stdout
    assert "percent: 0," in (folder / "llmops.yaml").read_text()
    again = llmops(folder, "route", "promote", "rollout", "--log", "d.jsonl")
    assert (again.returncode, "percent: 1" in again.stderr) == (2, True)


def test_too_few_grades_or_too_wide_an_interval_change_nothing(folder: Path) -> None:
    before = (folder / "llmops.yaml").read_text()
    logged(folder, [1.0] * 300, [1.0] * 99)
    assert promote(folder)[0] == 4
    logged(folder, [1.0, 0.0] * 60, [1.0, 0.0] * 60)
    assert promote(folder)[0] == 4
    logged(folder, [1.0] * 300, [1.0] * 150, key="one user")  # many answers to one user are one user's opinion
    assert promote(folder)[0] == 4
    assert (folder / "llmops.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("plain", "--log", "d.jsonl"), "only a canary"),
        (("rolout", "--log", "d.jsonl"), "Did you mean `rollout`?"),
        (("rollout", "--log", "none.jsonl"), "none.jsonl"),
        (("rollout", "--log", "d.jsonl", "--steps", "5,1"), "growing shares"),
        (("rollout", "--log", "d.jsonl", "--confidence", "0.4"), "above 0.5"),
    ],
)
def test_what_is_typed_wrong_is_told(folder: Path, arguments: tuple[str, ...], told: str) -> None:
    logged(folder, [1.0], [1.0])
    done = llmops(folder, "route", "promote", *arguments)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_a_served_canary_is_judged_by_its_own_checks(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        server.reply = lambda messages: "It is fine."
        folder = write(tmp_path, {"llmops.yaml": PROJECT.format(base=server.base).replace("", "")})

        async def served() -> None:
            router = Router(folder, "rollout", log=folder / "d.jsonl")
            for number in range(400):
                await router.complete([{"role": "user", "content": "Is it?"}], key=f"user-{number}")
            await router.close()

        asyncio.run(served())
    code, found = promote(folder, "--after", "60", "--margin", "0.1")
    assert (code, found["verdict"]) == (0, "pass")
    assert found["old"]["graded"] + found["new"]["graded"] == 400
    assert 60 <= found["new"]["graded"] <= 140
