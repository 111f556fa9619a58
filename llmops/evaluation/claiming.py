"""Answers that cost something are made by one process; others that share the store wait for them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from llmops.domain.errors import StoreError
from llmops.domain.ports import Store
from llmops.domain.runs import Node
from llmops.evaluation.batching import Batcher
from llmops.evaluation.endpoints import Stopping

FIRST_LOOK_S = 0.05
"""So long after a claim of another process was met its node is looked for, ..."""
LAST_LOOK_S = 1.0
"""... and then ever less often, up to this."""

Pause = Callable[[float], Awaitable[None]]


class Claims:
    """Makes nodes that no other process is making."""

    def __init__(self, store: Callable[[], Store]) -> None:
        """Args: `store` gives the store, when a key is first claimed."""
        self._store = store
        self._claim: Batcher[str, Node | bool] = Batcher(self._claimed)
        self._release: Batcher[str, None] = Batcher(self._released)

    async def node(self, key: str, slots: asyncio.Semaphore, make: Callable[[], Awaitable[Node]], pause: Pause) -> Node:
        """The node of a key: what `make` makes and commits, or what another process has.

        Args:
            key: of the node.
            slots: few more than nodes can really be made at once, so that what would only queue here is left to others.
            make: called when the key is ours; what it raises gives the key back.
            pause: waits for some seconds, or raises when the run is being stopped.
        """
        wait = FIRST_LOOK_S
        while True:
            async with slots:
                found = await self._claim(key)
                if found is True:
                    return await self._made(key, make)
            if isinstance(found, Node):
                return found
            await pause(wait)
            wait = min(1.5 * wait, LAST_LOOK_S)

    async def _made(self, key: str, make: Callable[[], Awaitable[Node]]) -> Node:
        try:
            return await make()
        except (Exception, Stopping):
            with suppress(StoreError):
                await self._release(key)
            raise

    def _claimed(self, keys: Sequence[str]) -> list[Node | bool]:
        claimed = self._store().claim(keys)
        return [claimed.nodes.get(key) or key in claimed.mine for key in keys]

    def _released(self, keys: Sequence[str]) -> list[None]:
        self._store().release(keys)
        return [None] * len(keys)
