"""Hosted and self-hosted embedding models through `litellm.embedding`."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmops.adapters.credentials import address_of, key_of
from llmops.adapters.hf_tokenizer import encodable
from llmops.adapters.litellm_model import load_litellm, translated
from llmops.adapters.openai_protocol import seconds, usage_of
from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer
from llmops.domain.errors import BadResponse, ModelError, RateLimited
from llmops.domain.models import Usage
from llmops.domain.paging import pages
from llmops.domain.ports import EmbeddingAccount, Tokenizer
from llmops.domain.records import record
from llmops.settings.models import ModelSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

ASSUMED_WINDOW = 512
"""Tokens, for a model that LiteLLM's table does not know: the smallest window in common use."""


@record
class Calls:
    """How requests are sent."""

    batch_size: int = 32
    """Texts in one request."""
    concurrency: int = 4
    """Requests in flight at once."""
    timeout_s: float = 60.0
    """Bound on one attempt."""
    max_retries: int = 4
    """Further attempts after the first."""
    backoff_s: float = 0.5
    """Longest wait before the second attempt; it doubles with every further one, and the wait is drawn below it."""
    max_wait_s: float = 60.0
    """Longest wait, a server's Retry-After included."""
    sleep: Callable[[float], None] = time.sleep


class LitellmEmbedder:
    """Implements `Embedder`. Blocks: callers keep it off the event loop."""

    costly = True

    def __init__(
        self,
        name: str,
        *,
        api_base: str | None = None,
        dimensions: int | None = None,
        prefixes: tuple[str, str] = ("", ""),
        calls: Calls | None = None,
        account: EmbeddingAccount | None = None,
    ) -> None:
        """Import nothing and send nothing yet.

        Args:
            name: LiteLLM id such as `openai/text-embedding-3-small` or `ollama/nomic-embed-text`.
            api_base: of an endpoint of the user's own.
            dimensions: length of the vectors; default: what the first answer has.
            prefixes: put in front of queries and of documents.
            calls: batches, timeouts and retries.
            account: pays for the requests.
        """
        self.identity = identity_of(name, api_base, prefixes)
        self.tokenizer: Tokenizer = TiktokenTokenizer()
        self._settings = ModelSettings(id=name, api_base=api_base)
        self._query_prefix, self._document_prefix = prefixes
        self._calls = calls or Calls()
        self._account = account
        self._dimensions = dimensions
        self._key: str | None = None
        self._litellm: Any = None

    def _first_dimensions(self) -> int:
        """As the port; asks the model when nothing was embedded yet.

        Raises:
            ModelError: the model gave no vector.
        """
        if self._dimensions is None:
            self.embed(["dimensions"])
        assert self._dimensions is not None
        return self._dimensions

    def _window(self) -> int:
        """As the port, from LiteLLM's table."""
        try:
            window = self._loaded().get_model_info(self._settings.id).get("max_input_tokens")
        # LiteLLM raises a bare Exception for a model that its table does not hold.
        except Exception:
            window = None
        return int(window or ASSUMED_WINDOW)

    # Assigned, not decorated: the port's attributes are variables, and these are, once the model has answered.
    dimensions = cached_property(_first_dimensions)
    max_tokens = cached_property(_window)

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port, with the document prefix.

        Raises:
            ModelError: no usable answer after all attempts.
            MissingCredential: the provider needs a key and there is none.
        """
        return self._embed(texts, self._document_prefix)

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`, with the query prefix."""
        return self._embed(texts, self._query_prefix)

    def _embed(self, texts: Sequence[str], prefix: str) -> "NDArray[float32]":
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        if self._key is None:
            self._key = key_of(self._settings.id, self._settings)
        if self._account is not None:
            self._account.check()  # for all parts together: what some of them have cost is lost when another is not sent
        self._loaded()
        # Providers refuse an empty text.
        ready = [(prefix + encodable(text)) or " " for text in texts]
        parts = list(pages(ready, self._calls.batch_size))
        with ThreadPoolExecutor(min(self._calls.concurrency, len(parts))) as pool:
            vectors = np.concatenate(list(pool.map(self._with_retries, parts)))
        if self._dimensions is None:
            self._dimensions = vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise BadResponse(self._named(f"vectors have {vectors.shape[1]} dimensions, expected {self._dimensions}"))
        return vectors

    def _with_retries(self, texts: Sequence[str]) -> "NDArray[float32]":
        attempt = 0
        while True:
            try:
                return self._request(texts)
            except ModelError as error:
                if not error.retryable or attempt == self._calls.max_retries:
                    raise
                self._calls.sleep(self._wait_s(error, attempt))
                attempt += 1

    def _wait_s(self, error: ModelError, attempt: int) -> float:
        """Full jitter: several processes that were refused together do not come back together."""
        wait = random.uniform(0, self._calls.backoff_s * 2**attempt)
        asked = error.retry_after_s if isinstance(error, RateLimited) else None
        return min(max(wait, asked or 0.0), self._calls.max_wait_s)

    def _request(self, texts: Sequence[str]) -> "NDArray[float32]":
        arguments: dict[str, Any] = {
            "model": self._settings.id,
            "input": list(texts),
            "timeout": self._calls.timeout_s,
            "max_retries": 0,
            "num_retries": 0,
        }
        if self._settings.api_base:
            arguments["api_base"] = self._settings.api_base
        if self._key:
            arguments["api_key"] = self._key
        began = time.perf_counter()
        try:
            response = self._loaded().embedding(**arguments)
        # Providers' clients raise exceptions of many trees; each becomes one of ours.
        except Exception as error:
            ours = translated(self._litellm, error)
            ours.message = self._named(ours.message)
            if isinstance(ours, RateLimited) and ours.retry_after_s is None:
                # Of embeddings, LiteLLM keeps the real headers here alone.
                headers = getattr(error, "litellm_response_headers", None) or {}
                ours.retry_after_s = seconds(headers.get("retry-after"))
            raise ours from error
        if self._account is not None:
            usage = usage_of(getattr(response, "usage", None)) or Usage(
                sum(map(self.tokenizer.count, texts)), 0, estimated=True
            )
            self._account.pay(usage, time.perf_counter() - began)
        return self._unit_vectors(response, len(texts))

    def _unit_vectors(self, response: Any, expected: int) -> "NDArray[float32]":  # noqa: ANN401 -- LiteLLM's type varies
        import numpy as np

        try:
            items = sorted(response.data, key=lambda item: int(item["index"]))
            vectors = np.asarray([item["embedding"] for item in items], np.float32)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadResponse(self._named("the answer holds no list of vectors of one length")) from error
        if vectors.ndim != 2 or len(vectors) != expected:
            raise BadResponse(self._named(f"{len(vectors)} vectors came back for {expected} texts"))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths == 0).any():
            raise BadResponse(self._named("a vector is zero or not finite"))
        unit: NDArray[float32] = vectors / lengths
        return unit

    def _named(self, message: str) -> str:
        address = address_of(self._settings)
        return f"Embedder {self._settings.id!r}{f' at {address}' if address else ''}: {message}"

    def _loaded(self) -> Any:  # noqa: ANN401 -- a module
        if self._litellm is None:
            self._litellm = load_litellm()
            # `litellm.embedding` takes `max_retries=0` for "not given", and the OpenAI client would retry unseen.
            self._litellm.DEFAULT_MAX_RETRIES = 0
        return self._litellm


def identity_of(name: str, api_base: str | None, prefixes: tuple[str, str]) -> str:
    """As the port's, of an embedder with these arguments."""
    return "|".join(("litellm", name, address_of(ModelSettings(id=name, api_base=api_base)), *prefixes))
