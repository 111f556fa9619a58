"""Work that several cells ask for is done once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")

KEPT = 1024
"""So many results stay at hand: who asks was told by the store, up to a window of cells earlier, that there is none yet."""


class InFlight(Generic[Made]):
    """What is being made right now or has just been made, by content key."""

    def __init__(self, keeps: Callable[[Made], bool] = lambda _: True) -> None:
        """Args: `keeps` says of a result whether who asks later gets it, too, and not only who asks meanwhile."""
        self._keeps = keeps
        self._shared: dict[str, asyncio.Future[Made]] = {}
        self._done: deque[str] = deque()

    async def once(self, key: str, make: Callable[[], Awaitable[Made]]) -> Made:
        """What `make` gives; who asks for the same key meanwhile gets the same, or the same error."""
        if key in self._shared:
            return await asyncio.shield(self._shared[key])
        future: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._shared[key] = future
        try:
            made = await make()
        except BaseException as error:
            del self._shared[key]
            future.set_exception(error)
            future.exception()  # marked as seen: nobody else may be waiting
            raise
        future.set_result(made)
        if not self._keeps(made):
            del self._shared[key]
            return made
        self._done.append(key)
        if len(self._done) > KEPT:
            del self._shared[self._done.popleft()]
        return made
