"""The embedded toxicity detector: MiniLM fine-tuned over windows of a text, beside the listed words in them."""

import json
import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import encodable, load_tokenizer
from llmops.adapters.onnx_session import cores, equal_batches, in_threads, open_session
from llmops.adapters.weights import Weights, packaged, read_weights
from llmops.domain.scores import Detection, DetectionRequest, Span
from llmops.scoring.toxicity import CATEGORIES, features, listed, readable, windows

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

SUSPECT = 0.5
"""A window is marked from this probability of being toxic."""
MAX_SPANS = 10
BATCH_SIZE = 16


class ToxicityModel:
    """The worst window of a text decides."""

    def __init__(self, weights: Weights) -> None:
        """Open the encoder and its calibration; the tokenizer is that of the default embedder."""
        calibration = json.loads(weights.checked("model.json").read_text(encoding="utf-8"))
        self._scale, self._bias = float(calibration["scale"]), float(calibration["bias"])
        tokenizer = read_weights(packaged("minilm")).checked("tokenizer.json")
        self._tokenizer = load_tokenizer(tokenizer, max_tokens=weights.max_tokens)
        self._session: Any = open_session(weights.checked("model.onnx"))

    def many(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """The finding on each text."""
        cut = [windows(request.output) for request in requests]
        owners = [owner for owner, some in enumerate(cut) for _ in some]
        places = [place for some in cut for place in some]
        texts = [requests[owner].output[start:end] for owner, (start, end) in zip(owners, places, strict=True)]
        read = zip(owners, places, self.logits(texts).tolist(), strict=True)
        found = [Detection(0.0)] * len(requests)
        for owner, some in groupby(read, key=lambda each: each[0]):
            found[owner] = self._worst(requests[owner].output, [(place, logits) for _, place, logits in some])
        return found

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

    def _worst(self, text: str, read: Sequence[tuple[tuple[int, int], Sequence[float]]]) -> Detection:
        chances = [logistic(self._scale * logits[0] + self._bias) for _, logits in read]
        value = max(chances)
        parts = {
            category: min(value, max(logistic(logits[1 + number]) for _, logits in read))
            for number, category in enumerate(CATEGORIES)
        }
        bad = [each for chance, each in zip(chances, read, strict=True) if chance >= SUSPECT]
        spans = [span for (start, end), logits in bad for span in _marked(text, start, end, logits)]
        return Detection(value, tuple(spans[:MAX_SPANS]), parts)


def _marked(text: str, start: int, end: int, logits: Sequence[float]) -> list[Span]:
    """The listed words of a toxic window, or all of it when it needs none of them to be toxic."""
    words = [Span(start + first, start + last, kind) for first, last, kind in listed(text[start:end])]
    worst = max(range(len(CATEGORIES)), key=lambda number: logits[1 + number])
    return words or [Span(start, end, CATEGORIES[worst])]


def logistic(x: float) -> float:
    """The probability that log-odds stand for."""
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, x))))
