"""Calls to one target: paced, with concurrency that adapts, bounded retries, and an end when the endpoint is dead."""

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

from llmops.domain.errors import EndpointDown, ModelError, RateLimited
from llmops.domain.models import Completion, CompletionRequest
from llmops.evaluation.batch_calls import BatchCaller, BatchLog
from llmops.evaluation.case_files import with_images
from llmops.evaluation.endpoints import Endpoint, Stopping
from llmops.evaluation.pacing import Pace
from llmops.evaluation.planning import Target

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 30.0
MAX_RETRY_AFTER_S = 120.0
THROTTLED_SHARE = 0.2
"""Above this share of recent 429 answers the endpoint is overloaded, not merely unlucky."""
RECENT = 0.05
"""Weight of the newest answer in that share, and of its tokens in what the next call is expected to take."""
CHARACTERS_PER_TOKEN = 4
"""Of a call that failed, which has not told what it took."""
POLL_S = 0.1
"""Until the first answer has told what a call takes, only one is sent, and the others look so often whether it has."""


class Caller:
    """Calls one target."""

    def __init__(self, target: Target, endpoint: Endpoint | None = None, *, seed: int = 0) -> None:
        if target.model is None:
            raise ValueError(f"target {target.name!r} has recorded answers and cannot be called")
        self.target = target
        self._model = target.model
        self._endpoint = endpoint or Endpoint()
        self._endpoint.on_disturbance(lambda: self._wake(len(self._waiting)))
        self._random = random.Random(seed)
        self._limit = float(target.concurrency)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pace = Pace(target.rpm, target.tpm)
        self._tokens: float | None = None
        self._paused_until = 0.0
        self._throttled = 0.0

    @property
    def dead(self) -> bool:
        """Its endpoint does not answer any more."""
        return self._endpoint.dead

    async def complete(self, request: CompletionRequest) -> Completion:
        """One answer, after as many attempts as it takes and `max_retries` allows.

        Raises:
            ModelError: the last attempt's error.
            Stopping: the run is being stopped, and the call was not made.
        """
        for attempt in range(self.target.max_retries + 1):
            await self._take_slot()
            try:
                completion = await self._attempt(request)
            except ModelError as error:
                self._learn(error, first=attempt == 0)
                failed = error
            else:
                self._succeeded()
                return completion if completion.attempts == attempt + 1 else replace(completion, attempts=attempt + 1)
            finally:
                self._in_flight -= 1
                self._wake(int(self._limit) - self._in_flight)
            failed.attempts = attempt + (not isinstance(failed, EndpointDown))  # nothing was sent there
            if not failed.retryable or attempt == self.target.max_retries:
                raise failed
            await self._endpoint.wait(self._delay(failed, attempt))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close the connections."""
        await self._model.close()

    async def _attempt(self, request: CompletionRequest) -> Completion:
        await self._until_allowed()
        sent = self._pace.send(self._expected)
        taken = sum(len(message.content) for message in request.messages) / CHARACTERS_PER_TOKEN
        try:
            completion = await self._model.complete(replace(request, messages=with_images(request.messages)))
            if completion.usage is not None:
                taken = completion.usage.input_tokens + completion.usage.output_tokens
                self._tokens = taken if self._tokens is None else (1 - RECENT) * self._tokens + RECENT * taken
            return completion
        finally:
            self._pace.settle(sent, taken)

    async def _until_allowed(self) -> None:
        """Wait for the limits per minute, and as long as the provider has asked for."""
        self._endpoint.check()
        while True:
            now = time.monotonic()
            asked_for = min(self._model.resumes_at, now + MAX_RETRY_AFTER_S)
            paced = self._pace.wait_s(self._expected)
            if self._tokens is None and self.target.tpm is not None:
                paced = min(paced, POLL_S)
            wait = max(paced, self._paused_until - now, asked_for - now)
            if wait <= 0:
                return
            await self._endpoint.wait(wait)

    @property
    def _expected(self) -> float:
        """Tokens that a call will take, about; all that are allowed, before any has told."""
        return float(self.target.tpm or 0) if self._tokens is None else self._tokens

    async def _take_slot(self) -> None:
        while self._in_flight >= max(1, int(self._limit)):
            self._endpoint.check()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake(1)
                raise
        self._in_flight += 1

    def _wake(self, slots: int) -> None:
        while slots > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                slots -= 1

    def _succeeded(self) -> None:
        self._endpoint.answered()
        self._throttled *= 1 - RECENT
        if self._limit < self.target.concurrency:
            self._limit = min(self.target.concurrency, self._limit + 1 / self._limit)

    def _learn(self, error: ModelError, *, first: bool) -> None:
        if isinstance(error, RateLimited):
            self._throttled += RECENT * (1 - self._throttled)
            if self._throttled > THROTTLED_SHARE:
                self._throttled = 0.0
                self._limit = max(1.0, self._limit / 2)
                pause = min(error.retry_after_s or 0, MAX_RETRY_AFTER_S)
                self._paused_until = max(self._paused_until, time.monotonic() + pause)
        self._endpoint.failed(error, f"{self.target.name!r} ({self.target.model_id})", self.target.timeout_s, first=first)

    def _delay(self, error: ModelError, attempt: int) -> float:
        """Seconds to wait: what the server asks for, else exponential backoff with full jitter."""
        if error.retry_after_s is not None:
            return min(error.retry_after_s, MAX_RETRY_AFTER_S) * (1 + 0.1 * self._random.random())
        return float(self._random.uniform(0.1, 1.0) * min(MAX_DELAY_S, FIRST_DELAY_S * 2**attempt))


class Callers:
    """Of a run or application: a model has one, whether it answers or judges, and models of one endpoint share its breaker."""

    def __init__(self, rest_s: float | None = None, log: BatchLog | None = None) -> None:
        """Ask nobody yet.

        Args:
            rest_s: as `Endpoint`.
            log: remembers the batches of targets that are asked in such; None: there is no such target.
        """
        self._rest_s = rest_s
        self._log = log
        self._callers: dict[str, Caller | BatchCaller] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._stopped = asyncio.Event()

    def of(self, target: Target) -> Caller | BatchCaller:
        """The caller of a target, by its name."""
        if target.name not in self._callers:
            endpoint = self._endpoints.setdefault(target.endpoint or target.name, Endpoint(self._rest_s))
            if self._stopped.is_set():
                endpoint.stop()
            self._callers[target.name] = self._caller(target, endpoint)
        return self._callers[target.name]

    def _caller(self, target: Target, endpoint: Endpoint) -> Caller | BatchCaller:
        if target.batches is None or self._log is None:
            return Caller(target, endpoint)
        return BatchCaller(target, endpoint, self._log)

    def stop(self, *, leave: bool = True) -> None:
        """Make no call that waits for its turn, its retry or a limit; those that are sent come to their end.

        Args:
            leave: batches are left to their provider, where the same command finds them; else they come to their end too.
        """
        self._stopped.set()
        for endpoint in self._endpoints.values():
            endpoint.stop(leave=leave)

    async def pause(self, seconds: float) -> None:
        """Wait for something else than a call.

        Raises:
            Stopping: the run is being stopped.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
            raise Stopping

    async def close(self) -> None:
        """Close the connections."""
        for caller in self._callers.values():
            await caller.close()
