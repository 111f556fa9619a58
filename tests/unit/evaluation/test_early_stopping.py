"""Which rules of a gate can be decided case by case."""

from types import SimpleNamespace
from typing import Any

import pytest

from llmops.domain.errors import UsageError
from llmops.evaluation.stopping import EarlyStop
from llmops.settings.suite import GateRule


def plan_of(metric: str) -> Any:  # noqa: ANN401
    """A plan of one target and a retrieval evaluator, with one rule."""
    gate = [GateRule.model_validate({"metric": metric, "min": 0.5})]
    evaluator = SimpleNamespace(spec=SimpleNamespace(name="retrieval"), kind=SimpleNamespace(name="retrieval"))
    suite = SimpleNamespace(settings=SimpleNamespace(gate=gate))
    return SimpleNamespace(
        size=4, cases=4, looks=(1,), prompts={}, targets={"small": None}, evaluators=[evaluator], suite=suite
    )


@pytest.mark.parametrize("metric", ["retrieval.recall@5", "retrieval.mean", "retrieval.pass_rate"])
def test_a_mean_of_what_each_case_has_is_decided(metric: str) -> None:
    (rule,) = EarlyStop(plan_of(metric), None).rules
    assert rule.rule == f"{metric} >= 0.5"


@pytest.mark.parametrize(
    "metric", ["retrieval.p50", "retrieval.total", "retrieval.pass^2", "retrieval.corrected_mean", "grade.mean"]
)
def test_a_figure_that_no_case_has_is_refused(metric: str) -> None:
    with pytest.raises(UsageError, match="cannot decide the rule"):
        EarlyStop(plan_of(metric), None)
