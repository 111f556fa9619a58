"""Work that several ask for is done once, as long as it is remembered."""

import asyncio

import pytest

from llmops.evaluation import sharing
from llmops.evaluation.sharing import InFlight


class Maker:
    def __init__(self) -> None:
        self.made: list[str] = []

    async def __call__(self, key: str) -> str:
        await asyncio.sleep(0)
        self.made.append(key)
        if key == "bad":
            raise ValueError(key)
        return key.upper()


async def test_who_asks_meanwhile_and_who_asks_next_get_the_same() -> None:
    flight, maker = InFlight[str](), Maker()
    assert await asyncio.gather(*(flight.once("a", lambda: maker("a")) for _ in range(3))) == ["A"] * 3
    assert await flight.once("a", lambda: maker("a")) == "A"
    assert maker.made == ["a"]


async def test_what_failed_is_made_again() -> None:
    flight, maker = InFlight[str](), Maker()
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            await flight.once("bad", lambda: maker("bad"))
    assert maker.made == ["bad", "bad"]


async def test_memory_holds_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "KEPT", 2)
    flight, maker = InFlight[str](), Maker()
    for key in ("a", "b", "c", "c", "b", "a"):
        await flight.once(key, lambda key=key: maker(key))  # type: ignore[misc]
    assert maker.made == ["a", "b", "c", "a"]


async def test_what_is_not_kept_is_shared_by_those_alone_who_wait_for_it() -> None:
    flight, maker = InFlight[str](lambda made: made != "BAD TODAY"), Maker()
    assert await asyncio.gather(*(flight.once("bad today", lambda: maker("bad today")) for _ in range(3))) == ["BAD TODAY"] * 3
    assert await flight.once("bad today", lambda: maker("bad today")) == "BAD TODAY"
    assert maker.made == ["bad today", "bad today"]
