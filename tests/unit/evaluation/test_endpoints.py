"""Calls that belong together all come to their end, whatever becomes of one of them."""

import asyncio

import pytest

from llmops.evaluation.endpoints import Stopping, together


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
