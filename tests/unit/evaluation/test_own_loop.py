import asyncio
import gc
import os
import threading
import warnings

import pytest

from llmops.domain.errors import UsageError
from llmops.evaluation.own_loop import OwnLoop


async def thread_of_work() -> threading.Thread:
    return threading.current_thread()


def test_callers_of_other_loops_share_one_thread() -> None:
    own = OwnLoop()
    first, second = (asyncio.run(own.run(thread_of_work)) for _ in range(2))
    assert first is second is not threading.current_thread()


def test_the_thread_ends_with_who_held_it() -> None:
    own = OwnLoop()
    thread = asyncio.run(own.run(thread_of_work))
    del own
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_what_is_under_way_ends_with_who_held_the_thread() -> None:
    own, ended = OwnLoop(), []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append("noted")

    async def begin() -> asyncio.Task[None]:
        return asyncio.create_task(work())

    _task = asyncio.run(own.run(begin))
    del own
    gc.collect()
    assert ended == ["noted"]


async def test_work_is_cancelled_with_its_caller() -> None:
    ended = threading.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await OwnLoop().run(work)
    assert await asyncio.to_thread(ended.wait, 5)


async def test_an_error_reaches_the_caller() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await OwnLoop().run(work)


def test_a_fork_is_told_what_to_do_instead_of_waiting_without_end() -> None:
    own = OwnLoop()
    asyncio.run(own.run(thread_of_work))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside a thread
        child = os.fork()
    if child == 0:
        try:
            asyncio.run(asyncio.wait_for(own.run(thread_of_work), 5))
        except UsageError as error:
            os._exit(0 if "Make a Router in each process" in str(error) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
