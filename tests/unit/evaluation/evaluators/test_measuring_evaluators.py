"""`latency`, `tokens` and `cost`."""

from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.models import Usage
from llmops.domain.scores import Score, Unmeasured


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_latency_is_seconds(bench: Bench) -> None:
    assert bench.measure("latency", answer("x", ttft_s=0.2)) == Score(1.5)
    assert bench.judge("latency: {max: 1}", answer("x")).passed is False
    assert bench.judge("latency: {max: 1, negate: true}", answer("x")).passed is True
    assert bench.judge("latency", answer("x")).passed is None


def test_latency_of_a_reused_answer_is_unmeasured(bench: Bench) -> None:
    reason = "answer reused from an earlier run, its latency is not of this run"
    assert bench.measure("latency", answer("x", cached=True)) == Unmeasured(reason)


def test_time_to_first_token(bench: Bench) -> None:
    assert bench.measure("latency: {ttft: true}", answer("x", ttft_s=0.2)) == Score(1.5, parts={"ttft": 0.2})
    assert bench.measure("latency: {ttft: true}", answer("x")) == Score(
        1.5, "the answer was not streamed: no time to first token"
    )


def test_tokens(bench: Bench) -> None:
    sample = answer("x", usage=Usage(100, 20))
    assert bench.measure("tokens", sample) == Score(120.0, parts={"input": 100.0, "output": 20.0})
    assert bench.judge("tokens: {max: 100}", sample).passed is False
    estimated = bench.measure("tokens", answer("x", usage=Usage(1, 2, estimated=True)))
    assert isinstance(estimated, Score)
    assert "estimated" in estimated.reason


def test_tokens_without_usage_are_unmeasured_and_not_zero(bench: Bench) -> None:
    assert bench.measure("tokens", answer("x")) == Unmeasured("token usage unknown")


def test_cost(bench: Bench) -> None:
    assert bench.measure("cost", answer("x", cost_usd=0.002)) == Score(0.002)
    assert bench.measure("cost", answer("x", cost_usd=0.0)) == Score(0.0)
    assert bench.measure("cost", answer("x", cost_usd=0.002, cached=True)) == Score(0.002)
    assert bench.judge("cost: {max: 0.001}", answer("x", cost_usd=0.002)).passed is False


def test_an_unknown_price_is_not_zero(bench: Bench) -> None:
    assert bench.measure("cost", answer("x")) == Unmeasured("price unknown")


@pytest.mark.parametrize("kind", ["latency", "tokens", "cost"])
def test_an_answer_that_came_with_the_case_measures_no_call(bench: Bench, kind: str) -> None:
    outcome = bench.measure(kind, answer("x", recorded=True))
    assert outcome == Unmeasured("the answer came with the case, no model was called")
