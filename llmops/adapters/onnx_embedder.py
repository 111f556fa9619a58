"""The default embedder: all-MiniLM-L6-v2 with int8 weights, from the package, run by onnxruntime."""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import HfTokenizer, encodable, load_tokenizer
from llmops.adapters.weights import packaged, read_weights
from llmops.domain.ports import Tokenizer

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

TOKENS_PER_BATCH = 4096
"""Padded tokens in one call, at most: attention needs memory by the square of the length."""


class OnnxEmbedder:
    """Implements `Embedder`.

    A text's vector does not depend on the texts it is embedded with: activations are quantised token by token, and
    padding is masked. Differences between batches stay below 1e-6, the rounding of float32 sums.
    """

    costly = True

    def __init__(self, folder: Path | None = None, *, batch_size: int = 32, threads: int | None = None) -> None:
        """Read the manifest only; the weights are loaded by the first text.

        Args:
            folder: `model.onnx`, `tokenizer.json` and `manifest.json`; default: those in the package.
            batch_size: texts in one call, at most.
            threads: of one call; default: the cores that this process may use.

        Raises:
            LlmopsError: no readable manifest.
        """
        self._weights = read_weights(folder or packaged("minilm"))
        self.identity = self._weights.identity
        self.dimensions = self._weights.dimensions
        self.max_tokens = self._weights.max_tokens
        self.tokenizer: Tokenizer = HfTokenizer(self._weights.folder / "tokenizer.json")
        self._batch_size = batch_size
        self._threads = threads or cores()
        self._loaded: tuple[Any, Any] | None = None
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port.

        Raises:
            LlmopsError: the weights are missing or were changed.
        """
        import numpy as np

        vectors = np.empty((len(texts), self.dimensions), np.float32)
        if not texts:
            return vectors
        tokenizer, session = self._load()
        ids = [encoding.ids for encoding in tokenizer.encode_batch_fast([encodable(text) for text in texts])]
        for batch in batches([len(each) for each in ids], self._batch_size):
            longest = len(ids[batch[-1]])
            tokens = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros_like(tokens)
            for row, text in enumerate(batch):
                tokens[row, : len(ids[text])] = ids[text]
                mask[row, : len(ids[text])] = 1
            vectors[batch] = session.run(["embedding"], {"input_ids": tokens, "attention_mask": mask})[0]
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`: the model was trained without prefixes."""
        return self.embed(texts)

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                tokenizer = load_tokenizer(self._weights.checked("tokenizer.json"), max_tokens=self.max_tokens)
                self._loaded = tokenizer, open_session(self._weights.checked("model.onnx"), self._threads)
            return self._loaded


def batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Positions of texts in batches of similar length, so that little is padded; the longest of a batch is its last."""
    found: list[list[int]] = []
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * lengths[position] > TOKENS_PER_BATCH):
            found.append(batch)
            batch = []
        batch.append(position)
    return [*found, batch] if batch else found


def open_session(path: Path, threads: int) -> Any:  # noqa: ANN401 -- an untyped vendor object
    """An inference session on the CPU, without telemetry."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two runs take the cores from whatever works beside: other nodes, the event loop, BLAS.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def cores() -> int:
    """The cores that this process may use, of those that it has; `OMP_NUM_THREADS` says how many, as elsewhere."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(wanted)) if wanted.isdigit() and int(wanted) else found
