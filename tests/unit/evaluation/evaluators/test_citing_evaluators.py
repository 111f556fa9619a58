"""`citations`, `similarity` and `overlap`."""

from pathlib import Path

import pytest
from evaluator_bench import Bench, LetterEmbedder, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Failure, Score, Span, Unmeasured

HITS = [Hit("The timeout is 60 seconds.", "a.md"), Hit("Cats purr.", "b.md")]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_citations_that_hold(bench: Bench) -> None:
    sample = answer("The timeout is 60 seconds [1].", hits=HITS)
    assert bench.measure("citations", sample) == Score(1.0, "all citations hold", parts={"exists": 1.0, "supported": 1.0})
    assert bench.judge("citations", sample).passed is True
    assert bench.judge("citations: {negate: true}", sample).passed is False


def test_citations_that_do_not(bench: Bench) -> None:
    text = "The timeout is 60 seconds [1]. It is long [2]. Nobody knows why [7]."
    result = bench.judge("citations", answer(text, hits=HITS))
    assert result.value == pytest.approx(1 / 3)
    assert result.parts == pytest.approx({"exists": 2 / 3, "supported": 1 / 3})
    assert result.reason == "[7] does not exist; [2] does not say so"
    assert result.passed is False
    assert result.spans == (
        Span(42, 45, "not supported", "Cats purr.", "b.md"),
        Span(64, 67, "no such passage"),
    )
    assert [text[span.start : span.end] for span in result.spans] == ["[2]", "[7]"]
    assert bench.judge("citations: {min: 0.3}", answer(text, hits=HITS)).passed is True


def test_overlap_decides_what_supports(bench: Bench) -> None:
    sample = answer("The timeout is 90 minutes [1].", hits=HITS)
    assert bench.judge("citations: {overlap: 0.3}", sample).value == 1.0
    assert bench.judge("citations: {overlap: 0.9}", sample).value == 0.0


def test_an_answer_without_citations(bench: Bench) -> None:
    assert bench.measure("citations", answer("It is 60.", hits=HITS)) == Unmeasured("the answer cites nothing")
    assert bench.measure("citations: {required: true}", answer("It is 60.", hits=HITS)) == Score(0.0, "cites nothing")
    declined = bench.measure("citations: {required: true}", answer("I don't know.", hits=HITS))
    assert declined == Unmeasured("the answer declines, there is nothing to cite")


def test_a_citation_without_passages_points_to_nothing(bench: Bench) -> None:
    assert bench.judge("citations", answer("It is 60 [1].")).value == 0.0


@pytest.mark.parametrize("options", ["{overlap: 2}", "{overlap: high}", "{require: true}"])
def test_citation_options(bench: Bench, options: str) -> None:
    with pytest.raises(InvalidFiles, match="suite.yaml:2:"):
        bench.build(f"citations: {options}")


def test_similarity_takes_the_closest_reference(bench: Bench) -> None:
    outcome = bench.measure("similarity", answer("dog", expected=["zebra", "god"]))
    assert isinstance(outcome, Score)
    assert outcome.value == pytest.approx(1)
    assert outcome.value <= 1
    assert outcome.reason == "closest: 'god'"
    assert bench.judge("similarity: {to: [xyz], min: 0.5}", answer("dog")).passed is False
    assert bench.judge("similarity", answer("dog", expected="dog")).passed is None


def test_similarity_without_anything_to_compare(bench: Bench) -> None:
    assert bench.measure("similarity", answer("dog")) == Unmeasured("the case's `expected` is empty")
    assert bench.measure("similarity", answer("dog", expected=["", " "])) == Unmeasured("the expected text is empty")
    assert isinstance(bench.measure("similarity", answer("dog", expected={"a": 1})), Failure)
    assert bench.measure("similarity", answer(" ", expected="dog")) == Score(0.0, "the answer is empty")
    assert bench.embedder.texts == []


def test_the_embedder_counts_into_the_identity(bench: Bench) -> None:
    first = bench.build("similarity")
    bench.embedder = LetterEmbedder("other")
    assert bench.build("similarity").evaluator.identity != first.evaluator.identity
    with pytest.raises(InvalidFiles, match=r"similarity.embedder.kind"):
        bench.build("similarity: {embedder: {kind: minlm}}")


def test_overlap_takes_the_closest_reference(bench: Bench) -> None:
    sample = answer("police kill the gunman", expected=["nobody came", "police killed the gunman"])
    outcome = bench.measure("overlap", sample)
    assert outcome == Score(0.75, "closest: 'police killed the gunman'", parts={"precision": 0.75, "recall": 0.75})
    assert bench.measure("overlap: {metric: edit}", sample) == Score(1 - 2 / 24, "closest: 'police killed the gunman'")
    assert bench.judge("overlap: {to: [abc], metric: chrf, min: 0.5}", answer("dog")).passed is False
    assert bench.judge("overlap", sample).passed is None


def test_overlap_without_anything_to_compare(bench: Bench) -> None:
    assert bench.measure("overlap", answer("dog")) == Unmeasured("the case's `expected` is empty")
    assert bench.measure("overlap", answer(" ", expected="dog")).value == 0  # type: ignore[union-attr]
    with pytest.raises(InvalidFiles, match=r"overlap.metric"):
        bench.build("overlap: {metric: rouge}")
    with pytest.raises(InvalidFiles, match=r"overlap.*max"):
        bench.build("overlap: {max: 50}")
