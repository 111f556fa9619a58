"""The embedded detectors: small classifiers whose weights ship in the package. No key, no network, no torch."""

import json
import math
from collections.abc import Sequence
from typing import Any

from llmops.adapters.weights import packaged, read_weights
from llmops.domain.errors import UsageError
from llmops.domain.scores import Detection, DetectionRequest, Span
from llmops.scoring.groundedness import Claim, claims
from llmops.scoring.sentences import split_sentences
from llmops.scoring.toxicity import BUCKETS, MAX_CHARACTERS, buckets, words
from llmops.settings.validation import nearest

DETECTOR_VERSION = 1
SUSPECT = 0.5
"""A sentence is marked from this probability of being unsupported."""
MAX_SPANS = 10


class EmbeddedDetector:
    """Implements `Detector` for one kind of fault: `hallucination` or `toxicity`."""

    def __init__(self, kind: str) -> None:
        """Read the manifest only; the weights are loaded by the first request.

        Raises:
            UsageError: no such kind.
            LlmopsError: the weights are missing.
        """
        detectors: dict[str, type[_Hallucination] | type[_Toxicity]]
        detectors = {"hallucination": _Hallucination, "toxicity": _Toxicity}
        if kind not in detectors:
            raise UsageError(f"No embedded detector is called {kind!r}.", hint=nearest(kind, detectors))
        self._weights = read_weights(packaged("detectors") / kind)
        self._make = detectors[kind]
        self._loaded: _Hallucination | _Toxicity | None = None

    @property
    def identity(self) -> str:
        """As the port."""
        return f"{self._weights.identity}|{DETECTOR_VERSION}"

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """As the port.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        if self._loaded is None:
            self._loaded = self._make(self._weights)
        return [self._loaded.one(request) for request in requests]


class _Hallucination:
    """Logistic regression on each sentence, and a second one on the sentences of an answer."""

    def __init__(self, weights: Any) -> None:  # noqa: ANN401 -- Weights; keeps the union of constructors plain
        model = json.loads(weights.checked("model.json").read_text(encoding="utf-8"))
        self._sentence: list[float] = model["sentence"]
        self._answer: list[float] = model["answer"]

    def one(self, request: DetectionRequest) -> Detection:
        """The finding on one answer."""
        found = claims(request.output, request.contexts)
        if not found:
            return Detection(0.0)
        if not any(context.strip() for context in request.contexts):
            return Detection(1.0, tuple(Span(c.start, c.end, "not found") for c in found[:MAX_SPANS]))
        chances = [_logistic(_dot(self._sentence, claim.features)) for claim in found]
        value = _logistic(_dot(self._answer, summary(chances)))
        spans = [_span(claim, request) for claim, chance in zip(found, chances, strict=True) if chance >= SUSPECT]
        if not spans and value >= SUSPECT:
            worst = max(range(len(found)), key=lambda i: chances[i])
            spans = [_span(found[worst], request)]
        return Detection(value, tuple(spans[:MAX_SPANS]))


def summary(chances: Sequence[float]) -> tuple[float, ...]:
    """What the second regression sees: bias, log-odds of the worst and of the mean sentence, and how many there are."""
    odds = [math.log(max(1e-6, c) / max(1e-6, 1 - c)) for c in (max(chances), sum(chances) / len(chances))]
    return (1.0, odds[0], odds[1], math.log(len(chances)))


def _span(claim: Claim, request: DetectionRequest) -> Span:
    kind = "number differs" if claim.missing_numbers else "contradicted" if claim.negation_differs else "not found"
    if claim.nearest is None:
        return Span(claim.start, claim.end, kind)
    number = claim.nearest.passage
    source = request.sources[number] if number < len(request.sources) else f"passage {number + 1}"
    return Span(claim.start, claim.end, kind, claim.nearest.text[:500], source)


class _Toxicity:
    """Logistic regression on hashed words and pieces of words."""

    def __init__(self, weights: Any) -> None:  # noqa: ANN401 -- as above
        from safetensors.numpy import load_file

        tensors = load_file(str(weights.checked("model.safetensors")))
        self._scale, self._bias = (float(value) for value in tensors["scale_and_bias"])
        self._values = tensors["weights"].astype("float32")
        if self._values.shape != (BUCKETS,):
            raise ValueError(f"{BUCKETS} weights were expected")

    def one(self, request: DetectionRequest) -> Detection:
        """The finding on one text: its worst sentence decides."""
        text = request.output[:MAX_CHARACTERS]
        value = max([self._chance(text), *(self._chance(sentence.text) for sentence in split_sentences(text))])
        return Detection(value, self._spans(text) if value >= SUSPECT else ())

    def _chance(self, text: str) -> float:
        found = buckets(text)
        total = sum(weight * float(self._values[bucket]) for bucket, weight in found.items())
        return _logistic(total * self._scale + self._bias) if found else 0.0

    def _spans(self, text: str) -> tuple[Span, ...]:
        """The words that are toxic by themselves, worst first; the whole text when it is their combination."""
        rated = sorted(((self._chance(text[s:e]), s, e) for s, e in words(text)), reverse=True)
        found = [Span(s, e, "toxic") for chance, s, e in rated[:3] if chance >= SUSPECT]
        return tuple(found) or (Span(0, len(text), "toxic"),)


def _dot(weights: Sequence[float], features: Sequence[float]) -> float:
    return sum(w * f for w, f in zip(weights, features, strict=True))


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, x))))
