"""What counts of the answers of several runs to the same requests."""

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from llmops.cli.progress import ShownProgress
from llmops.domain.drifts import Signal
from llmops.domain.runs import CellResult, EvaluatorResult, Run
from llmops.evaluation.drifting import LENGTH, Observation, SameRequests, equally_many, new_models
from llmops.evaluation.evaluators.base import identity
from llmops.evaluation.evaluators.catalogue import kind
from llmops.evaluation.evaluators.contains import ContainsOptions
from llmops.statistics import changepoints

CONTAINS = identity("contains", 2, ContainsOptions(any="expected"))
LATENCY = identity("latency", 1, kind("latency").options())
SNAPSHOT: dict[str, Any] = {
    "evaluators": {"contains": {"identity": CONTAINS, "common": {}}, "latency": {"identity": LATENCY, "common": {}}}
}


def run(number: int, **snapshot: Any) -> Run:  # noqa: ANN401 -- parts of a snapshot
    return Run(f"r{number}", "evals/s.yaml", "finished", f"2026-01-0{number}", None, "k", 4, {**SNAPSHOT, **snapshot})


def cell(case: int, passed: bool, *, repeat: int = 0, output: str = "yes", model: str = "m-1", key: str = "k") -> CellResult:
    evaluations = {
        "contains": EvaluatorResult("scored", float(passed), passed),
        "latency": EvaluatorResult("scored", 0.1),
    }
    keys = {"generate": f"{key}{case}"}
    return CellResult(
        case, f"c{case}", "p", "t", repeat, "scored", output, None, evaluations, model=model, tags=("all",), node_keys=keys
    )


def observed(*runs: Iterable[CellResult], newest: Iterable[CellResult] | None = None) -> tuple[Signal, ...]:
    listed = [list(each) for each in runs]
    same = SameRequests(run(9), newest if newest is not None else listed[-1], prompts=(), targets=())
    found = [same.observe(run(number), each) for number, each in enumerate(listed, start=1)]
    return same.signals(
        [each for each in found if isinstance(each, Observation)], 0.95, ShownProgress(Console(file=io.StringIO()), quiet=True)
    )


def test_the_mean_of_each_run_over_cases_with_repeats_averaged() -> None:
    first = [cell(1, True), cell(1, False, repeat=1), cell(2, True)]
    contains, length = observed(first, [cell(1, True), cell(1, True, repeat=1), cell(2, False, output="no")])
    assert (contains.name, contains.rate, contains.cases, contains.means) == ("contains.pass_rate", True, 2, (0.75, 0.5))
    assert (length.name, length.direction, length.means) == (LENGTH, "neither", (3.0, 2.5))


def test_a_run_with_other_repeats_counts_where_most_answers_can_be_held_against_each_other() -> None:
    once, thrice = ([cell(1, True, repeat=repeat, output="x" * (repeat + 1)) for repeat in range(n)] for n in (1, 3))
    assert observed(once, once, thrice)[1].means == (1.0, 1.0, 1.0)
    assert observed(once, thrice, thrice)[1].means == (None, 2.0, 2.0)


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 5.0, None]), min_size=3, max_size=3), min_size=2, max_size=6))
def test_each_mean_of_a_case_is_of_as_many_answers(runs: list[list[float | None]]) -> None:
    (means,) = equally_many([np.array([repeats], dtype=float) for repeats in runs])
    present = [[value for value in repeats if value is not None] for repeats in runs]
    size = max((1, 2, 3), key=lambda n: n * (sum(len(each) >= n for each in present) - 1))
    expected = [sum(each[:size]) / size if len(each) >= size else np.nan for each in present]
    assert np.allclose(means, expected, equal_nan=True)


def test_more_repeats_from_a_run_on_are_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changepoints, "SHUFFLES", 99)
    generator = np.random.default_rng(1)
    claimed = 0
    for seed in range(60):
        rates = generator.beta(2, 1, size=(40, 1))
        answers = [(generator.random((40, 8)) < rates).astype(float) for _ in range(8)]
        answers[0][:, 1:] = np.nan
        (found,) = changepoints.find_changes([equally_many(answers)], rates=[True], seed=seed)
        claimed += bool(found.changes)
    assert claimed <= 6  # 97 % of such counts at 5 %


def test_seconds_are_not_looked_at() -> None:
    assert {each.name for each in observed([cell(1, True)], [cell(1, True)])} == {"contains.pass_rate", LENGTH}


def test_reused_failed_and_other_answers_say_nothing() -> None:
    good = [cell(1, True), cell(2, True)]
    same = SameRequests(run(9), good, prompts=(), targets=())
    reused = [replace(each, cached=True) for each in good]
    failed = [replace(each, output=None, status="failed") for each in good]
    other = [cell(1, True, key="other"), cell(3, True)]
    told = ["every answer was reused", "every answer failed", "every answer failed or was reused", ""]
    assert [same.observe(run(1), each) for each in (reused, failed, [*reused[:1], *failed[1:]], other)] == told
    found = same.observe(run(1), [*good[:1], *reused[1:], *other])
    assert isinstance(found, Observation)
    assert found.run.answers == 1


def test_an_evaluator_with_other_options_is_another_signal() -> None:
    same = SameRequests(run(9), [cell(1, True)], prompts=(), targets=())
    stricter = {"contains": {"identity": CONTAINS, "common": {"min": 0.5}}}
    found = same.observe(run(1, evaluators=stricter), [cell(1, True)])
    assert isinstance(found, Observation)
    assert {place[2] for place in found.values} == {LENGTH}


@pytest.mark.parametrize(("chosen", "answers"), [({"targets": ("t",)}, 1), ({"targets": ("u",)}, 0), ({"prompts": ("q",)}, 0)])
def test_prompts_and_targets_are_chosen(chosen: dict[str, tuple[str, ...]], answers: int) -> None:
    same = SameRequests(run(9), [cell(1, True)], **{"prompts": (), "targets": (), **chosen})
    found = same.observe(run(1), [cell(1, True)])
    assert (found.run.answers if isinstance(found, Observation) else 0) == answers


def test_a_change_tells_its_runs_its_tags_and_its_cases() -> None:
    before, after = (
        [cell(case, case > bad, output=f"{'no' if case <= bad else 'yes'}") for case in range(20)] for bad in (-1, 9)
    )
    contains = observed(before, before, after, after)[0]
    (change,) = contains.changes
    assert (change.previous, change.run, change.cases) == ("r2", "r3", 20)
    assert (change.before, change.after, change.difference) == (1.0, 0.5, -0.5)
    (tag,) = change.tags
    assert (tag.name, tag.cases, tag.before, tag.after) == ("all", 20, 1.0, 0.5)
    assert {each.name for each in change.moved} == {f"c{case}" for case in range(10)}


def test_a_run_in_which_a_signal_was_not_measured_neither_begins_nor_ends_its_change() -> None:
    before, after = ([cell(case, case > bad) for case in range(20)] for bad in (-1, 9))
    silent = [replace(each, evaluations={}) for each in before]
    (change,) = observed(before, before, silent, after, after)[0].changes
    assert (change.previous, change.run, change.earliest, change.latest) == ("r2", "r4", "r3", "r4")


def test_a_name_of_a_model_is_new_once() -> None:
    same = SameRequests(run(9), [cell(1, True)], prompts=(), targets=())
    names = ["m-1", "m-1", "m-2", "m-1", "m-2"]
    seen = [same.observe(run(number), [cell(1, True, model=name)]) for number, name in enumerate(names, start=1)]
    (found,) = new_models(each for each in seen if isinstance(each, Observation))
    assert (found.run, found.before, found.name) == ("r3", ("m-1",), "m-2")
