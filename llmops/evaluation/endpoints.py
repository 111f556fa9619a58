"""The state that all models of one endpoint share: whether it is alive, and whether the run is being stopped."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from llmops.domain.errors import EndpointDown, ModelError, ModelTimeout, Unavailable

Made = TypeVar("Made")

FAILURES = 8
"""So many connection failures in a row, or requests that ran into their timeout, with no answer between them, and ..."""
AFTER_S = 2.0
"""... so many seconds since the first of them: the endpoint is taken for dead."""
TIMEOUTS = 3
"""Where they ran into their timeout, also so many times as long as that: the server may be loading its weights."""
REST_S = 10.0
"""Seconds that an application, which outlives an outage, leaves a dead endpoint alone before it tries it again."""


class Stopping(BaseException):
    """The run is being stopped, and a call that was waiting is not made. No failure of the cell, so no `Exception`."""


async def together(calls: Iterable[Coroutine[Any, Any, Made]]) -> list[Made]:
    """What several calls give, once all of them have ended: what one of them has sent is not lost because another is stopped.

    Raises:
        Exception: the first error of a call.
        Stopping: there is no error, and one of them was not made.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.gather(*tasks, return_exceptions=True)
    errors = [error for task in tasks if (error := task.exception()) is not None]
    if errors:
        raise next((error for error in errors if not isinstance(error, Stopping)), errors[0])
    return [task.result() for task in tasks]


async def finished(calls: Iterable[Coroutine[Any, Any, Made]]) -> list[Made]:
    """What several calls give at once; those that were not made, as the run is being stopped, are left out.

    Raises:
        Exception: the first error of a call.
    """
    made = await asyncio.gather(*calls, return_exceptions=True)
    for each in made:
        if isinstance(each, BaseException) and not isinstance(each, Stopping):
            raise each
    return [each for each in made if not isinstance(each, BaseException)]


class Endpoint:
    """A breaker: once open, nothing more is sent, or one call after each rest, and all again once one is answered."""

    def __init__(self, rest_s: float | None = None) -> None:
        """Args: `rest_s` is how many seconds pass before the next try; None: there is none, as in a run."""
        self._rest_s = rest_s
        self._next_try = 0.0
        self._failures = 0
        self._first_failure = 0.0
        self._stopping = False
        self._down: str | None = None
        """Why it is taken for dead."""
        self._disturbed = asyncio.Event()
        """Nothing more is sent."""
        self._left = asyncio.Event()
        """Nor is what was sent waited for."""
        self._wakers: list[Callable[[], None]] = []

    @property
    def dead(self) -> bool:
        """The breaker is open."""
        return self._down is not None

    def on_disturbance(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when waiting has become useless."""
        self._wakers.append(wake)

    def check(self) -> None:
        """Raises when nothing may be sent any more.

        Raises:
            EndpointDown: it is dead.
            Stopping: the run is being stopped.
        """
        if self._down is not None and not self._may_try():
            raise EndpointDown(self._down)
        if self._stopping:
            raise Stopping

    def _may_try(self) -> bool:
        """Whether this call is the one that finds out if the endpoint is alive again."""
        now = time.monotonic()
        if self._rest_s is None or now < self._next_try:
            return False
        self._next_try = now + self._rest_s
        return True

    async def wait(self, seconds: float, *, sent: bool = False) -> None:
        """Wait to send something, or for what was sent, and raise as `check` as soon as waiting has become useless."""
        try:
            async with asyncio.timeout(seconds):
                await (self._left if sent else self._disturbed).wait()
        except TimeoutError:
            return
        self.check()

    def answered(self) -> None:
        """It is alive."""
        self._failures = 0
        if self._down is not None and self._rest_s is not None:
            self._down = None
            if not self._stopping:
                self._disturbed.clear()

    def failed(self, error: ModelError, who: str, timeout_s: float, *, first: bool) -> None:
        """Learn from a failed call.

        Args:
            error: of the call.
            who: was asked, for the message.
            timeout_s: bound on one call.
            first: it was the first attempt of its request: one long request may time out again and again.
        """
        if not isinstance(error, Unavailable | ModelTimeout):
            self.answered()  # with a refusal, but it is there
            return
        if isinstance(error, ModelTimeout) and not first:
            return
        now = time.monotonic()
        if self._failures == 0:
            self._first_failure = now
        self._failures += 1
        patience = max(AFTER_S, TIMEOUTS * timeout_s if isinstance(error, ModelTimeout) else 0.0)
        if self._failures >= FAILURES and now - self._first_failure >= patience and self._down is None:
            self._next_try = now + (self._rest_s or 0.0)
            self.give_up(f"the endpoint of {who} does not answer: {error.message}")

    def give_up(self, told: str) -> EndpointDown:
        """Take it for dead: the error of all further calls."""
        self._down = told
        self._left.set()
        self._disturb()
        return EndpointDown(told)

    def stop(self, *, leave: bool = True) -> None:
        """Let nothing wait to be sent any longer; `leave`: nor for what was sent to be worked on for long."""
        self._stopping = True
        if leave:
            self._left.set()
        self._disturb()

    def _disturb(self) -> None:
        self._disturbed.set()
        for wake in self._wakers:
            wake()
