"""Hands results on in the plan's order, whatever order they come in: sums of floats depend on the order of their parts."""

from collections.abc import Callable
from heapq import heappop, heappush

from llmops.domain.runs import CellResult

MOST_WAITING = 10_000
"""Results that may wait for a slow cell before them; further ones are handed on, so that memory stays bounded."""


class InOrder:
    """Holds back what comes too early."""

    def __init__(self, take: Callable[[CellResult], None], *, most: int = MOST_WAITING) -> None:
        self._take = take
        self._most = most
        self._waiting: list[tuple[int, CellResult]] = []
        self._next = 0

    def add(self, result: CellResult) -> None:
        """Take one result; it and those that waited for it are handed on."""
        heappush(self._waiting, (result.position, result))
        while self._waiting and (self._waiting[0][0] <= self._next or len(self._waiting) > self._most):
            self._release()

    def rest(self) -> None:
        """Hand on what still waits for cells that were never run."""
        while self._waiting:
            self._release()

    def _release(self) -> None:
        position, result = heappop(self._waiting)
        self._next = max(self._next, position + 1)
        self._take(result)
