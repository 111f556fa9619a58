"""Work that several cells ask for at the same time is done once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class InFlight(Generic[Made]):
    """What is being made right now, by content key."""

    def __init__(self) -> None:
        self._shared: dict[str, asyncio.Future[Made]] = {}

    async def once(self, key: str, make: Callable[[], Awaitable[Made]]) -> Made:
        """What `make` gives; who asks for the same key meanwhile gets the same, or the same error."""
        if key in self._shared:
            return await asyncio.shield(self._shared[key])
        future: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._shared[key] = future
        try:
            made = await make()
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # marked as seen: nobody else may be waiting
            raise
        else:
            future.set_result(made)
            return made
        finally:
            del self._shared[key]
