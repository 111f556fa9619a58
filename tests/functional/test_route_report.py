"""What a small model can take is told from recorded answers, without asking a model."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, write


def recorded(path: Path, count: int = 200) -> Path:
    """The small model is right where the prompt is short, the large one nearly always."""
    draw = random.Random(0)
    rows = []
    for number in range(count):
        hard = draw.random() < 0.4
        prompt = ("Prove that the sum of angles is constant. " * 8) if hard else f"What is the capital of country {number}?"
        small = {
            "quality": float(draw.random() < (0.1 if hard else 0.9)),
            "cost": 0.0001,
            "latency": 0.2,
            "signals": {"doubt": draw.random() + hard},
        }
        large = {"quality": float(draw.random() < 0.95), "cost": 0.002, "latency": 1.0}
        rows.append(
            {"id": number, "prompt": prompt, "models": {"small": small, "large": large}, "tags": ["hard" if hard else "easy"]}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    done = llmops(folder, "route", "report", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_file_of_recorded_requests_needs_no_project(tmp_path: Path) -> None:
    recorded(tmp_path / "r.jsonl")
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "static")
    policies = {each["name"]: each for each in found["policies"]}
    assert (found["weak"], found["strong"], found["requests"]) == ("small", "large", 200)
    assert set(policies) == {"always small", "always large", "random", "length", "cascade doubt", "learned", "oracle"}
    assert policies["always large"]["cost"] == pytest.approx(2.0)
    assert policies["learned"]["apgr"] > 0.7 > policies["random"]["apgr"]
    assert policies["length"]["cpt80"] < 0.7
    assert sum(policies["learned"]["share"].values()) == pytest.approx(1)
    for name in ("quality", "cost", "apgr", "kept"):
        low, high = policies["learned"]["intervals"][name]
        assert low <= policies["learned"][name] <= high
    assert {each["tag"] for each in found["tags"]} == {"hard", "easy"}


def test_the_terminal_shows_a_table_a_plot_and_one_sentence(tmp_path: Path) -> None:
    recorded(tmp_path / "r.jsonl")
    done = llmops(tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "none", "--svg", "f.svg", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    for told in (
        "always large",
        "APGR",
        "quality over cost",
        "of large's quality at",
        "cannot be told apart",
        "a always small",
    ):
        assert told in done.stdout
    assert (tmp_path / "f.svg").read_text().startswith("<svg")


def test_a_router_that_is_no_better_than_chance_is_not_advertised(tmp_path: Path) -> None:
    draw = random.Random(3)
    rows = [
        {
            "id": number,
            "prompt": f"request {number}",
            "models": {
                "small": {"quality": float(draw.random() < 0.75), "cost": 0.0001},
                "large": {"quality": float(draw.random() < 0.9), "cost": 0.002},
            },
        }
        for number in range(150)
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = llmops(tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "static")
    assert "no policy with a threshold is told apart from a random mixture of the models" in done.stdout
    assert "of large's quality at" not in done.stdout


@pytest.mark.parametrize("swapped", [("--weak", "large", "--strong", "small"), ("--price", "large=0")])
def test_the_strong_model_heads_its_column_whatever_it_is_called(tmp_path: Path, swapped: tuple[str, ...]) -> None:
    recorded(tmp_path / "r.jsonl")
    printed = llmops(tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "none", *swapped).stdout.splitlines()
    assert printed[0].endswith("weak large, strong small")
    heads = printed[1].split("  ")
    assert "small" in [each.strip() for each in heads]
    (row,) = [line for line in printed if line.startswith("always small")]
    assert "100 %" in row


def test_other_prices_change_cost_and_nothing_else(tmp_path: Path) -> None:
    recorded(tmp_path / "r.jsonl")
    before = document(tmp_path, "--from", "r.jsonl", "--embedder", "none")
    after = document(tmp_path, "--from", "r.jsonl", "--embedder", "none", "--price", "large=20")
    large = [next(p for p in each["policies"] if p["name"] == "always large") for each in (before, after)]
    assert [p["cost"] for p in large] == [pytest.approx(2.0), pytest.approx(20.0)]
    assert large[0]["quality"] == large[1]["quality"]


def test_a_run_with_two_targets_is_replayed(tmp_path: Path) -> None:
    cases = [
        {
            "id": f"c{n}",
            "vars": {"question": f"When does boat {n} leave?"},
            "contexts": [f"Boat {n} leaves at {n}:15."],
            "expected": [f"{n}:15"],
        }
        for n in range(1, 13)
    ]
    write(
        tmp_path,
        {
            "llmops.yaml": "models:\n"
            "  small: {id: embedded/reader-small, price: {input_per_million: 1, output_per_million: 1}}\n"
            "  large: {id: embedded/reader-large, price: {input_per_million: 9, output_per_million: 9}}\n"
            "routes:\n  careful: {kind: fallback, models: [small, large]}\n"
            "  long: {kind: length, models: [small, large], characters: 9}\n",
            "prompts/p/prompt.j2": "user:\n<passages>\n{% for h in contexts %}{{ h.text }}\n{% endfor %}"
            "</passages>\nQuestion: {{ question }}\n",
            "evals/e.yaml": "dataset: datasets/d.jsonl\nprompts: [p]\ntargets: [small, large]\nevaluators:\n"
            "  - contains: {any: expected}\n  - hallucination\n",
            "datasets/d.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
        },
    )
    assert "two models" in llmops(tmp_path, "route", "report").stderr
    assert llmops(tmp_path, "eval", "-q").returncode == 0
    assert llmops(tmp_path, "eval", "-q", "--model", "careful", "--model", "long").returncode == 0
    newest = json.loads(llmops(tmp_path, "runs", "list", "--json").stdout)
    told = llmops(tmp_path, "route", "report", newest[0]["id"])
    assert (told.returncode, "has 0 models among its targets" in told.stderr) == (2, True)
    found = document(tmp_path, "--embedder", "static", "--quality", "contains")
    assert (found["weak"], found["strong"], found["requests"]) == ("small", "large", 12)
    names = [each["name"] for each in found["policies"]]
    assert "cascade hallucination" in names
    assert "learned" in names


@pytest.mark.parametrize(
    ("line", "arguments", "told"),
    [
        ("", (), "holds no request"),
        ('{"id": 1, "prompt": "x", "models": {"a": {"quality": 2}, "b": {"quality": 1}}}', (), "r.jsonl:1"),
        ('{"id": 1, "prompt": "x", "modles": {}}', (), "Did you mean `models`?"),
        ('{"id": 1, "prompt": "x", "models": {"a": {"quality": 1}}}', (), "two models or more"),
        ('{"id": 1, "prompt": "x", "models": {"a": {"quality": 1}, "b": {"quality": 0}}}', ("--strong", "c"), "Recorded: a, b"),
        ('{"id": 1, "prompt": "x", "models": {"a": {"quality": 1}, "b": {"quality": 0}}}', ("--price", "a"), "MODEL=USD"),
        (
            '{"id": 1, "prompt": "x", "models": {"a": {"quality": 1}, "b": {"quality": 0}}}',
            ("--weak", "a", "--strong", "a"),
            "both",
        ),
    ],
)
def test_what_cannot_be_replayed_is_told(tmp_path: Path, line: str, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "r.jsonl").write_text(line + "\n")
    done = llmops(tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "none", *arguments)
    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_policies_are_held_against_the_current_one(tmp_path: Path) -> None:
    recorded(tmp_path / "r.jsonl")
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none", "--current", "small")
    gained = {each["name"]: each["over_current"] for each in found["policies"]}
    assert (found["current"], gained["always small"]) == ("always small", None)
    assert 0 < gained["always large"][0] < gained["always large"][1] < 1
    shown = llmops(
        tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "none", "--current", "large", COLUMNS="120"
    ).stdout
    assert "over current" in shown
    assert "worse" in shown
    wrong = llmops(tmp_path, "route", "report", "--from", "r.jsonl", "--embedder", "none", "--current", "lenght")
    assert (wrong.returncode, "Did you mean `length`?" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_narrow_terminal_gets_every_figure_whole(tmp_path: Path, columns: int) -> None:
    what = ("--from", str(recorded(tmp_path / "r.jsonl")), "--embedder", "none", "--current", "large", "--monthly", "2M")
    shown = llmops(tmp_path, "route", "report", *what, COLUMNS=str(columns)).stdout
    table = shown.partition("quality over cost")[0]
    assert max(len(line) for line in table.splitlines()[1:]) <= columns
    for each in document(tmp_path, *what)["policies"]:
        for name in ("quality", "apgr"):
            low, high = each["intervals"].get(name, (0, 1))
            assert name not in each["intervals"] or f"[{low:.3f}, {high:.3f}]" in table
        if each["over_current"]:
            low, high = each["over_current"]
            assert f"[{low:+.3f}, {high:+.3f}]" in table
    assert "…" not in shown


def test_a_machine_by_the_hour_pays_from_a_volume_on(tmp_path: Path) -> None:
    recorded(tmp_path / "r.jsonl")
    what = ("--from", "r.jsonl", "--embedder", "none", "--gpu-hour", "3.6")
    machine = document(tmp_path, *what)["machine"]
    assert machine["requests_per_s"] == pytest.approx(5)  # one after the other at 0.2 s
    assert machine["cost"] == pytest.approx(0.2)  # $3.6 for 18,000 requests
    assert machine["break_even"] == pytest.approx(3.6 * 730 / 0.002)
    slow = document(tmp_path, *what, "--throughput", "0.1")
    assert slow["machine"]["break_even"] is None
    assert next(p for p in slow["policies"] if p["name"] == "always small")["cost"] == pytest.approx(10)
    printed = llmops(tmp_path, "route", "report", *what, "--monthly", "2M").stdout
    assert "always on it costs $2,628.00 a month and pays beside large from 1,314,000 requests a month on" in printed
    assert "$ a month, busy" in printed


def with_failures(path: Path, *, cost: float | None = 0.0001) -> None:
    """As `recorded`, with two requests that the small model did not answer."""
    rows = [json.loads(line) for line in recorded(path).read_text().splitlines()]
    for number, row in enumerate(rows):
        row["models"]["small"]["cost"] = cost
        if number in (3, 4):
            row["models"]["small"] = {"quality": 0, "answered": False, "signals": {"doubt": 2}}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_failed_answers_take_no_figure_away_and_are_told(tmp_path: Path) -> None:
    with_failures(tmp_path / "r.jsonl")
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none", "--gpu-hour", "3.6")
    assert (found["weak"], found["machine"]["requests_per_s"]) == ("small", pytest.approx(5))
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none")
    policies = {each["name"]: each for each in found["policies"]}
    assert policies["always small"]["cost"] == pytest.approx(0.1)
    assert all(each["cost"] is not None and each["latency_p95_s"] is not None for each in policies.values())
    assert found["notes"] == [
        "small gave no answer 2 times at a cost that is not known: each counts as the mean of the other 198",
        "2 failed answers have no latency: p50 and p95 leave out the requests that waited for them",
    ]
    fitted = llmops(tmp_path, "route", "fit", "--from", "r.jsonl", "--embedder", "static")
    assert fitted.returncode == 0, fitted.stderr
    assert "failed answers of small at its mean cost" in fitted.stdout


def test_requests_that_not_every_model_answered_are_told_when_a_router_is_learned(tmp_path: Path) -> None:
    with recorded(tmp_path / "r.jsonl").open("a") as file:
        for number in range(3):
            file.write(json.dumps({"id": f"half {number}", "prompt": "q", "models": {"small": {"quality": 1}}}) + "\n")
    fitted = llmops(tmp_path, "route", "fit", "--from", "r.jsonl", "--embedder", "static")
    assert fitted.returncode == 0, fitted.stderr
    assert re.search(r"requests left out, which not every model answered +3\b", fitted.stdout)


@pytest.mark.parametrize("option", [("@last",), ("--monthly", "2M"), ("--svg", "f.svg")])
def test_a_log_is_not_replayed(tmp_path: Path, option: tuple[str, ...]) -> None:
    (tmp_path / "d.jsonl").write_text("")
    done = llmops(tmp_path, "route", "report", "--log", "d.jsonl", *option)
    named = "RUN" if option[0].startswith("@") else option[0]
    assert done.returncode == 2
    assert f"{named} belongs to a replay, and --log tells what a route did." in done.stderr


def test_ends_that_are_told_by_quality_are_called_so(tmp_path: Path) -> None:
    with_failures(tmp_path / "r.jsonl", cost=None)
    told = "told by their quality"
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none")
    assert ("the cost of small is not known" in found["notes"][-2], told in found["notes"][-1]) == (True, True)
    named = ("--weak", "small", "--strong", "large")
    assert told not in str(document(tmp_path, "--from", "r.jsonl", "--embedder", "none", *named)["notes"])
    assert told not in str(document(tmp_path, "--from", "r.jsonl", "--embedder", "none", "--price", "small=0.1")["notes"])


def test_ends_that_nothing_tells_apart_stand_in_their_order(tmp_path: Path) -> None:
    answers = {"small": {"quality": 1}, "large": {"quality": 1}}
    rows = [{"id": n, "prompt": f"question {n}", "models": answers} for n in range(8)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none")
    assert (found["weak"], found["strong"]) == ("small", "large")
    assert "told by their order" in found["notes"][-2]


def test_a_dear_model_that_is_worse_leaves_nothing_to_recover(tmp_path: Path) -> None:
    answers = {"small": {"quality": 1, "cost": 0.1}, "large": {"quality": 0, "cost": 1}}
    rows = [{"id": n, "prompt": f"question {n}", "models": answers} for n in range(8)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "none")
    told = "large is no better than small here: there is no gap to recover, and so no APGR and no CPT"
    assert found["notes"] == [told]
    assert {(each["apgr"], each["cpt50"], each["cpt80"]) for each in found["policies"]} == {(None, None, None)}


def test_requests_of_one_group_teach_no_router(tmp_path: Path) -> None:
    rows = [json.loads(line) | {"group": "one"} for line in recorded(tmp_path / "r.jsonl").read_text().splitlines()]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = document(tmp_path, "--from", "r.jsonl", "--embedder", "static")
    learned = next(each for each in found["policies"] if each["name"] == "learned")
    assert (learned["quality"], "not replayable" in learned["note"], "one fold" in found["notes"][-1]) == (None, True, True)
    done = llmops(tmp_path, "route", "fit", "--from", "r.jsonl", "--embedder", "static")
    assert (done.returncode, "of 1 group, too few" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


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
