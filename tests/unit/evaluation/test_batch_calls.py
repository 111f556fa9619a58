"""Calls in batches of a provider that a test scripts: what is handed over together, and what is never handed over twice."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from llmops.adapters.sql.store import open_store
from llmops.domain.batches import Batch
from llmops.domain.errors import EndpointDown, ModelError, Refused, Unavailable
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.ports import Store
from llmops.domain.prompts import IMAGE, Image, Message
from llmops.evaluation import batch_calls
from llmops.evaluation.batch_calls import BatchCaller, BatchLog
from llmops.evaluation.endpoints import Endpoint, Stopping
from llmops.evaluation.planning import Target


@dataclass
class Provider:
    """Implements `ChatBatches`; each list of errors is raised by the next calls of that kind."""

    polls: int = 0
    errors: dict[str, list[ModelError]] = field(default_factory=dict)
    uploads: list[list[str]] = field(default_factory=list)
    """Ids of the requests of each."""
    begun: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    lost: bool = False
    """A batch begins although its answer is an error."""
    during_state: Callable[[], object] = lambda: None
    during_upload: Callable[[], object] = lambda: None

    def encoded(self, id: str, request: CompletionRequest) -> bytes:
        self.calls.append("encoded")
        return f"{id}\n".encode()

    async def upload(self, lines: bytes) -> str:
        self._called("upload")
        self.during_upload()
        self.uploads.append(lines.decode().split())
        return str(len(self.uploads) - 1)

    async def begin(self, upload: str) -> Batch:
        if self.lost:
            self.begun.append(upload)
        self._called("begin")
        self.begun.append(upload)
        return Batch(f"b{upload}", upload, ended=False)

    async def find(self, upload: str) -> Batch | None:
        self._called("find")
        return Batch(f"b{upload}", upload, ended=False) if upload in self.begun else None

    async def state(self, batch: Batch) -> Batch:
        self._called("state")
        self.during_state()
        self.polls -= 1
        return replace(batch, ended=self.polls < 0, requests=2, answered=1)

    async def answers(self, batch: Batch) -> dict[str, Completion | ModelError]:
        self._called("answers")
        return {id: Completion(id, Usage(7, 3), 0.0, batched=True) for id in self.uploads[int(batch.upload)]}

    async def close(self) -> None:
        self.calls.append("close")

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.errors.get(name):
            raise self.errors[name].pop(0)


@dataclass
class Desk:
    """A caller with all that it needs."""

    store: Store
    provider: Provider
    concurrency: int = 100
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.endpoint = Endpoint()
        target = Target("m", "openai/m", None, concurrency=self.concurrency, max_retries=2, batches=self.provider)
        self.caller = BatchCaller(target, self.endpoint, BatchLog(self.store, "run", None, self.told.append))

    def ask(self, *texts: str | Message) -> list[Completion | BaseException]:
        async def asked() -> list[Completion | BaseException]:
            messages = [each if isinstance(each, Message) else Message("user", each) for each in texts]
            calls = [self.caller.complete(CompletionRequest((message,))) for message in messages]
            found = await asyncio.gather(*calls, return_exceptions=True)
            await self.caller.close()
            return found

        return asyncio.run(asked())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUIET_S", "FIRST_LOOK_S", "FIRST_DELAY_S", "LAST_LOOK_S"):
        monkeypatch.setattr(batch_calls, name, 0.01)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("sqlite:///llmops.db", tmp_path)


def test_equal_requests_that_wait_are_one(store: Store) -> None:
    desk = Desk(store, Provider())
    found = desk.ask("a", "b", "a")
    assert [len(each) for each in desk.provider.uploads] == [2]
    assert found[0] == found[2] != found[1]
    assert desk.provider.calls[-1] == "close"


def test_no_batch_holds_more_than_are_allowed_at_once(store: Store) -> None:
    desk = Desk(store, Provider(), concurrency=4)
    assert all(isinstance(each, Completion) for each in desk.ask(*map(str, range(10))))
    assert [len(each) for each in desk.provider.uploads] == [4, 4, 2]


def test_requests_that_are_long_together_go_in_several_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_calls, "MOST_BYTES", 70)  # two lines of 33
    desk = Desk(store, Provider())
    assert all(isinstance(each, Completion) for each in desk.ask(*"abcde"))
    assert [len(each) for each in desk.provider.uploads] == [2, 2, 1]
    handed_over = [call for call in desk.provider.calls if call in ("encoded", "begin")]
    assert handed_over == [*["encoded"] * 3, "begin", *["encoded"] * 2, "begin", "begin"]  # one is in memory at a time


def test_a_request_whose_image_is_gone_costs_none_of_the_others(store: Store) -> None:
    desk = Desk(store, Provider())
    gone = Message("user", IMAGE, (Image("a.png", "/gone/a.png", "image/png", "digest"),))
    found = desk.ask("a", gone, "b")
    assert [type(each) for each in found] == [Completion, Refused, Completion]
    assert str(found[1]) == "a.png has changed since the dataset was read: run the same command again"


def test_what_is_new_does_not_wait_for_an_earlier_batch(store: Store) -> None:
    provider = Provider(polls=10**6)
    first, later = Desk(store, provider), Desk(store, provider)
    first.provider.errors = {"state": [Refused("gone")]}
    first.ask("a")

    async def asked() -> list[Completion | BaseException]:
        calls = [asyncio.ensure_future(later.caller.complete(CompletionRequest((Message("user", text),)))) for text in "ab"]
        while len(provider.begun) < 2:
            await asyncio.sleep(0.001)
        assert not any(call.done() for call in calls)
        provider.polls = 0
        return await asyncio.gather(*calls)

    assert all(isinstance(each, Completion) for each in asyncio.run(asyncio.wait_for(asked(), 30)))
    assert [len(each) for each in provider.uploads] == [1, 1]


@pytest.mark.parametrize("silent", [0, 1, 3])
def test_a_batch_that_began_although_its_answer_was_lost_is_not_begun_again(store: Store, silent: int) -> None:
    errors: dict[str, list[ModelError]] = {"begin": [Unavailable("reset")], "find": [Unavailable("reset")] * silent}
    desk = Desk(store, Provider(errors=errors, lost=True))
    assert all(isinstance(each, Completion) for each in desk.ask("a"))
    assert (desk.provider.begun, desk.provider.calls.count("begin")) == (["0"], 1)


def test_a_provider_that_falls_silent_keeps_the_batch_and_another_run_collects_it(store: Store) -> None:
    silent = Provider(errors={"state": [Unavailable("refused") for _ in range(batch_calls.TRIES)]})
    desk = Desk(store, silent)
    found = desk.ask("a", "b")
    assert {(type(each), str(each)) for each in found} == {
        (EndpointDown, "the endpoint of 'm' (openai/m) does not answer: refused")
    }
    assert (silent.begun, desk.caller.dead) == (["0"], True)
    assert "batch b0 of 'm' goes on; the same command collects its answers" in desk.told

    later = Desk(store, silent)
    assert all(isinstance(each, Completion) for each in later.ask("a", "b"))
    assert silent.begun == ["0"]
    assert later.told == ["collecting batch b0 of 'm', which was begun before"]


def test_of_an_earlier_batch_what_it_holds_is_taken_and_only_the_rest_is_handed_over(store: Store) -> None:
    provider = Provider()
    first = Desk(store, provider).ask("a", "b")
    found = Desk(store, provider).ask("a", "b", "c")
    assert found[:2] == first
    assert [len(each) for each in provider.uploads] == [2, 1]


def test_nobody_is_asked_once_a_provider_has_refused(store: Store) -> None:
    desk = Desk(store, Provider(errors={"upload": [Refused("HTTP 403: no batches")]}), concurrency=1)
    found = desk.ask("a", "b")
    assert {str(each) for each in found} == {"the endpoint of 'm' (openai/m) takes no batch: HTTP 403: no batches"}
    assert desk.provider.calls == ["encoded", "upload", "close"]


def test_a_stop_hands_over_nothing_that_waits_and_leaves_what_was_begun(store: Store) -> None:
    desk = Desk(store, Provider(polls=10**6), concurrency=1)

    async def stopped() -> list[Any]:
        calls = [desk.caller.complete(CompletionRequest((Message("user", text),))) for text in "ab"]
        tasks = [asyncio.ensure_future(call) for call in calls]
        while "state" not in desk.provider.calls:
            await asyncio.sleep(0.001)
        desk.endpoint.stop()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(each) for each in asyncio.run(stopped())] == [Stopping, Stopping]
    assert [len(each) for each in desk.provider.uploads] == [1]
    assert "batch b0 of 'm' goes on; the same command collects its answers" in desk.told


def test_a_batch_that_is_not_left_comes_to_its_end_though_nothing_more_is_begun(store: Store) -> None:
    desk = Desk(store, Provider(polls=3), concurrency=1)
    desk.provider.during_state = lambda: desk.endpoint.stop(leave=False)
    assert [type(each) for each in desk.ask("a", "b")] == [Completion, Stopping]
    assert desk.provider.begun == ["0"]


def test_what_was_being_handed_over_when_the_run_is_stopped_is_not_begun(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_calls, "MOST_BYTES", 1)
    desk = Desk(store, Provider())
    desk.provider.during_upload = desk.endpoint.stop
    assert [type(each) for each in desk.ask("a", "b")] == [Stopping, Stopping]
    assert (len(desk.provider.uploads), desk.provider.begun) == (1, [])


def test_who_waits_long_is_told_how_far_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_calls, "TELL_S", 0.0)
    desk = Desk(store, Provider(polls=5))
    desk.ask("a", "b")
    assert desk.told == ["batch b0 of 'm': 2 requests handed over", "batch b0 of 'm': 1 of 2 answered so far"]
