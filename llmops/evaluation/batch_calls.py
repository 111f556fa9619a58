"""Calls to one target through batches of its provider: what waits is handed over together and asked about until it is done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from llmops.domain.batches import Batch
from llmops.domain.errors import EndpointDown, ModelError, Refused
from llmops.domain.keys import node_key
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.ports import Store
from llmops.domain.records import record
from llmops.domain.runs import Node
from llmops.domain.words import many
from llmops.evaluation.case_files import with_images
from llmops.evaluation.endpoints import Endpoint, Stopping, together
from llmops.evaluation.planning import Target

MOST = 10_000
"""Requests of a batch; OpenAI takes 50,000, whose cells would fill the memory."""
MOST_WITH_BUDGET = 100
"""Requests of a batch under a budget, which is exceeded by what is in flight at most."""
MOST_BYTES = 100 * 2**20
"""Of a batch; OpenAI takes 200 MB."""
QUIET_S = 3.0
"""Once no further request came for so long, those that wait are handed over."""
FIRST_LOOK_S = 2.0
"""So long after a batch was begun it is asked about, ..."""
LAST_LOOK_S = 60.0
"""... and then ever less often, up to this."""
TELL_S = 60.0
"""How long a user is told nothing of what comes along, at least."""
TRIES = 10
"""Times that a provider is asked about a batch while it does not answer: for some minutes, as its answers are paid."""
FIRST_DELAY_S = 0.5
BATCH_VERSION = 1

Told = TypeVar("Told")


@record
class BatchLog:
    """Remembers what a run has handed over, so that the same command collects it after a stop or a kill."""

    store: Store
    run: str
    runs: Collection[str] | None
    """Collect only what these have handed over; None: whoever has."""
    tell: Callable[[str], None]
    """Told what the user should know."""
    ended: set[str] = field(default_factory=set)
    """Keys of the requests whose batch was read to its end."""

    def uploads(self, keys: Sequence[str]) -> dict[str, str]:
        """The uploads that requests were handed over in, by the keys of the requests."""
        nodes = self.store.nodes(keys, runs=self.runs)
        return {key: node.read(upload_from_json) for key, node in nodes.items()}

    def keep(self, keys: Sequence[str], upload: str) -> None:
        """Note, before it costs anything, that requests are handed over."""
        self.ended.difference_update(keys)
        self.store.commit([Node(key, "batch", {"upload": upload}, self.run) for key in keys], self.run, [])

    def forget_ended(self) -> None:
        """Collect no more what was read, once all that came of it is in the store: what is asked for again is sent again."""
        self.store.cache.drop(sorted(self.ended))


@dataclass(slots=True)
class _Waiting:
    """A request until its answer is there."""

    request: CompletionRequest
    answer: asyncio.Future[Completion]
    afresh: bool
    """It is not looked for in earlier batches."""

    def settle(self, answer: Completion | BaseException) -> None:
        if self.answer.done():
            return
        if isinstance(answer, Completion):
            self.answer.set_result(answer)
        else:
            self.answer.set_exception(answer)


Requests = dict[str, _Waiting]
"""By key."""


def upload_from_json(value: Mapping[str, str]) -> str:
    """The value of a node: which upload holds its request."""
    return str(value["upload"])


class BatchCaller:
    """Calls one target; as `Caller` to those who ask."""

    def __init__(self, target: Target, endpoint: Endpoint, log: BatchLog) -> None:
        if target.batches is None:
            raise ValueError(f"target {target.name!r} is not asked in batches")
        self.target = target
        self._batches = target.batches
        self._endpoint = endpoint
        self._log = log
        self._slots = asyncio.Semaphore(target.concurrency)
        self._waiting: Requests = {}
        self._gathering: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()

    @property
    def dead(self) -> bool:
        """Its endpoint does not answer any more."""
        return self._endpoint.dead

    async def complete(self, request: CompletionRequest) -> Completion:
        """One answer, after as many batches as it takes and `max_retries` allows.

        Raises:
            ModelError: the last attempt's error.
            Stopping: the run is being stopped; what was handed over goes on.
        """
        for attempt in range(self.target.max_retries + 1):
            try:
                async with self._slots:
                    self._endpoint.check()
                    completion = await asyncio.shield(self._answer(request, afresh=attempt > 0))
                return replace(completion, attempts=attempt + 1)
            except ModelError as error:
                error.attempts = attempt + (not isinstance(error, EndpointDown))
                if not error.retryable or attempt == self.target.max_retries:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Ask about no batch any more; those that were begun go on."""
        tasks = [*self._working, *([self._gathering] if self._gathering is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._batches.close()

    def _answer(self, request: CompletionRequest, *, afresh: bool) -> asyncio.Future[Completion]:
        waiting = _Waiting(request, asyncio.get_running_loop().create_future(), afresh)
        waiting = self._waiting.setdefault(self._key(request), waiting)
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())
        return waiting.answer

    def _key(self, request: CompletionRequest) -> str:
        messages = [message.keyed() for message in request.messages]
        inputs = {"model": self.target.identity, "params": dict(request.params), "messages": messages}
        return node_key("batch", BATCH_VERSION, {**inputs, "sample": request.sample})

    async def _gather(self) -> None:
        """Hand over what waits, as soon as nothing joins it any more."""
        while self._waiting:
            known = 0
            while known < len(self._waiting) < self.target.concurrency:
                known = len(self._waiting)
                try:
                    await self._endpoint.wait(QUIET_S)
                except (Stopping, ModelError) as error:
                    _settle(self._taken(), error)
                    return
            task = asyncio.create_task(self._work(self._taken()))
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    def _taken(self) -> Requests:
        taken, self._waiting = self._waiting, {}
        return taken

    async def _work(self, requests: Requests) -> None:
        """Bring requests to their answers; those of earlier batches are collected, as these are paid."""
        try:
            known = await asyncio.to_thread(self._log.uploads, [key for key, each in requests.items() if not each.afresh])
            earlier: dict[str, Requests] = {}
            for key, upload in known.items():
                earlier.setdefault(upload, {})[key] = requests[key]
            new = {key: each for key, each in requests.items() if key not in known}
            await together([self._hand_over(new), self._collect_all(earlier)])
        except (Exception, Stopping) as error:
            _settle(requests, error)

    async def _collect_all(self, earlier: Mapping[str, Requests]) -> None:
        """Take what earlier batches have answered, by their uploads, and hand over the rest."""
        await together(self._collect(*each) for each in earlier.items())
        left = {key: each for requests in earlier.values() for key, each in requests.items() if not each.answer.done()}
        await self._hand_over(left)

    async def _collect(self, upload: str, requests: Requests) -> None:
        """Take what an earlier batch has answered; the other requests are left as they are."""
        try:
            batch = await self._patiently(lambda: self._batches.find(upload))
            if batch is None:  # it was stopped before it began, and cost nothing
                return
            self._log.tell(f"collecting batch {batch.id} of {self.target.name!r}, which was begun before")
            answers = await self._answers(batch)
        except Refused:  # its answers are gone, or it had none
            return
        except (Exception, Stopping) as error:
            _settle(requests, error)
            return
        self._log.ended.update(requests)
        for key in requests.keys() & answers.keys():
            if isinstance(answer := answers[key], Completion):
                requests[key].settle(answer)

    async def _hand_over(self, requests: Requests) -> None:
        """Bring requests to their end in batches of their own, one of which is encoded at a time, as images are large."""
        left, portions = dict(requests), self._portions(requests, asyncio.get_running_loop())
        async with asyncio.TaskGroup() as group:
            try:
                while (portion := await asyncio.to_thread(next, portions, None)) is not None:
                    self._endpoint.check()
                    lines, some = portion
                    batch = await self._begun(lines, list(some))
                    self._log.tell(f"batch {batch.id} of {self.target.name!r}: {many(len(some), 'request')} handed over")
                    group.create_task(self._bring(batch, some))
                    left = {key: each for key, each in left.items() if key not in some}
            except (Exception, Stopping) as error:
                _settle(left, error)

    def _portions(self, requests: Requests, loop: asyncio.AbstractEventLoop) -> Iterator[tuple[bytes, Requests]]:
        """Encoded requests, in portions that a provider takes; one that cannot be encoded is ended in the loop."""
        lines, some = bytearray(), Requests()
        for key, each in requests.items():
            try:
                line = self._batches.encoded(key, replace(each.request, messages=with_images(each.request.messages)))
            except ModelError as error:
                loop.call_soon_threadsafe(each.settle, error)
                continue
            if lines and len(lines) + len(line) > MOST_BYTES:
                yield bytes(lines), some
                lines, some = bytearray(), Requests()
            lines += line
            some[key] = each
        if some:
            yield bytes(lines), some

    async def _bring(self, batch: Batch, requests: Requests) -> None:
        """Bring the requests of a batch to their end."""
        try:
            answers = await self._answers(batch)
            self._log.ended.update(requests)
            for key in requests.keys() & answers.keys():
                requests[key].settle(answers[key])
            _settle(requests, Refused(f"the batch {batch.id} gave no answer"))
        except (Exception, Stopping) as error:
            _settle(requests, error)

    async def _begun(self, lines: bytes, keys: Sequence[str]) -> Batch:
        """A batch of encoded requests; it is noted before it can cost anything."""
        try:
            tries = self.target.max_retries + 1
            upload = await self._patiently(lambda: self._batches.upload(lines), tries=tries, sent=False)
            self._endpoint.check()
            await asyncio.to_thread(self._log.keep, keys, upload)

            async def begin() -> Batch:
                try:
                    return await self._batches.begin(upload)
                except ModelError as error:
                    if not error.retryable:
                        raise
                    found = await self._patiently(lambda: self._batches.find(upload))  # it may have begun all the same
                    if found is None:
                        raise
                    return found

            return await self._patiently(begin, sent=False)
        except EndpointDown:
            raise
        except ModelError as error:
            raise self._given_up(f"takes no batch: {error.message}") from error

    async def _answers(self, batch: Batch) -> Mapping[str, Completion | ModelError]:
        """What came of a batch, once it has ended."""
        wait, told, told_at = FIRST_LOOK_S, batch.answered, time.monotonic()
        try:
            while not batch.ended:
                await self._endpoint.wait(wait, sent=True)
                wait = min(1.5 * wait, LAST_LOOK_S)
                batch = await self._patiently(partial(self._batches.state, batch))
                if batch.answered > told and time.monotonic() >= told_at + TELL_S:
                    told, told_at = batch.answered, time.monotonic()
                    self._log.tell(f"batch {batch.id} of {self.target.name!r}: {told:,} of {batch.requests:,} answered so far")
        except (Stopping, EndpointDown):
            self._log.tell(f"batch {batch.id} of {self.target.name!r} goes on; the same command collects its answers")
            raise
        if batch.error:
            raise Refused(f"the batch {batch.id} was refused: {batch.error}")
        return await self._patiently(partial(self._batches.answers, batch))

    async def _patiently(self, ask: Callable[[], Awaitable[Told]], *, tries: int = TRIES, sent: bool = True) -> Told:
        """What the provider says, asked again for a while where it does not; `sent`: of what it has to work on.

        Raises:
            EndpointDown: it never did.
            ModelError: it refuses.
        """
        for attempt in range(tries):
            try:
                return await ask()
            except ModelError as error:
                if not error.retryable:
                    raise
                failed = error
            delay = FIRST_DELAY_S * 2**attempt if failed.retry_after_s is None else failed.retry_after_s
            if attempt < tries - 1:
                await self._endpoint.wait(min(delay, LAST_LOOK_S), sent=sent)
        raise self._given_up(f"does not answer: {failed.message}") from failed

    def _given_up(self, told: str) -> EndpointDown:
        """The error of all further calls."""
        return self._endpoint.give_up(f"the endpoint of {self.target.name!r} ({self.target.model_id}) {told}")


def _settle(requests: Requests, error: BaseException) -> None:
    """End the requests that have no answer yet."""
    for each in requests.values():
        each.settle(error)
