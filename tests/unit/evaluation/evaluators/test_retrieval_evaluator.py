from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Failure, Score, Unmeasured


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def hit(source: str, heading: str = "", *, given: bool = False) -> Hit:
    return Hit("text", source, heading, 0, 100, given=given)


def test_the_value_is_ndcg_at_the_greatest_depth(bench: Bench) -> None:
    sample = answer("x", hits=[hit("b.md"), hit("a.md", "Top > Gate")], relevant=("a.md#gate",))
    outcome = bench.measure("retrieval: {k: [3, 1]}", sample)
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(0.6309297535714575)
    assert outcome.parts["ndcg@3"] == outcome.value
    assert outcome.parts["mrr"] == 0.5
    assert (outcome.parts["recall@1"], outcome.parts["recall@3"]) == (0, 1)
    assert set(outcome.parts) == {"mrr", "map"} | {
        f"{name}@{k}" for name in ("recall", "precision", "ndcg", "hit") for k in (1, 3)
    }
    assert outcome.reason == "all relevant places found"


def test_the_reason_names_what_was_not_found(bench: Bench) -> None:
    sample = answer("x", hits=[hit("a.md")], relevant=("a.md", "b.md#x", "b.md#x"))
    outcome = bench.measure("retrieval", sample)
    assert isinstance(outcome, Score)
    assert outcome.reason == "not among the first 5: b.md#x"
    assert outcome.parts["recall@5"] == 0.5


def test_given_passages_were_not_retrieved(bench: Bench) -> None:
    outcome = bench.measure("retrieval: {k: [1]}", answer("x", hits=[hit("a.md", given=True)], relevant=("a.md",)))
    assert isinstance(outcome, Score)
    assert (outcome.value, outcome.reason) == (0.0, "nothing was retrieved")


def test_limits(bench: Bench) -> None:
    sample = answer("x", hits=[hit("a.md")], relevant=("a.md",))
    assert bench.judge("retrieval", sample).passed is None
    assert bench.judge("retrieval: {min: 0.9}", sample).passed is True
    assert bench.judge("retrieval: {min: 0.9, negate: true}", sample).passed is False


def test_unmeasured_and_failed(bench: Bench) -> None:
    assert bench.measure("retrieval", answer("x")) == Unmeasured("the case does not say what is `relevant`")
    assert bench.measure("retrieval", answer("x", relevant=())) == Unmeasured("nothing is relevant")
    assert isinstance(bench.measure("retrieval", answer("x", relevant=("a.md:5-5",))), Failure)


@pytest.mark.parametrize("options", ["{k: []}", "{k: [0]}", "{k: 5}", "{k: [1.5]}", "{depth: 3}"])
def test_wrong_options(bench: Bench, options: str) -> None:
    with pytest.raises(InvalidFiles, match="suite.yaml:2:"):
        bench.build(f"retrieval: {options}")
