"""Event loops in threads of their own, for applications that run one themselves."""

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread, current_thread
from typing import Any, ParamSpec, TypeVar

from llmops.domain.errors import UsageError

Given = ParamSpec("Given")
Made = TypeVar("Made")
END_S = 5.0
"""Until the work has ended that is cancelled, at most."""


def waited(work: Coroutine[Any, Any, Made]) -> Made:
    """The result of some work, also where an event loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class OwnLoop:
    """Lets connections and limits serve whatever loops there are; begins with the first work, ends when nobody holds it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun: tuple[asyncio.AbstractEventLoop, Thread] | None = None

    async def run(self, work: Callable[Given, Coroutine[Any, Any, Made]], *args: Given.args, **kwargs: Given.kwargs) -> Made:
        """What the work gives; it is cancelled with its caller.

        Raises:
            UsageError: this process was forked from the one that has begun.
        """
        with self._lock:
            loop, thread = self._begun = self._begun or self._begin()
        if not thread.is_alive():
            told = "This process was forked from one that has asked the models, and cannot use its connections."
            raise UsageError(told, hint="Make a Router in each process, after the fork.")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(*args, **kwargs), loop))

    def _begin(self) -> tuple[asyncio.AbstractEventLoop, Thread]:
        loop = asyncio.new_event_loop()
        thread = Thread(target=_serve, args=(loop,), name="llmops", daemon=True)
        thread.start()
        weakref.finalize(self, _end, loop, thread)
        return loop, thread


def _end(loop: asyncio.AbstractEventLoop, thread: Thread) -> None:
    """Cancel what is under way, and let it note so: at the latest when the process ends."""
    loop.call_soon_threadsafe(loop.stop)
    if thread is not current_thread():
        thread.join(END_S)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
