"""Writes nodes and results to the store in small batches, beside the event loop."""

import asyncio

from llmops.domain.errors import StoreError
from llmops.domain.ports import Store
from llmops.domain.runs import CellResult, Node

INTERVAL_S = 0.05
"""A finished node is on disk after at most about this long."""
MAX_WAITING = 2000
"""Rows that may wait; then the runner waits, so memory stays bounded."""


class Committer:
    """Collects rows and commits them at least every `INTERVAL_S`."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._nodes: list[Node] = []
        self._results: list[CellResult] = []
        self._closing = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._error: StoreError | None = None

    async def put_node(self, node: Node) -> None:
        """Take a node.

        Raises:
            StoreError: an earlier batch could not be written.
        """
        self._nodes.append(node)
        await self._wait_for_room()

    async def put_result(self, result: CellResult) -> None:
        """Take a cell's result.

        Raises:
            StoreError: an earlier batch could not be written.
        """
        self._results.append(result)
        await self._wait_for_room()

    def close(self) -> None:
        """Commit what waits and end `run`."""
        self._closing.set()

    async def run(self) -> None:
        """Commit until closed.

        Raises:
            StoreError: a batch could not be written.
        """
        try:
            while not self._closing.is_set():
                try:
                    async with asyncio.timeout(INTERVAL_S):
                        await self._closing.wait()
                except TimeoutError:
                    pass
                await self._commit()
            await self._commit()
        except StoreError as error:
            self._error = error
            self._room.set()
            raise

    async def _commit(self) -> None:
        nodes, self._nodes = self._nodes, []
        results, self._results = self._results, []
        self._room.set()
        if nodes or results:
            await asyncio.to_thread(self._store.commit, nodes, self._run_id, results)

    async def _wait_for_room(self) -> None:
        if self._error is not None:
            raise StoreError(self._error.message, hint=self._error.hint)
        if len(self._nodes) + len(self._results) >= MAX_WAITING:
            self._room.clear()
            await self._room.wait()
