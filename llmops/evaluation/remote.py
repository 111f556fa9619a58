"""Ports whose work is done by the workers of a pool. What counts into keys is read off an object in this process."""

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llmops.domain.jobs import Job, Part
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.paging import pages
from llmops.domain.ports import ChatModel, Detector, Embedder, Tokenizer
from llmops.domain.scores import Detection, DetectionRequest
from llmops.evaluation.pool import Pool

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

FEWEST_TEXTS = 8
"""Texts that are worth a job of their own."""


class RemoteModel:
    """Implements `ChatModel`: a call is sent by the worker with the fewest calls in flight."""

    def __init__(self, identity: str, pool: Pool, part: Part) -> None:
        self.identity = identity
        self.resumes_at = 0.0
        self._pool = pool
        self._part = part

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port."""
        completion: Completion
        completion, wait = await asyncio.wrap_future(self._pool.submit(Job(self._part, "complete", (request,))))
        self.resumes_at = time.monotonic() + wait
        return completion

    async def close(self) -> None:
        """Connections are the workers' own, and end with them."""


class ServedModel:
    """What a worker has behind a `RemoteModel`."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def complete(self, request: CompletionRequest) -> tuple[Completion, float]:
        """The answer, and in how many seconds the provider takes requests again: machines have clocks of their own."""
        completion = await self._model.complete(request)
        return completion, self._model.resumes_at - time.monotonic()


class RemoteDetector:
    """Implements `Detector`: a batch is one job."""

    def __init__(self, local: Detector, pool: Pool, part: Part) -> None:
        self.identity = local.identity
        self._pool = pool
        self._part = part

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """As the port."""
        done: list[Detection] = self._pool.submit(Job(self._part, "detect", (list(requests),))).result()
        return done


class RemoteEmbedder:
    """Implements `Embedder`: texts are shared out evenly."""

    def __init__(self, local: Embedder, pool: Pool, part: Part) -> None:
        self._local = local
        self._pool = pool
        self._part = part

    @property
    def identity(self) -> str:
        """As the embedder's."""
        return self._local.identity

    @property
    def dimensions(self) -> int:
        """As the embedder's."""
        return self._local.dimensions

    @property
    def max_tokens(self) -> int:
        """As the embedder's."""
        return self._local.max_tokens

    @property
    def tokenizer(self) -> Tokenizer:
        """As the embedder's."""
        return self._local.tokenizer

    @property
    def costly(self) -> bool:
        """As the embedder's."""
        return self._local.costly

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        return self._shared("embed", texts)

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        return self._shared("embed_queries", texts)

    def _shared(self, method: str, texts: Sequence[str]) -> "NDArray[float32]":
        import numpy as np

        jobs = [Job(self._part, method, (some,)) for some in shares(texts, self._pool.size)]
        vectors = [future.result() for future in [self._pool.submit(job) for job in jobs]]
        return np.concatenate(vectors) if vectors else np.empty((0, self.dimensions), np.float32)


def shares(items: Sequence[Any], workers: int) -> list[list[Any]]:
    """The items in order, in at most so many even parts, none of them needlessly small."""
    size = max(FEWEST_TEXTS, -(-len(items) // workers))
    return [list(some) for some in pages(items, size)]
