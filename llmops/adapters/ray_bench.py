"""What runs inside a worker of a Ray cluster. Ray makes an actor of it; the class itself needs no Ray."""

import asyncio
import inspect
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llmops import __version__
from llmops.domain.errors import LlmopsError
from llmops.domain.jobs import Job, Part, Workshop


class Bench:
    """One worker: calls run beside each other, work for the processor one job after the other in a thread."""

    def __init__(self) -> None:
        self._parts: dict[Part, Any] = {}
        self._workshop: Any = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llmops-bench")

    async def open(self, workshop: Workshop) -> tuple[str, int]:
        """Take what is needed to build parts; the version of llmops here, and the process."""
        # Ray gives a worker of one CPU one OpenMP thread; the tokenizers have a variable of their own.
        os.environ.update({"RAYON_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), **workshop.variables})
        self._workshop = workshop.open()
        return __version__, os.getpid()

    async def run(self, job: Job) -> tuple[Any, BaseException | None]:
        """What the method returns, or what it raises, in a form that survives the way back."""
        try:
            if job.part not in self._parts:
                self._parts[job.part] = getattr(self._workshop, job.part.kind)(*job.part.names)
            method = getattr(self._parts[job.part], job.method)
            if inspect.iscoroutinefunction(method):
                return await method(*job.arguments), None
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, lambda: method(*job.arguments)), None
        except Exception as error:
            return None, portable(error)


def portable(error: Exception) -> Exception:
    """The error itself when pickle can rebuild it, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        if isinstance(error, LlmopsError):
            return LlmopsError(error.message, hint=error.hint)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
