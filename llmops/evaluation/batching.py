"""Joins concurrent calls for CPU-bound work into batches that run beside the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from llmops.evaluation.endpoints import Stopping

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Calls `work` with all items that wait, at most `max_batch` at once.

    While a batch runs in its thread the next one fills, so batches grow with the load and a single call never waits.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, max_batch: int = 64, lanes: int = 1) -> None:
        """Args: `lanes` is the number of batches at a time, which share what waits evenly."""
        self._work = work
        self._max_batch = max_batch
        self._lanes = lanes
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: list[asyncio.Task[None]] = []
        self._threads = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="llmops-batch")

    async def __call__(self, item: Item) -> Result:
        """The result for one item; an exception of the batch is raised for each of its items."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._running = [task for task in self._running if not task.done()]
        if len(self._running) < self._lanes:
            self._running.append(asyncio.create_task(self._drain()))
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # lets the other tasks that are ready add their items first
        while self._waiting:
            size = min(self._max_batch, -(-len(self._waiting) // self._lanes))
            batch, self._waiting = self._waiting[:size], self._waiting[size:]
            items = [item for item, _ in batch]
            try:
                results = await loop.run_in_executor(self._threads, self._work, items)
            except (Exception, Stopping) as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
