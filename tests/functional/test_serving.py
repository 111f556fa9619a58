"""A route in an application: what it asks its models when one of them was away, and what it makes of odd messages."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, write
from openai_server import OpenAiServer

from llmops import serving
from llmops.domain.errors import ModelError, Unavailable, UsageError
from llmops.evaluation import endpoints
from llmops.serving import Router
from llmops.workflows.route_log import decisions, served_report

PROJECT = """models:
  small: {{id: openai/small, api_base: {small}, timeout_s: 5, max_retries: 0}}
  paced: {{id: openai/small, api_base: {small}, timeout_s: 5, max_retries: 2, concurrency: 2}}
  large: {{id: openai/large, api_base: {large}, timeout_s: 5, max_retries: 0}}
routes:
  one: {{kind: fixed, model: paced}}
  backed: {{kind: fallback, models: [small, large]}}
  watched: {{kind: shadow, models: [small, large]}}
  long: {{kind: length, models: [small, large], characters: 20}}
"""


@pytest.fixture
def servers() -> Iterator[tuple[OpenAiServer, OpenAiServer]]:
    with OpenAiServer().running() as small, OpenAiServer().running() as large:
        yield small, large


@pytest.fixture
def folder(tmp_path: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> Path:
    small, large = servers
    return write(tmp_path, {"llmops.yaml": PROJECT.format(small=small.base, large=large.base)})


@pytest.fixture
async def backed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Router]:
    """Takes an endpoint for dead at once, and tries it again at once."""
    monkeypatch.setattr(endpoints, "AFTER_S", 0.0)
    monkeypatch.setattr(serving, "REST_S", 0.0)
    router = Router(folder, "backed")
    yield router
    await router.close()


async def served_by(router: Router, question: str) -> str:
    answer = await router.complete([{"role": "user", "content": question}])
    return next(call.model for call in answer.route if call.served)


async def test_a_model_that_was_away_serves_again(backed: Router, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, _ = servers
    small.always = "reset"
    away = [await served_by(backed, f"away {n}") for n in range(endpoints.FAILURES + 2)]
    assert set(away) == {"large"}
    small.always = None
    assert [await served_by(backed, f"back {n}") for n in range(3)] == ["small"] * 3


@pytest.mark.parametrize("log", ["missing/decisions.jsonl", "."])
def test_a_log_that_cannot_be_written_is_told_before_an_answer_is_paid_for(folder: Path, log: str) -> None:
    with pytest.raises(UsageError, match=r"The log '.*' cannot be written: (No such file|Is a directory).*\.") as told:
        Router(folder, "backed", log=folder / log)
    assert told.value.hint == "Check that its folder exists and can be written."


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 40])
async def test_an_answer_is_served_where_the_log_has_no_room_for_it(
    folder: Path, room: int, caplog: pytest.LogCaptureFixture
) -> None:
    log = folder / "decisions.jsonl"
    router = Router(folder, "long", log=log)
    await served_by(router, "before")
    with files_no_longer_than(log.stat().st_size + room):
        assert await served_by(router, "while it is full") == "small"
    await served_by(router, "afterwards")
    await router.close()
    assert served_report(log, folder).requests == 2
    [told] = caplog.records
    assert (told.name, told.levelname) == ("llmops.serving", "ERROR")
    assert f"is not in the log {str(log)!r}, which cannot be written: " in told.getMessage()


async def test_a_model_that_fails_is_told_also_where_the_log_has_no_room(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    servers[0].always = "reset"
    router = Router(folder, "long", log=folder / "decisions.jsonl")
    with files_no_longer_than(0), pytest.raises(ModelError):
        await served_by(router, "short")
    await router.close()


def test_a_route_serves_one_event_loop_after_the_other(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    servers[0].faults = {1: "500", 3: "500"}
    router = Router(folder, "one")
    assert [asyncio.run(served_by(router, f"question {n}")) for n in range(3)] == ["paced"] * 3
    asyncio.run(router.close())
    assert servers[0].requests == 5


def test_threads_share_what_a_model_takes_at_once(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    servers[0].delay_s = 0.02
    router = Router(folder, "one")
    with ThreadPoolExecutor(8) as pool:
        served = list(pool.map(lambda n: asyncio.run(served_by(router, f"question {n}")), range(24)))
    asyncio.run(router.close())
    assert served == ["paced"] * 24
    assert servers[0].most_at_once == 2


async def test_parts_of_text_are_read_as_a_text(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    _, large = servers
    router = Router(folder, "long")
    parts = [{"type": "text", "text": "How long is"}, {"type": "text", "text": "the river?"}]
    answer = await router.complete([{"role": "assistant", "content": None}, {"role": "user", "content": parts}])
    await router.close()
    assert answer.text == "echo: How long is\nthe river?"
    assert dict(large.prompts) == {"How long is\nthe river?": 1}


async def test_an_image_is_refused_before_a_model_is_asked(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    router = Router(folder, "long")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(UsageError, match="reads text alone"):
        await router.complete([{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}])
    assert [server.requests for server in servers] == [0, 0]


@pytest.mark.parametrize("messages", [[], "How long is it?", ["How long is it?"], [None]])
async def test_a_request_without_messages_is_refused_before_a_model_is_asked(
    folder: Path,
    servers: tuple[OpenAiServer, OpenAiServer],
    messages: Any,  # noqa: ANN401 -- what a program may pass
) -> None:
    with pytest.raises(UsageError, match="at least one message, each with its `role` and `content`"):
        await Router(folder, "long").complete(messages)
    assert [server.requests for server in servers] == [0, 0]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ],
)
async def test_a_call_of_a_tool_is_refused_before_a_model_is_asked(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer], message: dict[str, object]
) -> None:
    router = Router(folder, "long")
    with pytest.raises(UsageError, match="calls a tool"):
        await router.complete([{"role": "user", "content": "How long is it?"}, message])
    assert [server.requests for server in servers] == [0, 0]


async def test_a_request_that_its_caller_cuts_short_is_logged_with_the_call_under_way(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    servers[0].delay_s = 0.5
    log = folder / "decisions.jsonl"
    router = Router(folder, "long", log=log)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await served_by(router, "short")
    await router.close()
    served = served_report(log, folder)
    assert (served.requests, served.failed, served.errors) == (1, 1, {"small: Cancelled": 1})
    assert served.latency_p50_s == pytest.approx(0.2, abs=0.15)


async def test_nobody_waits_for_an_answer_in_the_shadow(folder: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    servers[1].delay_s = 3.0
    log = folder / "decisions.jsonl"
    router = Router(folder, "watched", log=log)
    async with asyncio.timeout(2.5):
        assert await served_by(router, "Who is first?") == "small"
    await router.close()
    [decision] = decisions(log, folder)
    assert [(call.model, call.served, call.error) for call in decision.calls] == [("small", True, ""), ("large", False, "")]


async def test_nobody_waits_for_the_shadow_of_a_model_that_fails(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    servers[0].always = "500"
    servers[1].delay_s = 3.0
    log = folder / "decisions.jsonl"
    router = Router(folder, "watched", log=log)
    with pytest.raises(Unavailable):
        async with asyncio.timeout(2.5):
            await served_by(router, "Who is first?")
    await router.close()
    [decision] = decisions(log, folder)
    assert [(call.model, call.served, call.error) for call in decision.calls] == [
        ("small", False, "Unavailable"),
        ("large", False, ""),
    ]


def test_what_is_served_is_logged_where_the_process_ends_before_the_shadow_answers(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    servers[1].delay_s = 3.0
    code = (
        "import asyncio, pathlib\nfrom llmops.serving import Router\n"
        "router = Router(pathlib.Path('.'), 'watched', log=pathlib.Path('decisions.jsonl'))\n"
        "print(asyncio.run(router.complete([{'role': 'user', 'content': 'hi'}])).text)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "echo: hi\n"
    [decision] = decisions(folder / "decisions.jsonl", folder)
    assert [(call.served, call.error) for call in decision.calls] == [(True, ""), (False, "Cancelled")]


async def test_a_canary_whose_users_wait_in_vain_is_not_promoted(
    folder: Path, servers: tuple[OpenAiServer, OpenAiServer]
) -> None:
    edit(
        folder / "llmops.yaml",
        "routes:\n",
        "routes:\n  new: {kind: canary, models: [large, small], percent: 50, checks: [refusal]}\n",
    )
    servers[0].delay_s = 4.0
    log = folder / "decisions.jsonl"
    router = Router(folder, "new", log=log)

    async def user(number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                await router.complete([{"role": "user", "content": "How?"}], key=f"user-{number}")

    await asyncio.gather(*(user(number) for number in range(40)))
    await router.close()
    done = llmops(folder, "route", "promote", "new", "--log", str(log), "--after", "10")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "percent: 0" in (folder / "llmops.yaml").read_text()


async def test_an_answer_is_checked_against_what_its_application_found(tmp_path: Path) -> None:
    settings = """models:
  bold: {id: "python/shop.py:bold"}
  careful: {id: "python/shop.py:careful"}
routes:
  held: {kind: cascade, models: [bold, careful], escalate_when: [{hallucination: {above: 0.1}}]}
"""
    application = """
def bold(request):
    return {"text": "The large plan costs 99 dollars.", "contexts": ["The small plan is 19 dollars a month."]}
def careful(request):
    return {"text": "The small plan is 19 dollars.", "contexts": ["The small plan is 19 dollars a month."]}
"""
    router = Router(write(tmp_path, {"llmops.yaml": settings, "shop.py": application}), "held")
    assert await served_by(router, "What is the large plan?") == "careful"
    await router.close()
