import asyncio
from collections.abc import Sequence
from threading import Barrier

import pytest

from llmops.evaluation.batching import Batcher
from llmops.evaluation.endpoints import Stopping


async def asked(batcher: Batcher[int, int], count: int) -> list[int]:
    return list(await asyncio.gather(*(batcher(number) for number in range(count))))


async def test_what_waits_goes_into_one_batch() -> None:
    sizes: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [-item for item in items]

    assert await asked(Batcher(work, max_batch=8), 20) == [-number for number in range(20)]
    assert sizes == [8, 8, 4]


async def test_lanes_run_at_the_same_time_and_share_what_waits() -> None:
    both = Barrier(2, timeout=20)
    sizes: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(sizes) <= 2:
            both.wait()
        return list(items)

    assert await asked(Batcher(work, lanes=2), 12) == list(range(12))
    assert sorted(sizes)[-2:] == [3, 6]


async def test_a_batch_that_fails_fails_its_own_items_alone() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise ValueError("zero")
        return list(items)

    batcher = Batcher(work, max_batch=2)
    found = await asyncio.gather(*(batcher(number) for number in range(4)), return_exceptions=True)
    assert [isinstance(each, ValueError) for each in found] == [True, True, False, False]
    with pytest.raises(ValueError, match="zero"):
        await batcher(0)
    assert await batcher(3) == 3


async def test_a_batch_that_is_not_sent_any_more_leaves_nobody_waiting() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise Stopping

    ask: Batcher[int, int] = Batcher(work)
    found = await asyncio.wait_for(asyncio.gather(ask(1), ask(2), return_exceptions=True), timeout=20)
    assert [type(each) for each in found] == [Stopping, Stopping]
