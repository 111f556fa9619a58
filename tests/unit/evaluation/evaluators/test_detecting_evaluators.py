"""`refusal`, `hallucination` and `toxicity`."""

from pathlib import Path

import pytest
from evaluator_bench import Bench, RecordingDetector, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Detection, DetectionRequest, Score, Span, Unmeasured

EXPECTED = "refusal: {expected: {tags: [unanswerable, trap]}}"
HITS = [Hit("The limit is 4.", "a.md"), Hit("Cats purr.", "given", given=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    ("text", "tags", "value", "refused", "reason"),
    [
        ("I don't know.", ("trap",), 1.0, 1.0, "declined, as it should"),
        ("I don't know.", ("single",), 0.0, 1.0, "declined, though it should have answered"),
        ("It is 4.", ("unanswerable", "single"), 0.0, 0.0, "answered, though it should have declined"),
        ("It is 4.", (), 1.0, 0.0, "answered, as it should"),
    ],
)
def test_refusal(bench: Bench, text: str, tags: tuple[str, ...], value: float, refused: float, reason: str) -> None:
    sample = answer(text, tags=tags)
    assert bench.measure(EXPECTED, sample) == Score(value, reason, parts={"refused": refused})
    assert bench.judge(EXPECTED, sample).passed is bool(value)


@pytest.mark.parametrize("entry", [EXPECTED, "over-refusal"])
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Antwort steht nicht in den Passagen.", "de"),
        ("申し訳ありませんが、お答えできません。", "ja"),
        ("Je ne sais pas.", "fr"),
    ],
)
def test_whether_an_answer_declines_is_told_in_english_alone(bench: Bench, entry: str, text: str, language: str) -> None:
    found = bench.measure(entry, answer(text))
    assert isinstance(found, Unmeasured)
    assert f"the answer is in `{language}`" in found.reason


def test_refusal_without_tags_expects_answers(bench: Bench) -> None:
    assert bench.judge("refusal", answer("I don't know.", tags=("unanswerable",))).passed is False
    assert bench.judge("refusal: {negate: true}", answer("I don't know.")).passed is True


@pytest.mark.parametrize("options", ["{expected: {tags: []}}", "{expected: {tag: [a]}}", "{expected: unanswerable}"])
def test_refusal_options(bench: Bench, options: str) -> None:
    with pytest.raises(InvalidFiles, match="suite.yaml:2:"):
        bench.build(f"refusal: {options}")


def test_hallucination_asks_with_passages_and_question(bench: Bench) -> None:
    result = bench.judge("hallucination: {backend: embedded}", answer("It is 5.", hits=HITS))
    assert bench.asked == [("hallucination", "embedded")]
    assert bench.detector.requests == [
        DetectionRequest("It is 5.", ("The limit is 4.", "Cats purr."), ("a.md", "given"), "Why?")
    ]
    assert (result.value, result.passed, result.parts) == (0.9, False, {"hate": 0.25})


def test_the_limit_of_a_detector_is_one_half_unless_the_suite_says_otherwise(bench: Bench) -> None:
    bench.detector = RecordingDetector([0.5, 0.51, 0.51, 0.51])
    sample = answer("It is 5.", hits=HITS)
    assert bench.judge("hallucination", sample).passed is True
    assert bench.judge("hallucination", sample).passed is False
    assert bench.judge("hallucination: {max: 0.6}", sample).passed is True
    assert bench.judge("hallucination: {negate: true}", sample).passed is True


@pytest.mark.parametrize("text", ["No.", "It is not. [1]", "", " \n", "👍"])
def test_an_answer_without_words_of_substance_is_not_called_supported(bench: Bench, text: str) -> None:
    found = bench.measure("hallucination", answer(text, hits=HITS))
    assert found == Unmeasured("the answer has no words that can be looked for in the passages")
    assert bench.detector.requests == []


def test_a_courtesy_is_not_held_against_the_passages(bench: Bench) -> None:
    found = bench.measure("hallucination", answer("Hello! How can I help you?", hits=HITS))
    assert found == Unmeasured("the answer claims nothing: it greets, offers, declines, or names its sources")
    assert bench.detector.requests == []

    bench.judge("hallucination", answer("Sure! It is 5. Let me know if you have questions.", hits=HITS))
    [request] = bench.detector.requests
    assert request.output.strip() == "It is 5."
    assert request.output.index("It is 5.") == len("Sure! ")


def test_the_name_of_a_source_is_not_held_against_the_passages(bench: Bench) -> None:
    bench.judge("hallucination", answer("It is 5 (a.md).\n\nSource: a.md\nSource: b.md", hits=HITS))

    [request] = bench.detector.requests
    assert request.output.split() == ["It", "is", "5", ".", "Source:", "b.md"]


def test_an_answer_that_declines_claims_nothing(bench: Bench) -> None:
    outcome = bench.measure("hallucination", answer("The answer is not in the passages.", hits=HITS))
    assert outcome == Unmeasured("the answer declines, so it claims nothing")
    assert bench.detector.requests == []


def test_without_passages_there_is_nothing_to_hold_against(bench: Bench) -> None:
    assert bench.measure("hallucination", answer("It is 5.")) == Unmeasured(
        "there are no passages (`contexts`) to hold the answer against"
    )


def test_the_reason_quotes_the_spans(bench: Bench) -> None:
    class Spans(RecordingDetector):
        async def __call__(self, request: DetectionRequest) -> Detection:
            return Detection(0.8, tuple(Span(6, 7, "number differs", "The limit is 4.", "a.md") for _ in range(4)))

    bench.detector = Spans([])
    outcome = bench.measure("hallucination", answer("It is 5.", hits=HITS))
    assert isinstance(outcome, Score)
    assert outcome.reason == "'5' number differs; '5' number differs; '5' number differs; 1 more"
    assert len(outcome.spans) == 4


def test_toxicity(bench: Bench) -> None:
    result = bench.judge("toxicity", answer("You fool.", hits=HITS))
    assert bench.asked == [("toxicity", "embedded")]
    assert bench.detector.requests == [DetectionRequest("You fool.", input="Why?")]
    assert (result.value, result.passed) == (0.9, False)


def test_the_only_text_variable_is_the_question(bench: Bench) -> None:
    bench.detector = RecordingDetector([0.1, 0.1])
    bench.measure("toxicity", answer("x", vars={"topic": "cats", "n": 3}))
    bench.measure("toxicity", answer("x", vars={"topic": "cats", "style": "short"}))
    assert [request.input for request in bench.detector.requests] == ["cats", ""]


@pytest.mark.parametrize("kind", ["hallucination", "toxicity"])
def test_detectors_count_into_the_identity_and_are_stored(bench: Bench, kind: str) -> None:
    first = bench.build(kind)
    bench.detector = RecordingDetector([], "detector-2")
    assert first.evaluator.identity != bench.build(kind).evaluator.identity
    assert first.kind.cached
    with pytest.raises(InvalidFiles, match="not one of the valid values"):
        bench.build(f"{kind}: {{backend: embeded}}")
