"""Shares jobs out over workers: each to the one with the least to do, a second time elsewhere when a worker is lost."""

from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import RLock
from typing import Any

from llmops.domain.errors import LlmopsError, RunIncomplete, WorkerLost
from llmops.domain.jobs import Job, Part
from llmops.domain.ports import Worker

LOST_IN_A_ROW = 2
"""Times the size of the pool: after so many lost workers with nothing finished between them no further ones are asked for."""


@dataclass(eq=False, slots=True)
class _Task:
    """A job until its future is settled."""

    job: Job
    future: "Future[Any]"
    lost: int = 0
    """Workers that were lost while they worked on it."""


class Pool:
    """Workers that come and go; `submit` may be called from any thread, and before the first of them is there."""

    def __init__(self, hire: Callable[[], "Future[Worker]"], size: int, note: Callable[[str], None]) -> None:
        """Ask for workers.

        Args:
            hire: asks for one more worker; fails with the reason when none can be had.
            size: workers at a time.
            note: told what a user should know, such as a lost worker.
        """
        self.size = size
        self._hire = hire
        self._note = note
        self._lock = RLock()
        self._load: dict[Worker, Counter[Part]] = {}
        self._waiting: deque[_Task] = deque()
        self._hiring = 0
        self._lost = 0
        """In a row."""
        self._failed: LlmopsError | None = None
        self._first: Future[None] = Future()
        for _ in range(size):
            self._ask_for_one()

    def ready(self) -> None:
        """Wait for the first worker.

        Raises:
            LlmopsError: none can be had.
        """
        self._first.result()

    def submit(self, job: Job) -> "Future[Any]":
        """The result of a job.

        Its future fails with what the method raised, with `WorkerLost` when two workers were lost over the job, and with
        `RunIncomplete` when no worker is left.
        """
        task = _Task(job, Future())
        task.future.set_running_or_notify_cancel()  # it cannot be called back, so it cannot be cancelled
        self._place(task)
        return task.future

    def _place(self, task: _Task) -> None:
        with self._lock:
            if self._failed is not None:
                task.future.set_exception(self._failed)
                return
            if not self._load:
                self._waiting.append(task)
                return
            part = task.job.part
            worker = min(self._load, key=lambda each: (self._load[each][part], self._load[each].total()))
            self._load[worker][part] += 1
        worker.submit(task.job).add_done_callback(lambda done: self._settle(task, worker, done))

    def _settle(self, task: _Task, worker: Worker, done: "Future[Any]") -> None:
        error = done.exception()
        if isinstance(error, WorkerLost):
            task.lost += 1
            self._replace(worker)
            if task.lost == 1:
                self._place(task)
            else:
                task.future.set_exception(WorkerLost(f"two workers were lost over it, the second of them {worker.name}"))
            return
        with self._lock:
            self._lost = 0
            if worker in self._load:
                self._load[worker][task.job.part] -= 1
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(done.result())

    def _replace(self, worker: Worker) -> None:
        """Forget a lost worker, once however many of its jobs tell of it, and ask for another."""
        with self._lock:
            load = self._load.pop(worker, None)
            if load is None:
                return
            self._lost += 1
            again = self._lost <= LOST_IN_A_ROW * self.size
        self._note(f"worker {worker.name} is lost; its {load.total()} jobs are done again elsewhere")
        if again:
            self._ask_for_one()
        else:
            told = f"{self._lost} workers were lost in a row, with nothing finished between them."
            self._give_up(RunIncomplete(told, hint="The same command continues this run."))

    def _ask_for_one(self) -> None:
        with self._lock:
            self._hiring += 1
        self._hire().add_done_callback(self._joined)

    def _joined(self, hired: "Future[Worker]") -> None:
        error = hired.exception()
        with self._lock:
            self._hiring -= 1
            if error is None:
                self._load[hired.result()] = Counter()
                if not self._first.done():
                    self._first.set_result(None)
            waiting, self._waiting = self._waiting, deque()
        if error is not None:
            self._give_up(error if isinstance(error, LlmopsError) else RunIncomplete(f"{type(error).__name__}: {error}"))
        for task in waiting:
            self._place(task)

    def _give_up(self, error: LlmopsError) -> None:
        """Fail what waits, when there is nobody left and nobody to come."""
        with self._lock:
            if self._load or self._hiring:
                return
            self._failed = error
            waiting, self._waiting = self._waiting, deque()
            if not self._first.done():
                self._first.set_exception(error)
        for task in waiting:
            task.future.set_exception(error)
