"""What changed under a suite, as people read it."""

import io

from rich.console import Console

from llmops.domain.drifts import Change, Drift, LeftOut, Moved, NewModel, SeenRun, Signal
from llmops.domain.reports import Direction
from llmops.domain.serial import plain
from llmops.reporting.drift import print_drift

RUNS = tuple(SeenRun(f"r{day}", f"2026-03-0{day}T03:00:00+00:00", 20) for day in (1, 2, 3))
CHANGE = Change(
    "r1",
    "r2",
    "r2",
    "r3",
    20,
    0.9,
    0.5,
    -0.4,
    (-0.6, -0.2),
    (Moved("hard", 8, 1.0, 0.25),),
    (Moved("c\x1b[31m1", 1, 1.0, 0.0),),
)


def signal(name: str, *changes: Change, rate: bool = True) -> Signal:
    direction: Direction = "higher is better" if rate else "neither"
    return Signal(name, "p", "t", direction, rate, 20, (0.9, None, 0.5), 0.004, 0.12 if rate else None, changes)


def shown(*signals: Signal, models: tuple[NewModel, ...] = (), left_out: tuple[LeftOut, ...] = ()) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    changed = bool(models) or any(each.changes for each in signals)
    print_drift(console, Drift("evals/s.yaml", 0.95, RUNS, left_out, signals, models, int(changed)))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_change_says_since_when_how_much_and_where_without_escapes() -> None:
    text = shown(signal("contains.pass_rate", CHANGE))
    for told in (
        "evals/s.yaml: 3 runs, 2026-03-01 to 2026-03-03",
        "worse contains.pass_rate  since 2026-03-02 03:00",
        "90.0 % -> 50.0 %, -40.0 points [-60.0, -20.0]  n=20  p=0.004",
        "the first changed run is one from 2026-03-02 03:00 to 2026-03-03 03:00",
        "tags: hard (8) -75.0",
        "cases: c1 -100.0",
        "llmops compare r1 r2",
        "CHANGED (exit 1)",
    ):
        assert told in text
    assert "\x1b" not in text


def test_what_did_not_change_says_how_small_a_change_was_in_reach() -> None:
    text = shown(signal("contains.pass_rate"), signal("answer.characters", rate=False))
    assert "contains.pass_rate  70.0 %  12.0 points" in text
    assert "answer.characters   0.7     none" in text
    assert "NO CHANGE FOUND (exit 0)" in text


def test_a_new_name_of_a_model_and_what_was_left_out_are_told() -> None:
    left = tuple(LeftOut(f"o{number}", reason) for number, reason in enumerate(["every answer was reused"] * 2 + list("abcd")))
    text = shown(signal("x.pass_rate"), models=(NewModel("p", "t", "r3", ("m-1",), "m-2"),), left_out=left)
    assert "since 2026-03-03 03:00 the endpoint names m-2, and before m-1" in text
    assert "names m-2" in shown(models=(NewModel("p", "t", "r3", ("m-1",), "m-2"),))
    assert "left out: 2 runs: every answer was reused" in text
    assert "left out: 1 run for other reasons" in text


def test_the_document_holds_all_of_it() -> None:
    found = plain(Drift("s", 0.95, RUNS, (), (signal("x.pass_rate", CHANGE),), (), 1))
    assert (found["schema_version"], found["exit_code"]) == (1, 1)
    assert found["signals"][0]["changes"][0]["interval"] == [-0.6, -0.2]
