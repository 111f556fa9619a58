"""Requests and tokens per minute: when the next call may be sent."""

import time
from collections import deque
from collections.abc import Callable

MINUTE_S = 60.0


class Sent:
    """One call in the window."""

    __slots__ = ("at", "tokens")

    def __init__(self, at: float, tokens: float) -> None:
        self.at = at
        self.tokens = tokens


class Pace:
    """No more than `rpm` calls and `tpm` tokens in any minute; None: no such limit."""

    def __init__(self, rpm: int | None, tpm: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._clock = clock
        self._window: deque[Sent] = deque()
        self._tokens = 0.0

    def wait_s(self, tokens: float) -> float:
        """Seconds until a call of so many tokens may be sent; 0: now. A call above the limit waits for an empty window."""
        if self._rpm is None and self._tpm is None:
            return 0.0
        now = self._clock()
        while self._window and self._window[0].at <= now - MINUTE_S:
            self._tokens -= self._window.popleft().tokens
        until = now
        if self._rpm is not None and len(self._window) >= self._rpm:
            until = self._window[len(self._window) - self._rpm].at + MINUTE_S
        if self._tpm is not None:
            until = max(until, self._until_tokens(min(tokens, self._tpm), now))
        return until - now

    def _until_tokens(self, tokens: float, now: float) -> float:
        left = self._tokens
        until = now
        for sent in self._window:
            if left + tokens <= (self._tpm or 0):
                break
            left -= sent.tokens
            until = sent.at + MINUTE_S
        return until

    def send(self, tokens: float) -> Sent:
        """Note a call that is sent now and is expected to take so many tokens."""
        sent = Sent(self._clock(), tokens)
        if self._rpm is not None or self._tpm is not None:
            self._window.append(sent)
            self._tokens += tokens
        return sent

    def settle(self, sent: Sent, tokens: float) -> None:
        """What a call has really taken."""
        if self._window and sent.at >= self._window[0].at:
            self._tokens += tokens - sent.tokens
            sent.tokens = tokens
