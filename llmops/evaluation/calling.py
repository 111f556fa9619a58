"""Calls to one target: bounded concurrency that adapts, bounded retries, and a breaker for a dead endpoint."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import replace

from llmops.domain.errors import EndpointDown, ModelError, ModelTimeout, RateLimited, Unavailable
from llmops.domain.models import Completion, CompletionRequest
from llmops.evaluation.planning import Target

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
MAX_RETRY_AFTER_S = 120.0
THROTTLED_SHARE = 0.2
"""Above this share of recent 429 answers the endpoint is overloaded, not merely unlucky."""
RECENT = 0.05
"""Weight of the newest answer in that share."""
BREAKER_FAILURES = 8
"""So many calls in a row that met no server or no answer, with no answer between them, and ..."""
BREAKER_AFTER_S = 2.0
"""... so many seconds since the first of them: the endpoint is taken for dead."""
BREAKER_TIMEOUTS = 3
"""Of calls that met a server which never answered also so many times the model's `timeout_s`: it may be loading its weights."""


class Caller:
    """Calls one target."""

    def __init__(self, target: Target, *, seed: int = 0) -> None:
        if target.model is None:
            raise ValueError(f"target {target.name!r} has recorded answers and cannot be called")
        self.target = target
        self._model = target.model
        self._random = random.Random(seed)
        self._limit = float(target.concurrency)
        self._in_flight = 0
        self._free = asyncio.Condition()
        self._paused_until = 0.0
        self._throttled = 0.0
        self._failures = 0
        self._first_failure = 0.0
        self._dead: EndpointDown | None = None
        self._died = asyncio.Event()

    @property
    def dead(self) -> bool:
        """The breaker is open."""
        return self._dead is not None

    async def complete(self, request: CompletionRequest) -> Completion:
        """One answer, after as many attempts as it takes and `max_retries` allows.

        Raises:
            ModelError: the last attempt's error.
        """
        for attempt in range(self.target.max_retries + 1):
            await self._enter()
            try:
                completion = await self._attempt(request)
            except ModelError as error:
                self._learn(error)
                failed = error
            else:
                self._succeeded()
                return replace(completion, attempts=attempt + 1)
            finally:
                await self._leave()
            failed.attempts = attempt + 1
            if not failed.retryable or attempt == self.target.max_retries:
                raise failed
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay(failed, attempt)):
                    await self._died.wait()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(self, request: CompletionRequest) -> Completion:
        # The adapter has its own timeout; this one holds if a vendor's does not.
        bound = self.target.timeout_s * 1.1 + 1
        try:
            async with asyncio.timeout(bound):
                return await self._model.complete(request)
        except TimeoutError as error:
            raise ModelTimeout(f"no answer within {self.target.timeout_s:g} s") from error

    async def _enter(self) -> None:
        async with self._free:
            await self._free.wait_for(lambda: self._in_flight < max(1, int(self._limit)))
            self._in_flight += 1
        try:
            while self._dead is None and (pause := self._paused_until - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if self._dead is not None:
                raise self._dead
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        async with self._free:
            self._in_flight -= 1
            self._free.notify()

    def _succeeded(self) -> None:
        self._failures = 0
        self._throttled *= 1 - RECENT
        if self._limit < self.target.concurrency:
            self._limit = min(self.target.concurrency, self._limit + 1 / self._limit)

    def _learn(self, error: ModelError) -> None:
        now = time.monotonic()
        if isinstance(error, RateLimited):
            self._throttled += RECENT * (1 - self._throttled)
            if self._throttled > THROTTLED_SHARE:
                self._throttled = 0.0
                self._limit = max(1.0, self._limit / 2)
                self._paused_until = max(self._paused_until, now + min(error.retry_after_s or 0, MAX_RETRY_AFTER_S))
        if not isinstance(error, Unavailable | ModelTimeout):
            self._failures = 0
            return
        if self._failures == 0:
            self._first_failure = now
        self._failures += 1
        silent = BREAKER_TIMEOUTS * self.target.timeout_s if isinstance(error, ModelTimeout) else 0.0
        if self._failures >= BREAKER_FAILURES and now - self._first_failure >= max(BREAKER_AFTER_S, silent):
            where = f"{self.target.name!r} ({self.target.model_id})"
            self._dead = EndpointDown(f"the endpoint of {where} does not answer: {error.message}")
            self._died.set()

    def _delay(self, error: ModelError, attempt: int) -> float:
        """Seconds to wait: what the server asks for, else exponential backoff with full jitter."""
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            return min(error.retry_after_s, MAX_RETRY_AFTER_S) * (1 + 0.1 * self._random.random())
        return float(self._random.uniform(0.1, 1.0) * min(MAX_DELAY_S, FIRST_DELAY_S * 2**attempt))
