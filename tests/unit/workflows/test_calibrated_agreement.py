"""How an evaluator and people agree, where labels were picked for doubt."""

import pytest

from llmops.evaluation.calibrations import Calibration, Label
from llmops.workflows.calibrate import _agreement


def label(case: int, *, agrees: bool, chance: float | None) -> Label:
    return Label(case=f"c{case}", output=f"o{case}", label=case % 2 == 0, value=float((case % 2 == 0) is agrees), chance=chance)


def agreed(doubtful: float | None, others: float | None) -> float:
    """Of 10 doubtful answers, on which half of the verdicts are people's, and 10 others, on which all of them are."""
    labels = [label(case, agrees=case >= 10 or case % 4 < 2, chance=doubtful if case < 10 else others) for case in range(20)]
    return _agreement(Calibration(tuple(labels), (0.5, None), None, False), labels).same


def test_an_answer_that_was_picked_for_doubt_stands_for_fewer() -> None:
    assert agreed(None, None) == agreed(0.5, 0.5) == pytest.approx(0.8)
    assert agreed(0.8, 0.2) == pytest.approx(1 - 4 / 0.8 / (10 / 0.8 + 10 / 0.2))
