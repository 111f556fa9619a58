"""The grounding encoder: MiniLM fine-tuned to tell which tokens of an answer its evidence does not support."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from llmops.adapters.hf_tokenizer import encodable, load_tokenizer
from llmops.adapters.onnx_session import batches, cores, in_threads, open_session
from llmops.adapters.weights import Weights
from llmops.domain.records import record
from llmops.scoring.windows import Window

CLS, SEP = 101, 102
BATCH_SIZE = 16


@record
class Reading:
    """What the encoder says of one window."""

    window_logit: float
    """Log-odds that something in the stretch is unsupported."""
    token_logits: tuple[float, ...]
    """Log-odds for each token of the stretch."""
    offsets: tuple[tuple[int, int], ...]
    """Characters of each token, in the stretch."""


class OnnxTokenClassifier:
    """Reads (evidence, answer) windows in batches; a window's reading does not depend on the others."""

    def __init__(self, weights: Weights, *, threads: int | None = None) -> None:
        """Take the folder with `model.onnx` and `tokenizer.json`; they are opened by the first window."""
        self._weights = weights
        self._threads = threads or cores()
        self._loaded: tuple[Any, Any] | None = None
        self._lock = Lock()

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._load()[0].encode(encodable(text), add_special_tokens=False).ids)

    def read(self, windows: Sequence[Window]) -> list[Reading]:
        """The reading of each window, in order.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        import numpy as np

        tokenizer, session = self._load()
        encoded = [self._encoded(tokenizer, window) for window in windows]
        found: list[Reading | None] = [None] * len(windows)

        def work(batch: list[int]) -> None:
            longest = len(encoded[batch[-1]][0])
            tokens, mask, types = (np.zeros((len(batch), longest), np.int64) for _ in range(3))
            for row, number in enumerate(batch):
                ids, start, _ = encoded[number]
                tokens[row, : len(ids)] = ids
                mask[row, : len(ids)] = 1
                types[row, start : len(ids)] = 1
            kept = np.full((len(batch), 1 + max(len(encoded[number][2]) for number in batch)), 0, np.int64)
            for row, number in enumerate(batch):
                _, start, offsets = encoded[number]
                kept[row, 1 : 1 + len(offsets)] = range(start, start + len(offsets))
                kept[row] += row * longest
            inputs = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": types, "kept": kept}
            logits = session.run(["logits"], inputs)[0]
            for row, number in enumerate(batch):
                offsets = encoded[number][2]
                own = logits[row, 1 : 1 + len(offsets), 0].tolist()
                found[number] = Reading(float(logits[row, 0, 1]), tuple(own), tuple(offsets))

        in_threads(work, batches([len(ids) for ids, _, _ in encoded], BATCH_SIZE, self._threads), self._threads)
        return [reading for reading in found if reading is not None]

    def _encoded(self, tokenizer: Any, window: Window) -> tuple[list[int], int, list[tuple[int, int]]]:  # noqa: ANN401
        """Ids of `[CLS] evidence [SEP] answer [SEP]`, where the answer begins, and its tokens' characters."""
        room = self._weights.max_tokens - 3
        answer = tokenizer.encode(encodable(window.text), add_special_tokens=False)
        kept = answer.ids[:room]
        evidence = tokenizer.encode(encodable(window.evidence), add_special_tokens=False).ids[: room - len(kept)]
        return [CLS, *evidence, SEP, *kept, SEP], len(evidence) + 2, list(answer.offsets[: len(kept)])

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                tokenizer = load_tokenizer(self._weights.checked("tokenizer.json"))
                self._loaded = tokenizer, open_session(self._weights.checked("model.onnx"))
            return self._loaded
