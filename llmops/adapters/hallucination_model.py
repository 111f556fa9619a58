"""The embedded hallucination detector: a fine-tuned encoder over windows, and boosted trees on the words of each sentence."""

import json
from collections.abc import Sequence

from llmops.adapters.onnx_token_classifier import OnnxTokenClassifier, Reading
from llmops.adapters.toxicity_model import logistic
from llmops.adapters.weights import Weights
from llmops.domain.records import record
from llmops.domain.scores import Detection, DetectionRequest, Span
from llmops.scoring.citations import without_markers
from llmops.scoring.groundedness import Claim, claims, verbatim
from llmops.scoring.grounding import answer_features, runs
from llmops.scoring.trees import Boosted
from llmops.scoring.windows import Window, windows
from llmops.settings.secrets import masked

SUSPECT = 0.5
"""A sentence is marked from this probability of being unsupported."""
MAX_SPANS = 10


@record
class AnswerRead:
    """What is known of one answer before it is judged."""

    claims: tuple[Claim, ...]
    chances: tuple[float, ...]
    """Probability of each claim of being unsupported, by its words."""
    features: tuple[float, ...]
    """As `grounding.FEATURES`; empty when the answer claims nothing."""
    marks: tuple[tuple[int, int], ...]
    """Characters of the answer that the encoder calls unsupported."""


class HallucinationModel:
    """A fine-tuned encoder over windows, and boosted trees on the words of each sentence, joined by a logistic regression."""

    def __init__(self, weights: Weights, encoder: OnnxTokenClassifier | None = None) -> None:
        """Read the trees and the regression; the encoder is opened by the first answer.

        Args:
            weights: `model.json`, and what the encoder needs.
            encoder: instead of the one in `weights`.
        """
        model = json.loads(weights.checked("model.json").read_text(encoding="utf-8"))
        self._words = Boosted.read(model["words"])
        self._answer: list[float] = model["answer"]
        self._encoder = encoder or OnnxTokenClassifier(weights)

    def many(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """The finding on each answer."""
        return [self._judged(request, read) for request, read in zip(requests, self.read(requests), strict=True)]

    def read(self, requests: Sequence[DetectionRequest]) -> list[AnswerRead]:
        """Everything but the verdict; all windows of all answers go through the encoder together."""
        texts = [without_markers(request.output) for request in requests]
        found = [claims(text, request.contexts) for text, request in zip(texts, requests, strict=True)]
        cut = [
            windows(text, request.contexts, self._encoder.count) if own else []
            for text, request, own in zip(texts, requests, found, strict=True)
        ]
        readings = iter(self._encoder.read([window for some in cut for window in some]))
        return [
            self._joined(tuple(own), [(window, next(readings)) for window in some])
            for own, some in zip(found, cut, strict=True)
        ]

    def _joined(self, own: tuple[Claim, ...], read: Sequence[tuple[Window, Reading]]) -> AnswerRead:
        if not own:
            return AnswerRead((), (), (), ())
        chances = tuple(logistic(self._words.log_odds(claim.features)) for claim in own)
        tokens = [logit for _, reading in read for logit in reading.token_logits]
        missing = (any(claim.missing_numbers for claim in own), any(claim.missing_names for claim in own))
        features = answer_features(chances, [reading.window_logit for _, reading in read], tokens, missing)
        marks = [
            (window.start + start, window.start + end)
            for window, reading in read
            for start, end in runs(reading.token_logits, reading.offsets)
        ]
        return AnswerRead(own, chances, features, tuple(marks))

    def _judged(self, request: DetectionRequest, read: AnswerRead) -> Detection:
        if verbatim(without_markers(request.output), request.contexts):
            return Detection(0.0)
        if not any(context.strip() for context in request.contexts):
            return Detection(1.0, tuple(Span(c.start, c.end, "not found") for c in read.claims[:MAX_SPANS]))
        value = logistic(_dot(self._answer, read.features))
        if value < SUSPECT:
            return Detection(value)
        marks = read.marks or [max(zip(read.chances, ((c.start, c.end) for c in read.claims), strict=True))[1]]
        return Detection(value, tuple(_span(mark, read.claims, request) for mark in marks[:MAX_SPANS]))


def _span(mark: tuple[int, int], found: Sequence[Claim], request: DetectionRequest) -> Span:
    """A marked stretch with the evidence nearest to the sentence it stands in."""
    start, end = mark
    claim = max(found, key=lambda claim: min(end, claim.end) - max(start, claim.start))
    text = request.output[start:end]
    if any(number in text for number in claim.missing_numbers):
        kind = "number differs"
    elif any(name in text for name in claim.missing_names):
        kind = "name differs"
    else:
        kind = "contradicted" if claim.negation_differs else "not found"
    if claim.nearest is None:
        return Span(start, end, kind)
    number = claim.nearest.passage
    source = request.sources[number] if number < len(request.sources) else f"passage {number + 1}"
    return Span(start, end, kind, masked(claim.nearest.text)[:500], source)


def _dot(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(w * f for w, f in zip(weights, features, strict=True))
