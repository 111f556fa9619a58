"""The sample project discriminates: each way of breaking it moves its verdict, with no code path of its own.

The guides that are about its answers are followed here, too, because to evaluate it takes a minute.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, report
from guides import blocks, typed

from llmops.statistics.paired import paired_difference

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    for name in ("docs", "datasets", "prompts", "evals"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "llmops.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def unbroken(sample: Path) -> dict[str, Any]:
    done = llmops(sample, "eval", "evals/manual.yaml", "--json")
    assert done.returncode == 0, done.stderr
    return report(done)


@pytest.fixture(scope="module")
def routed(sample: Path, unbroken: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose routes may be edited; what was answered is in its store."""
    assert unbroken["verdict"] == "pass"
    return Path(shutil.copytree(sample, tmp_path_factory.mktemp("routed") / "sample"))


def measured(run: dict[str, Any], evaluator: str, part: str | None = None) -> dict[tuple[str, str], float]:
    found = {}
    for result in run["results"]:
        each = result["evaluations"].get(evaluator, {})
        if each.get("status") == "scored":
            found[result["case_id"], result["target"]] = each["parts"][part] if part else float(each["passed"])
    return found


def drop_excludes_zero(before: dict[tuple[str, str], float], after: dict[tuple[str, str], float]) -> bool:
    shared = [key for key in before if key in after]
    cases = {case: number for number, case in enumerate(sorted({case for case, _ in shared}))}
    paired = paired_difference(
        [before[key] for key in shared], [after[key] for key in shared], clusters=[cases[case] for case, _ in shared]
    )
    return paired is not None and paired.high is not None and paired.high < 0


def test_a_second_run_generates_embeds_and_evaluates_nothing(sample: Path, unbroken: dict[str, Any]) -> None:
    again = report(llmops(sample, "eval", "evals/manual.yaml", "--json"))
    counts = again["counts"]
    assert (counts["model_calls"], counts["retrieved"], counts["evaluated"]) == (0, 0, 0)
    assert counts["reused"] == unbroken["counts"]["cells"] >= 160


def test_the_guide_to_an_evaluator_of_your_own_runs_to_the_letter(sample: Path, unbroken: dict[str, Any]) -> None:
    for language, body in blocks("custom-evaluator.md"):
        (sample / body.split("\n")[0].removeprefix("# ")).write_text(body)
        assert language in ("python", "yaml")
    run = report(llmops(sample, "eval", "evals/style.yaml", "--json"))
    assert (run["verdict"], run["counts"]["failed"], run["counts"]["model_calls"]) == ("not judged", 0, 0)
    summaries = {each["name"]: each for each in run["groups"][0]["evaluators"]}
    assert [summaries[name]["direction"] for name in ("python", "length")] == ["higher is better", "lower is better"]


@pytest.mark.parametrize(
    ("file", "old", "new", "evaluator", "part"),
    [
        ("prompts/answer/prompt.j2", "{{ hit.text }}", "", "contains", None),
        ("llmops.yaml", "max_tokens: 240, overlap: 32", "max_tokens: 16, overlap: 0, heading_prefix: false", "contains", None),
        ("llmops.yaml", "k: 5", "k: 1", "retrieval", "recall@5"),
    ],
    ids=["prompt without its context", "index of tiny chunks", "retriever with k = 1"],
)
def test_a_breakage_turns_the_verdict_away_from_pass(
    sample: Path, unbroken: dict[str, Any], tmp_path: Path, file: str, old: str, new: str, evaluator: str, part: str | None
) -> None:
    broken = tmp_path / "project"
    shutil.copytree(sample, broken)
    text = (broken / file).read_text()
    assert old in text
    (broken / file).write_text(text.replace(old, new))
    run = report(llmops(broken, "eval", "evals/manual.yaml", "--model", "small", "--json"))  # one of the two models tells it
    assert unbroken["verdict"] == "pass"
    assert run["verdict"] in ("fail", "inconclusive")
    assert drop_excludes_zero(measured(unbroken, evaluator, part), measured(run, evaluator, part))


def test_every_command_of_the_guide_to_routing_works_in_order(routed: Path) -> None:
    printed: dict[str, str] = {}
    found = list(blocks("routing.md"))
    example = next(body for language, body in found if language == "json")
    rows = [{**json.loads(example), "id": number} for number in range(3)]
    (routed / "recorded.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    call = {"model": "small", "served": True}
    decision = {"at": "2026-01-01T00:00:00", "route": "rollout", "quality": 1}
    calls = [{"id": str(n), **decision, "calls": [{**call, "model": ("large", "small")[n % 2]}]} for n in range(400)]
    (routed / "decisions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in calls))
    for language, body in found:
        if language == "yaml":
            edit(routed / "llmops.yaml", "routes:\n", body.partition("in part\n")[2])
        for line in body.splitlines() if language == "sh" else ():
            printed[line] = typed(routed, line)
    replayed = printed["llmops route report"]
    assert "route careful" in replayed
    assert "quality over cost" in replayed
    assert "asks " in printed['llmops route explain learned "How do I cap what a run may spend?"']
    assert "rollout 5 % -> 25 %" in printed["llmops route promote rollout --log decisions.jsonl"]
    config = (routed / "proxy/config.yaml").read_text()
    assert "model: llmops/learned" in config
    compile((routed / "proxy/llmops_routes.py").read_text(), "llmops_routes.py", "exec")


def test_a_router_is_refused_when_it_was_changed_or_does_not_fit(routed: Path) -> None:
    arrays = routed / "routes/learned/arrays.npz"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + b"x")
    changed = llmops(routed, "route", "explain", "learned", "Why?")
    assert (changed.returncode, "was changed after it was fitted" in changed.stderr) == (2, True)
    arrays.write_bytes(whole)
    edit(routed / "llmops.yaml", "models: [small, large], router", "models: [large, small], router")
    assert llmops(routed, "route", "explain", "learned", "Why?").returncode == 0
    edit(routed / "llmops.yaml", "router: routes/learned", "router: routes/lerned")
    missing = llmops(routed, "route", "explain", "learned", "Why?")
    assert (missing.returncode, "llmops route fit" in missing.stderr) == (2, True)
    assert "Did you mean `careful`?" in llmops(routed, "route", "explain", "carefull", "Why?").stderr
