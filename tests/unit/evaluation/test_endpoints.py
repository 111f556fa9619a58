"""Calls that belong together all come to their end, and a dead endpoint is tried again only where somebody outlives it."""

import asyncio
from types import SimpleNamespace

import pytest

from llmops.domain.errors import BadResponse, EndpointDown, ModelError, RateLimited, Unavailable
from llmops.evaluation.endpoints import AFTER_S, FAILURES, Endpoint, Stopping, together


class Calls:
    def __init__(self) -> None:
        self.ended: list[str] = []

    async def __call__(self, name: str, error: BaseException | None = None, turns: int = 0) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        self.ended.append(name)
        if error is not None:
            raise error
        return name


async def test_all_results_come_in_order() -> None:
    calls = Calls()
    assert await together([calls("a", turns=3), calls("b")]) == ["a", "b"]
    assert calls.ended == ["b", "a"]


async def test_what_is_sent_is_heard_though_another_is_stopped() -> None:
    calls = Calls()
    with pytest.raises(Stopping):
        await together([calls("a", Stopping()), calls("b", turns=5)])
    assert calls.ended == ["a", "b"]


async def test_an_error_is_told_before_a_stop() -> None:
    calls = Calls()
    with pytest.raises(ValueError, match="broken"):
        await together([calls("a", Stopping()), calls("b", ValueError("broken"), turns=5)])


async def test_an_exception_may_be_a_result() -> None:
    async def caught() -> Exception:
        return ValueError("caught")

    (found,) = await together([caught()])
    assert isinstance(found, ValueError)


def dead(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Open the breaker at second 100 of a clock, which is given."""
    clock = [100.0 - AFTER_S]
    monkeypatch.setattr("llmops.evaluation.endpoints.time", SimpleNamespace(monotonic=lambda: clock[0]))
    for number in range(FAILURES):
        clock[0] += AFTER_S * (number == FAILURES - 1)
        endpoint.failed(Unavailable("refused"), "'small'", 60.0, first=True)
    assert endpoint.dead
    return clock


def refuses(endpoint: Endpoint) -> bool:
    try:
        endpoint.check()
    except EndpointDown:
        return True
    return False


def test_a_dead_endpoint_of_an_application_is_tried_once_after_each_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(10.0)
    clock = dead(endpoint, monkeypatch)
    clock[0] += 9.9
    assert refuses(endpoint)
    clock[0] += 0.2
    assert [refuses(endpoint), refuses(endpoint)] == [False, True]
    endpoint.failed(Unavailable("refused"), "'small'", 60.0, first=True)
    assert refuses(endpoint)
    clock[0] += 10.1
    assert not refuses(endpoint)
    endpoint.answered()
    assert not endpoint.dead
    assert [refuses(endpoint), refuses(endpoint)] == [False, False]


@pytest.mark.parametrize("error", [RateLimited("slow down"), BadResponse("too long")])
def test_an_endpoint_that_answers_with_an_error_is_alive(error: ModelError, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(10.0)
    clock = dead(endpoint, monkeypatch)
    clock[0] += 10.1
    assert not refuses(endpoint)
    endpoint.failed(error, "'small'", 60.0, first=True)
    assert [refuses(endpoint), refuses(endpoint)] == [False, False]


def test_a_dead_endpoint_of_a_run_stays_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint()
    clock = dead(endpoint, monkeypatch)
    clock[0] += 10_000
    assert refuses(endpoint)
    endpoint.answered()
    assert endpoint.dead


async def test_waiting_is_of_use_again_once_the_endpoint_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(0.0)
    dead(endpoint, monkeypatch)
    assert not refuses(endpoint)
    endpoint.answered()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await endpoint.wait(30.0)
