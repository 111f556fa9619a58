"""The figures of a report do not depend on the order in which the cells finish."""

import random
from types import SimpleNamespace
from typing import Any, cast

from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import JudgeUse
from llmops.domain.serial import plain
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.evaluators.base import BuiltEvaluator, Kind
from llmops.settings.validation import Strict

CASES, REPEAT = 30, 3
KIND = Kind("rubric", "", Strict, lambda *_: None, unit="USD", lower_is_better=True)  # type: ignore[arg-type]
SPEC: Any = SimpleNamespace(name="rubric", kind="rubric", common=SimpleNamespace(weight=1.0))
BUILT = BuiltEvaluator(SPEC, KIND, None)  # type: ignore[arg-type]
TARGET = SimpleNamespace(name="t", model_id="m")
PLAN: Any = SimpleNamespace(
    size=CASES * REPEAT,
    cases=CASES,
    prompts={"p": None},
    targets={"t": TARGET},
    repeat=REPEAT,
    calibrations={},
    all_evaluators=lambda: [BUILT],
    evaluators_of=lambda _: [BUILT],
)


def result(position: int, value: float) -> CellResult:
    failed = position % 7 == 0
    judging = JudgeUse(1, 10, 5, value / 7, 1, value / 11)
    evaluation = EvaluatorResult("scored", value, value > 0.5, parts={"clear": value / 3}, judging=judging)
    return CellResult(
        position,
        f"c{position // REPEAT}",
        "p",
        "t",
        position % REPEAT,
        status="failed" if failed else "scored",
        output=None if failed else "x",
        error="Unavailable: closed" if failed else None,
        evaluations={} if failed else {"rubric": evaluation},
        cost_usd=value / 3,
        model="m",
    )


def test_the_figures_are_the_same_to_the_last_digit_in_whatever_order_the_cells_finish() -> None:
    chance = random.Random(0)
    results = [result(position, chance.random()) for position in range(CASES * REPEAT)]
    found = set()
    for _ in range(20):
        chance.shuffle(results)
        aggregator = Aggregator(cast(Any, PLAN))
        for each in results:
            aggregator.add(each)
        found.add(repr([plain(list(aggregator.summaries())), plain(aggregator.flaky), plain(aggregator.worst)]))
    assert len(found) == 1
    assert [each.case_id for each in aggregator.worst][:1] == ["c0"]
    assert sum(each.error is not None for each in aggregator.worst) == 1
