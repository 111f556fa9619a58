"""The embedded toxicity detector: MiniLM fine-tuned over windows and sentences of a text, beside the listed words in them."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import encodable, load_tokenizer
from llmops.adapters.onnx_session import cores, equal_batches, in_threads, open_session
from llmops.adapters.weights import Weights, packaged, read_weights
from llmops.domain.records import record
from llmops.domain.scores import Detection, DetectionRequest, Span
from llmops.scoring.labels import CATEGORIES
from llmops.scoring.sentences import split_sentences
from llmops.scoring.toxicity import features, listed, readable, windows

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

SUSPECT = 0.5
"""A window is marked from this probability of being toxic."""
MAX_SPANS = 10
BATCH_SIZE = 16
ALONE = 0.8
"""Weight of the worst sentence by itself, against that of its whole window."""


@record
class Stretch:
    """A window of a text, or a sentence of it, and the log-odds of toxic and of each category."""

    start: int
    end: int
    logits: "NDArray[float32]"


class ToxicityModel:
    """The worst window of a text decides, and in it the worst sentence: it must not hide among friendly ones."""

    def __init__(self, weights: Weights) -> None:
        """Open the encoder and its calibration; the tokenizer is that of the default embedder."""
        calibration = json.loads(weights.checked("model.json").read_text(encoding="utf-8"))
        self._scale, self._bias = float(calibration["scale"]), float(calibration["bias"])
        tokenizer = read_weights(packaged("minilm")).checked("tokenizer.json")
        self._tokenizer = load_tokenizer(tokenizer, max_tokens=weights.max_tokens)
        self._session: Any = open_session(weights.checked("model.onnx"))

    def many(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """The finding on each text."""
        cut = [[(place, _sentences(request.output, *place)) for place in windows(request.output)] for request in requests]
        places = [place for some in cut for window, own in some for place in (window, *own)]
        texts = [
            request.output[start:end]
            for request, some in zip(requests, cut, strict=True)
            for window, own in some
            for start, end in (window, *own)
        ]
        different = list(dict.fromkeys(texts))
        logits = dict(zip(different, self.logits(different), strict=True))
        read = iter([Stretch(*place, logits[text]) for place, text in zip(places, texts, strict=True)])
        return [
            self._worst(request.output, [(next(read), [next(read) for _ in own]) for _, own in some])
            for request, some in zip(requests, cut, strict=True)
        ]

    def logits(self, texts: Sequence[str]) -> "NDArray[float32]":
        """Log-odds of toxic, not calibrated, and of each category, of texts that fit into one window."""
        import numpy as np

        plain = [readable(text) for text in texts]
        encoded = [each.ids for each in self._tokenizer.encode_batch_fast([encodable(text) for text in plain])]
        words = np.array([features(text, read) for text, read in zip(texts, plain, strict=True)], np.float32)
        found = np.empty((len(texts), 1 + len(CATEGORIES)), np.float32)

        def work(batch: list[int]) -> None:
            tokens = np.array([encoded[number] for number in batch], np.int64)
            inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "listed": words[batch]}
            found[batch] = self._session.run(["logits"], inputs)[0]

        # Padded beside other texts the last digits would be others, and nothing would stay equal over two runs.
        in_threads(work, equal_batches([len(ids) for ids in encoded], BATCH_SIZE), cores())
        return found

    def _worst(self, text: str, read: Sequence[tuple[Stretch, Sequence[Stretch]]]) -> Detection:
        if not read:
            return Detection(0.0)
        joined = [Stretch(window.start, window.end, _joined(window, own)) for window, own in read]
        value = max(self._chance(window) for window in joined)
        parts = {
            category: min(value, max(logistic(float(window.logits[1 + number])) for window in joined))
            for number, category in enumerate(CATEGORIES)
        }
        spans: list[Span] = []
        for window, (_, own) in zip(joined, read, strict=True):
            if self._chance(window) >= SUSPECT:
                bad = [sentence for sentence in own if self._chance(sentence) >= SUSPECT]
                spans += [span for stretch in bad or [window] for span in _marked(text, stretch)]
        return Detection(value, tuple(spans[:MAX_SPANS]), parts)

    def _chance(self, stretch: Stretch) -> float:
        return logistic(self._scale * float(stretch.logits[0]) + self._bias)


def _sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Characters of the sentences of a window; empty when it is one sentence or a part of one."""
    found = split_sentences(text[start:end])
    return [(start + each.start, start + each.end) for each in found] if len(found) > 1 else []


def _joined(window: Stretch, sentences: Sequence[Stretch]) -> "NDArray[float32]":
    """Log-odds of a window with those of its worst sentences, if that is worse than the window by itself."""
    import numpy as np

    if not sentences:
        return window.logits
    worst = np.max([each.logits for each in sentences], axis=0)
    found: NDArray[float32] = np.maximum(window.logits, (1 - ALONE) * window.logits + ALONE * worst)
    return found


def _marked(text: str, stretch: Stretch) -> list[Span]:
    """The listed words of a toxic stretch, or all of it when it needs none of them to be toxic."""
    words = [Span(stretch.start + a, stretch.start + b, kind) for a, b, kind in listed(text[stretch.start : stretch.end])]
    worst = int(stretch.logits[1:].argmax())
    return words or [Span(stretch.start, stretch.end, CATEGORIES[worst])]


def logistic(x: float) -> float:
    """The probability that log-odds stand for."""
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, x))))
