"""What an evaluator says is a value that can be counted, or a failure with its reason."""

import asyncio
from math import inf, nan
from typing import Any

import pytest

from llmops.domain.scores import Failure, JudgeUse, Outcome, Score, Unmeasured
from llmops.evaluation.evaluators.base import BuiltEvaluator, Kind, measured
from llmops.settings.suite import CommonOptions, EvaluatorSpec
from llmops.settings.validation import Strict

KIND = Kind("similarity", "", Strict, lambda *_: None)  # type: ignore[arg-type]
NO_NUMBER = "its value is not a finite number"


class Says:
    """An evaluator that says the same of every answer."""

    identity = "says"

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    async def evaluate(self, sample: Any) -> Outcome:  # noqa: ANN401 -- not looked at
        return self._outcome


def told(outcome: Outcome) -> Outcome:
    spec = EvaluatorSpec("says", "says", {}, CommonOptions(), ())
    sample: Any = None
    return asyncio.run(measured(BuiltEvaluator(spec, KIND, Says(outcome)), sample))


@pytest.mark.parametrize("score", [Score(nan), Score(-inf), Score(0.5, parts={"clear": nan})])
def test_a_value_that_is_no_number_is_a_failure_and_not_a_score(score: Score) -> None:
    assert told(score) == Failure(NO_NUMBER)


def test_what_a_judge_took_for_it_is_counted_all_the_same() -> None:
    use = JudgeUse(1, 2, 3, 0.1)
    assert told(Score(nan, judging=use)) == Failure(NO_NUMBER, use)


@pytest.mark.parametrize("outcome", [Score(0.5, parts={"clear": 1.0}), Failure("why"), Unmeasured("why")])
def test_any_other_outcome_stays_as_it_is(outcome: Outcome) -> None:
    assert told(outcome) == outcome
