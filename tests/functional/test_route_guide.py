"""The guide to routing is followed in the sample project, and what is typed wrong is told."""

import json
import shutil
from pathlib import Path

import pytest
from command_line import llmops
from guides import blocks, typed
from test_bad_input import edit

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project without its store."""
    folder = tmp_path_factory.mktemp("sample")
    for name in ("docs", "prompts", "evals", "datasets"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "llmops.yaml", folder / "llmops.yaml")
    return folder


def test_every_command_of_the_guide_works_in_order(sample: Path) -> None:
    printed: dict[str, str] = {}
    found = list(blocks("routing.md"))
    example = next(body for language, body in found if language == "json")
    rows = [{**json.loads(example), "id": number} for number in range(3)]
    (sample / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    call = {"model": "small", "served": True}
    decision = {"at": "2026-01-01T00:00:00", "route": "rollout", "quality": 1}
    calls = [{"id": str(n), **decision, "calls": [{**call, "model": ("large", "small")[n % 2]}]} for n in range(400)]
    (sample / "decisions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in calls))
    for language, body in found:
        if language == "yaml":
            edit(sample / "llmops.yaml", "routes:\n", body.partition("in part\n")[2])
        for line in body.splitlines() if language == "sh" else ():
            printed[line] = typed(sample, line)
    replayed = printed["llmops route report"]
    assert "route careful" in replayed
    assert "quality over cost" in replayed
    assert "asks " in printed['llmops route explain learned "How do I cap what a run may spend?"']
    assert "rollout 5 % -> 25 %" in printed["llmops route promote rollout --log decisions.jsonl"]
    config = (sample / "proxy/config.yaml").read_text()
    assert "model: llmops/learned" in config
    compile((sample / "proxy/llmops_routes.py").read_text(), "llmops_routes.py", "exec")


def test_a_router_is_refused_when_it_was_changed_or_does_not_fit(sample: Path) -> None:
    arrays = sample / "routes/learned/arrays.npz"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + b"x")
    changed = llmops(sample, "route", "explain", "learned", "Why?")
    assert (changed.returncode, "was changed after it was fitted" in changed.stderr) == (2, True)
    arrays.write_bytes(whole)
    edit(sample / "llmops.yaml", "models: [small, large], router", "models: [large, small], router")
    assert llmops(sample, "route", "explain", "learned", "Why?").returncode == 0
    edit(sample / "llmops.yaml", "router: routes/learned", "router: routes/lerned")
    missing = llmops(sample, "route", "explain", "learned", "Why?")
    assert (missing.returncode, "llmops route fit" in missing.stderr) == (2, True)
    assert "Did you mean `careful`?" in llmops(sample, "route", "explain", "carefull", "Why?").stderr


def test_a_log_of_decisions_is_summed_up(tmp_path: Path) -> None:
    call = {"model": "small", "reason": "first; answered", "latency_s": 0.5, "cost_usd": 0.001, "served": True}
    failed = {"model": "small", "reason": "first", "latency_s": 1.0, "cost_usd": 0.0, "error": "ModelTimeout"}
    late = {"model": "large", "reason": "small: ModelTimeout; answered", "latency_s": 1.0, "cost_usd": 0.02, "served": True}
    rows: list[dict[str, object]] = [
        {"calls": [call], "quality": 1},
        {"calls": [call]},
        {"calls": [failed, late]},
        {"calls": [failed]},
    ]
    lines = [json.dumps({"id": str(n), "at": "2026-01-01T00:00:00", "route": "r", **row}) for n, row in enumerate(rows)]
    (tmp_path / "d.jsonl").write_text("\n".join(lines) + "\n")
    found = json.loads(llmops(tmp_path, "route", "report", "--log", "d.jsonl", "--json").stdout)
    assert (found["requests"], found["failed"], found["graded"]) == (4, 1, 1)
    assert [(each["name"], each["requests"]) for each in found["served"]] == [("large", 1), ("small", 2)]
    assert found["cost"] == pytest.approx(1000 * 0.022 / 4)
    assert found["errors"] == {"small: ModelTimeout": 2}
    assert "2 x small: ModelTimeout" in llmops(tmp_path, "route", "report", "--log", "d.jsonl").stdout
    (tmp_path / "d.jsonl").write_text(lines[0] + "\n{\n")
    done = llmops(tmp_path, "route", "report", "--log", "d.jsonl")
    assert (done.returncode, "d.jsonl:2" in done.stderr) == (2, True)
