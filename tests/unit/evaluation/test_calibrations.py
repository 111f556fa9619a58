"""What labels make of a run's figures: by the chance of each label, and by case."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from llmops.domain.keys import content_hash
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.evaluation.aggregating import Aggregator, estimated
from llmops.evaluation.calibrations import Calibration, Label
from llmops.evaluation.evaluators.base import Figures
from llmops.statistics.intervals import Estimate

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
