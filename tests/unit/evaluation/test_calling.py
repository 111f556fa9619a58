"""Calls to a model that a test scripts: limits, retries, dead endpoints, and what a stop leaves out."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from llmops.domain.errors import EndpointDown, ModelError, ModelTimeout, RateLimited, Refused, Unavailable
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.prompts import Message
from llmops.evaluation import calling, endpoints
from llmops.evaluation.calling import Caller, Callers
from llmops.evaluation.endpoints import FAILURES, Stopping
from llmops.evaluation.planning import Target

REQUEST = CompletionRequest((Message("user", "hello"),))
ANSWER = Completion("hi", Usage(7, 3), 0.01)
HELD_S = 100.0
"""Longer than any test: who waits so long has to be told."""


class Scripted:
    """A `ChatModel` that raises what its script says for the n-th call, from 1, and answers otherwise."""

    identity = "m|"

    def __init__(self, script: Callable[[int], ModelError | None] = lambda _: None) -> None:
        self.resumes_at = 0.0
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self._script = script

    async def complete(self, request: CompletionRequest) -> Completion:
        self.calls += 1
        number = self.calls
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.001)
        self.at_once -= 1
        error = self._script(number)
        if error is not None:
            raise error
        return ANSWER

    async def close(self) -> None:
        pass


def target(model: Scripted, name: str = "m", **changed: Any) -> Target:  # noqa: ANN401
    return replace(Target(name, "openai/m", model, concurrency=4, max_retries=2), **changed)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(calling, "MAX_DELAY_S", 0.002)
    monkeypatch.setattr(endpoints, "AFTER_S", 0.0)
    monkeypatch.setattr(endpoints, "TIMEOUTS", 0)


async def test_no_more_calls_at_once_than_allowed_and_all_are_made() -> None:
    model = Scripted()
    caller = Caller(target(model))
    await asyncio.gather(*(caller.complete(REQUEST) for _ in range(50)))
    assert (model.calls, model.most_at_once) == (50, 4)


async def test_a_cancelled_call_gives_its_turn_to_the_next() -> None:
    model = Scripted()
    caller = Caller(target(model, concurrency=1))
    tasks = [asyncio.create_task(caller.complete(REQUEST)) for _ in range(6)]
    await asyncio.sleep(0)
    for each in tasks[1:4]:
        each.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(each, Completion) for each in done] == [True, False, False, False, True, True]


async def test_a_failure_is_retried_as_often_as_allowed_and_counted() -> None:
    caller = Caller(target(Scripted(lambda n: Unavailable("away") if n < 3 else None)))
    assert (await caller.complete(REQUEST)).attempts == 3
    errors: list[tuple[ModelError, int]] = [(Unavailable("away"), 3), (Refused("no"), 1)]
    for error, attempts in errors:
        with pytest.raises(type(error)) as failed:
            await Caller(target(Scripted(dict.fromkeys(range(1, 9), error).get))).complete(REQUEST)
        assert failed.value.attempts == attempts


@pytest.mark.parametrize("error", [Unavailable("away"), ModelTimeout("no answer")])
async def test_a_dead_endpoint_is_asked_no_more_by_any_of_its_models(error: ModelError) -> None:
    models = [Scripted(lambda _: error), Scripted(lambda _: error), Scripted()]
    callers = Callers()
    places = ["http://a", "http://a", "http://b"]
    some = [callers.of(target(m, str(n), endpoint=places[n], max_retries=0)) for n, m in enumerate(models)]
    for _ in range(FAILURES):
        with pytest.raises(type(error)):
            await some[0].complete(REQUEST)
    for caller in some[:2]:
        with pytest.raises(EndpointDown, match="'0' .openai/m. does not answer"):
            await caller.complete(REQUEST)
    assert [caller.dead for caller in some] == [True, True, False]
    assert [model.calls for model in models] == [FAILURES, 0, 0]
    assert (await some[2].complete(REQUEST)).text == "hi"


async def test_one_request_that_always_times_out_says_nothing_of_the_endpoint() -> None:
    caller = Caller(target(Scripted(lambda _: ModelTimeout("no answer")), max_retries=3 * FAILURES))
    with pytest.raises(ModelTimeout):
        await caller.complete(REQUEST)
    assert not caller.dead


async def test_an_answer_between_failures_keeps_the_endpoint_alive() -> None:
    caller = Caller(target(Scripted(lambda n: None if n % FAILURES == 0 else Unavailable("away")), max_retries=FAILURES))
    for _ in range(5):
        await caller.complete(REQUEST)
    assert not caller.dead


async def test_who_waits_for_a_retry_is_told_when_the_endpoint_dies() -> None:
    script = {1: RateLimited("slow down", retry_after_s=HELD_S)}
    model = Scripted(lambda n: script.get(n, Unavailable("away")))
    caller = Caller(target(model, max_retries=3))
    waiting = asyncio.create_task(caller.complete(REQUEST))
    await asyncio.sleep(0.01)
    failed = await asyncio.gather(*(caller.complete(REQUEST) for _ in range(FAILURES)), return_exceptions=True)
    assert any(isinstance(each, EndpointDown) for each in failed)
    with pytest.raises(EndpointDown):
        await waiting


async def test_a_stop_leaves_out_what_is_not_sent_yet() -> None:
    slow = Scripted(lambda n: RateLimited("slow down", retry_after_s=HELD_S) if n == 1 else None)
    paced, paused, busy = Scripted(), Scripted(), Scripted()
    paused.resumes_at = time.monotonic() + HELD_S
    callers = Callers()
    some = [callers.of(target(slow, "slow")), callers.of(target(paced, "paced", rpm=1)), callers.of(target(paused, "paused"))]
    await some[1].complete(REQUEST)
    waiting = [asyncio.create_task(caller.complete(REQUEST)) for caller in some]
    await asyncio.sleep(0.02)
    alone = callers.of(target(busy, "busy", concurrency=1))
    queue = [asyncio.create_task(alone.complete(REQUEST)) for _ in range(3)]
    await asyncio.sleep(0)
    callers.stop()
    for each in waiting:
        with pytest.raises(Stopping):
            await each
    done = await asyncio.gather(*queue, return_exceptions=True)
    assert [type(each) for each in done] == [Completion, Stopping, Stopping]  # what was sent came to its end
    assert [model.calls for model in (slow, paced, paused, busy)] == [1, 1, 0, 1]


async def test_nothing_is_sent_before_the_time_that_the_provider_names() -> None:
    model = Scripted()
    caller = Caller(target(model))
    until = time.monotonic() + 0.05
    model.resumes_at = until
    await caller.complete(REQUEST)
    assert time.monotonic() >= until


async def test_an_overloaded_endpoint_gets_fewer_calls_at_once() -> None:
    model = Scripted(lambda n: RateLimited("slow down", retry_after_s=0) if n <= 40 else None)
    caller = Caller(target(model, concurrency=16, max_retries=20))
    await asyncio.gather(*(caller.complete(REQUEST) for _ in range(40)))
    model.most_at_once = 0
    await asyncio.gather(*(caller.complete(REQUEST) for _ in range(4)))
    assert model.calls == 84
    assert model.most_at_once <= 16
