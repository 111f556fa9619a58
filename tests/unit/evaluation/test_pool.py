"""Jobs over workers that a test makes finish, fail and die."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.domain.errors import LlmopsError, RunIncomplete, UsageError, WorkerLost
from llmops.domain.jobs import Job, Part
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.ports import Tokenizer
from llmops.evaluation.pool import Pool
from llmops.evaluation.remote import FEWEST_TEXTS, RemoteEmbedder, RemoteModel, ServedModel, shares

DETECT, ASK = Part("detector", ("toxicity",)), Part("model", ("m",))


@dataclass(eq=False)
class FakeWorker:
    name: str
    jobs: list[tuple[Job, "Future[Any]"]] = field(default_factory=list)

    def submit(self, job: Job) -> "Future[Any]":
        self.jobs.append((job, Future()))
        return self.jobs[-1][1]

    def finish(self) -> None:
        """Each job gives its first argument."""
        jobs, self.jobs = self.jobs, []
        for job, future in jobs:
            future.set_result(job.arguments[0])

    def die(self) -> None:
        jobs, self.jobs = self.jobs, []
        for _, future in jobs:
            future.set_exception(WorkerLost(f"{self.name} has gone"))


class Agency:
    """Gives workers one by one, each when the test says so."""

    def __init__(self, size: int) -> None:
        self.asked: list[Future[Any]] = []
        self.notes: list[str] = []
        self.pool = Pool(self.hire, size, self.notes.append)

    def hire(self) -> "Future[Any]":
        self.asked.append(Future())
        return self.asked[-1]

    def join(self, name: str) -> FakeWorker:
        worker = FakeWorker(name)
        next(each for each in self.asked if not each.done()).set_result(worker)
        return worker

    def submit(self, number: int, part: Part = DETECT) -> "Future[Any]":
        return self.pool.submit(Job(part, "detect", (number,)))


def numbers(worker: FakeWorker) -> list[int]:
    return [job.arguments[0] for job, _ in worker.jobs]


def test_each_job_goes_to_the_worker_with_the_least_to_do_of_its_kind() -> None:
    agency = Agency(2)
    first, second = agency.join("a"), agency.join("b")
    for number in range(4):
        agency.submit(number)
    assert (numbers(first), numbers(second)) == ([0, 2], [1, 3])
    second.finish()
    agency.submit(4)
    agency.submit(5, ASK)
    assert (numbers(first), numbers(second)) == ([0, 2], [4, 5])


def test_jobs_wait_for_the_first_worker_and_come_back_in_their_own_futures() -> None:
    agency = Agency(1)
    futures = [agency.submit(number) for number in range(3)]
    agency.join("a").finish()
    assert [future.result(0) for future in futures] == [0, 1, 2]


def test_what_a_method_raises_is_the_jobs_error_and_the_worker_stays() -> None:
    agency = Agency(1)
    worker = agency.join("a")
    future = agency.submit(0)
    worker.jobs.pop()[1].set_exception(UsageError("wrong"))
    with pytest.raises(UsageError, match="wrong"):
        future.result(0)
    again = agency.submit(1)
    worker.finish()
    assert (again.result(0), agency.notes) == (1, [])


def test_a_lost_workers_jobs_are_done_once_more_elsewhere_and_another_is_asked_for() -> None:
    agency = Agency(2)
    first, second = agency.join("a"), agency.join("b")
    futures = [agency.submit(number) for number in range(5)]
    first.die()
    assert sorted(numbers(second)) == [0, 1, 2, 3, 4]
    assert len(agency.asked) == 3
    third = agency.join("c")
    later = [agency.submit(number) for number in range(5, 7)]
    second.finish()
    third.finish()
    assert [future.result(0) for future in (*futures, *later)] == list(range(7))
    assert agency.notes == ["worker a is lost; its 3 jobs are done again elsewhere"]


def test_a_job_over_which_two_workers_are_lost_fails_and_the_others_go_on() -> None:
    agency = Agency(1)
    poison = agency.submit(0)
    agency.join("a").die()
    agency.join("b").die()
    with pytest.raises(WorkerLost, match="two workers were lost over it, the second of them b"):
        poison.result(0)
    healthy = agency.submit(1)
    agency.join("c").finish()
    assert healthy.result(0) == 1


def test_a_pool_that_only_loses_workers_ends() -> None:
    agency = Agency(1)
    futures = []
    for name in "abc":
        futures.append(agency.submit(0))
        agency.join(name).die()
    assert all(future.done() for future in agency.asked)
    with pytest.raises(RunIncomplete, match="3 workers were lost in a row"):
        agency.submit(1).result(0)
    assert all(isinstance(future.exception(0), LlmopsError) for future in futures)


def test_why_no_worker_can_be_had_is_told_when_none_is_left_to_come() -> None:
    agency = Agency(2)
    waiting = agency.submit(0)
    agency.asked[0].set_exception(UsageError("llmops is not installed there"))
    assert not waiting.done()
    agency.asked[1].set_exception(UsageError("llmops is not installed there"))
    with pytest.raises(UsageError, match="not installed"):
        agency.pool.ready()
    with pytest.raises(UsageError, match="not installed"):
        waiting.result(0)


def test_one_worker_that_cannot_be_had_does_not_stop_the_others() -> None:
    agency = Agency(2)
    agency.asked[0].set_exception(UsageError("no"))
    future = agency.submit(0)
    worker = agency.join("b")
    agency.pool.ready()
    worker.finish()
    assert future.result(0) == 0


class Busy:
    """A model whose provider asks for a pause of ten seconds."""

    identity = "busy"
    resumes_at = 0.0

    async def complete(self, request: CompletionRequest) -> Completion:
        self.resumes_at = time.monotonic() + 10
        return Completion("yes", None, 0.1)

    async def close(self) -> None:
        pass


async def test_a_providers_pause_is_told_in_seconds_since_machines_have_clocks_of_their_own() -> None:
    completion, wait = await ServedModel(Busy()).complete(CompletionRequest(()))
    assert (completion.text, 9 < wait <= 10) == ("yes", True)
    agency = Agency(1)
    model = RemoteModel("busy", agency.pool, ASK)
    asked = asyncio.create_task(model.complete(CompletionRequest(())))
    await asyncio.sleep(0)
    agency.join("a").jobs.pop()[1].set_result((completion, 1000.0))
    assert await asked == completion
    assert model.resumes_at - time.monotonic() > 900


class Lengths:
    """A vector tells the length of its text."""

    identity = "lengths"
    dimensions = 1
    max_tokens = 9
    costly = False
    tokenizer: Tokenizer

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text)] for text in texts], np.float32)

    embed_queries = embed


class Immediate:
    """A worker that does its job at once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sizes: list[int] = []

    def submit(self, job: Job) -> "Future[Any]":
        self.sizes.append(len(job.arguments[0]))
        done: Future[Any] = Future()
        done.set_result(getattr(Lengths(), job.method)(*job.arguments))
        return done


@pytest.mark.parametrize("count", [0, 1, FEWEST_TEXTS, 50])
def test_texts_are_shared_out_and_their_vectors_keep_their_order(count: int) -> None:
    workers = [Immediate("a"), Immediate("b")]
    left = list(workers)

    def hire() -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(left.pop())
        return done

    embedder = RemoteEmbedder(Lengths(), Pool(hire, 2, print), Part("embedder", ()))
    texts = ["x" * number for number in range(count)]
    assert [int(vector[0]) for vector in embedder.embed_queries(texts)] == list(range(count))
    assert embedder.embed(texts).shape == (count, 1)
    assert sum(sum(worker.sizes) for worker in workers) == 2 * count


def test_shares_are_even_and_not_needlessly_small() -> None:
    assert [len(share) for share in shares(list(range(100)), 4)] == [25, 25, 25, 25]
    assert [len(share) for share in shares(list(range(9)), 4)] == [8, 1]
    assert shares([], 4) == []
