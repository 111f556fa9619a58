"""What labels make of a run's figures: by the chance of each label, and by case."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from llmops.domain.keys import content_hash
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.evaluation.aggregating import Aggregator, estimated
from llmops.evaluation.calibrations import Calibration, Label, as_label
from llmops.evaluation.evaluators.base import Figures
from llmops.statistics.intervals import Estimate
from llmops.statistics.thresholds import chances

CASES, REPEAT = 30, 4


def calibration(*, weighted: bool) -> Calibration:
    """Labels of the first answer to each second case; low ones were picked twice as often."""
    labels = tuple(
        Label(
            case=f"c{case}",
            output=content_hash("0"),
            label=float(case % 5) + (case % 4 == 0),
            value=float(case % 5),
            chance=(1.0 if case % 5 < 3 else 0.5) if weighted else None,
        )
        for case in range(0, CASES, 2)
    )
    return Calibration(labels, (None, None), None, False, frozenset((each.case, each.output) for each in labels))


def corrected(found: Calibration, repeat: int) -> Estimate:
    built = SimpleNamespace(spec=SimpleNamespace(name="stars"), figures=Figures())
    plan = SimpleNamespace(
        size=CASES * repeat,
        cases=CASES,
        repeat=repeat,
        prompts={"p": None},
        targets={"t": SimpleNamespace(name="t", model_id="m")},
        calibrations={"stars": found},
        all_evaluators=lambda: [built],
    )
    aggregator = Aggregator(cast(Any, plan))
    for position in range(CASES * repeat):
        case, number = divmod(position, repeat)
        said = {"stars": EvaluatorResult("scored", float(case % 5), None)}
        place = (position, f"c{case}", "p", "t", number)
        aggregator.add(CellResult(*place, status="scored", output=str(number), error=None, evaluations=said, model="m"))
    estimate = estimated(aggregator.groups["p", "t"].evaluators["stars"], "corrected_mean", 0.9)
    assert estimate is not None
    return estimate


def test_a_corrected_mean_counts_labels_by_their_chance() -> None:
    even, weighted = (corrected(calibration(weighted=each), REPEAT) for each in (False, True))
    off = [(each.label - (each.value or 0), 1 / (each.chance or 1)) for each in calibration(weighted=True).labels]
    assert even.value == pytest.approx(2 + sum(gap for gap, _ in off) / len(off), abs=0.05)
    assert weighted.value == pytest.approx(2 + sum(gap * w for gap, w in off) / sum(w for _, w in off), abs=0.05)
    assert abs(even.value - weighted.value) > 0.02


def test_further_repeats_of_the_same_answers_do_not_narrow_a_corrected_mean() -> None:
    few, many = (corrected(calibration(weighted=False), repeat) for repeat in (2, 20))
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low > 0.95 * (few.high - few.low)


def picked_for_doubt(draw: np.random.Generator, answers: int, wanted: int) -> tuple[Estimate | None, float]:
    """The corrected rate of the answers that were not labelled, as the judge doubted them less, and the true one."""
    good = draw.normal(1.5, 1.0, answers)
    people = draw.random(answers) < 1 / (1 + np.exp(-2 * good))
    value = 1 / (1 + np.exp(0.3 - good - draw.normal(0, 0.7, answers)))
    chance = np.array(chances(np.exp(-np.abs(value - 0.5) / value.std()).tolist(), wanted))
    order = np.argsort(draw.random(answers) / chance)
    labels = tuple(
        Label(case=str(n), output="", label=bool(people[n]), value=float(value[n]), chance=float(chance[n]))
        for n in order[:wanted]
    )
    rest = order[wanted:]
    found = Calibration(labels, (0.5, None), None, False).beside((each.case, each.output) for each in labels)
    return found.rate(value[rest].tolist(), len(rest), 0.9)[0], float(people[rest].mean())


def test_the_rate_of_what_is_left_is_not_that_of_what_was_doubted() -> None:
    draw = np.random.default_rng(8)
    tries = [picked_for_doubt(draw, 300, 200) for _ in range(150)]
    told = [(found.low, found.high, true) for found, true in tries if found is not None]
    assert len(told) > 140
    above = sum(low is not None and low > true for low, _, true in told) / len(told)
    below = sum(high is not None and high < true for _, high, true in told) / len(told)
    assert max(above, below) <= 0.08  # each end at 95 %; two in five intervals would lie above, were all labels to count alike


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_labels_of_all_answers_of_a_run_stand_for_those_of_a_later_one(threshold: float | None) -> None:
    labels = tuple(
        Label(case=str(n), output="", label=n % 3 > 0, value=0.9 if n % 3 > 0 and n % 10 else 0.5 - 0.3 * (n % 7 > 0), chance=1)
        for n in range(60)
    )
    calibration = Calibration(labels, (0.5, None), threshold, False)
    beside = calibration.beside((each.case, each.output) for each in labels)
    assert beside.confusion == calibration.confusion
    assert beside.confusion.positives + beside.confusion.negatives == 60
    assert beside.rate([0.9, 0.2] * 20, 40, 0.9) == calibration.rate([0.9, 0.2] * 20, 40, 0.9)


@pytest.mark.parametrize(
    ("value", "label", "level"),
    [
        ("1", True, 1.0),
        (" 0 ", False, 0.0),
        (1, True, 1.0),
        ("4", 4.0, 4.0),
        ("2.5", 2.5, 2.5),
        ("Yes", True, True),
        (False, False, False),
        *[(unusable, None, None) for unusable in ("", "N/A", "nan", "1e999", "9" * 5000, float("nan"), 10**400, [1], None)],
    ],
)
def test_a_label_reads_the_same_as_a_text_of_a_csv(value: object, label: object, level: object) -> None:
    found = as_label(value), as_label(value, scale=True)
    assert found == (label, level)
    assert list(map(type, found)) == [type(label), type(level)]
