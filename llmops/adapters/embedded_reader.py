"""The embedded extractive readers as models: no key, no network, and no language model."""

import asyncio
import re
import time
from collections.abc import Sequence

from llmops.domain.errors import Refused
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.ports import Embedder
from llmops.scoring.reading import ReaderSettings, read

READER_VERSION = 3
SMALL = ReaderSettings(max_sentences=2, threshold=0.25)
LARGE = ReaderSettings(max_sentences=3, threshold=0.40, similarity_weight=0.8)

_piece = re.compile(r"\w{1,6}|[^\w\s]")


class EmbeddedReader:
    """Implements `ChatModel`: `reader-small` compares words; `reader-large` compares embeddings of sentences as well."""

    def __init__(self, model_id: str, embedder: Embedder | None = None) -> None:
        """Take an embedder for the large reader; the small one needs none."""
        self._id = model_id
        self._settings = SMALL if embedder is None else LARGE
        self._embedder = embedder
        asks = f"|{embedder.identity}" if embedder is not None else ""
        self.resumes_at = 0.0
        self.identity = f"{model_id}|{READER_VERSION}{asks}"

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port; the only parameter is `max_sentences`. Tokens are pieces of up to six letters, so an estimate."""
        unknown = sorted(set(request.params) - {"max_sentences"})
        if unknown:
            raise Refused(f"{self._id} has no parameter {unknown[0]!r}; it takes `max_sentences`")
        if image := next((image for message in request.messages for image in message.images), None):
            raise Refused(f"{self._id} reads text alone and cannot see the image {image.name}")
        text, latency = await asyncio.to_thread(self._timed, request)
        usage = Usage(sum(pieces(m.content) for m in request.messages), pieces(text), estimated=True)
        return Completion(text, usage, latency, finish_reason="stop", model=self._id)

    async def close(self) -> None:
        """Nothing to release."""

    def _timed(self, request: CompletionRequest) -> tuple[str, float]:
        """The answer and its seconds, measured inside the thread: waiting for one is our queue."""
        started = time.perf_counter()
        return self._read(request), time.perf_counter() - started

    def _read(self, request: CompletionRequest) -> str:
        wanted = request.params.get("max_sentences", self._settings.max_sentences)
        settings = self._settings
        if wanted != settings.max_sentences:
            settings = ReaderSettings(int(wanted), settings.threshold, settings.keep, settings.similarity_weight)
        return read(request.messages, settings, None if self._embedder is None else self._cosines)

    def _cosines(self, question: str, texts: Sequence[str]) -> list[float]:
        if self._embedder is None:
            return [0.0] * len(texts)
        query = self._embedder.embed_queries([question])[0]
        return [float(value) for value in self._embedder.embed(list(texts)) @ query]


def pieces(text: str) -> int:
    """Pieces of up to six letters, the readers' own measure of length."""
    return len(_piece.findall(text))
