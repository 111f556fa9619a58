"""What LiteLLM's proxy is told of a route's answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from llmops.adapters.litellm_handler import custom_llm
from llmops.domain.errors import (
    InvalidFiles,
    LlmopsError,
    ModelTimeout,
    NoAccess,
    Problem,
    RateLimited,
    Refused,
    Unavailable,
    UsageError,
)
from llmops.domain.models import Completion, RoutedCall, Usage

TOKENS = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20}


Complete = Callable[..., Awaitable[Completion]]


def served_by(complete: Complete) -> Callable[[str], Any]:
    """Every route is this one."""
    return lambda _: SimpleNamespace(complete=complete)


async def escalated(*_: object, **__: object) -> Completion:
    """Both models were asked, and the tokens are those of both."""
    calls = (RoutedCall("small", "first", 0.1, None), RoutedCall("large", "refused", 0.1, None, served=True))
    return Completion("fine", Usage(14, 6), 0.2, route=calls)


def failing(error: LlmopsError) -> Complete:
    async def complete(*_: object, **__: object) -> Completion:
        raise error

    return complete


async def asked(complete: Complete, **call: Any) -> int:  # noqa: ANN401 -- what LiteLLM hands over
    """The HTTP status of a refusal."""
    from litellm.llms.custom_llm import CustomLLMError

    with pytest.raises(CustomLLMError) as raised:
        await custom_llm(served_by(complete)).acompletion(model="r", messages=[], model_response=None, **call)
    return int(raised.value.status_code)


async def test_a_streamed_answer_tells_the_tokens_of_all_calls() -> None:
    chunks = [chunk async for chunk in custom_llm(served_by(escalated)).astreaming(model="r", messages=[], optional_params={})]
    assert [(chunk["text"], chunk["usage"]) for chunk in chunks] == [("fine", TOKENS)]


async def test_an_answer_tells_the_tokens_of_all_calls_and_who_served_it() -> None:
    choice = SimpleNamespace(message=SimpleNamespace(content=None), finish_reason=None)
    response = SimpleNamespace(choices=[choice], usage=SimpleNamespace(), model="r")
    found = await custom_llm(served_by(escalated)).acompletion(model="r", messages=[], model_response=response)
    assert {name: getattr(found.usage, name) for name in TOKENS} == TOKENS
    assert (found.choices[0].message.content, found.model) == ("fine", "large")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("A route reads text alone."), 400),
        (Refused("HTTP 400: too hot"), 400),
        (NoAccess("HTTP 401: incorrect API key"), 500),
        (RateLimited("HTTP 429: slow down"), 429),
        (ModelTimeout("no complete answer within 5 s"), 504),
        (Unavailable("HTTP 500: broken"), 503),
    ],
)
async def test_the_status_says_whose_fault_it_is(error: LlmopsError, status: int) -> None:
    assert await asked(failing(error)) == status


async def test_a_project_that_cannot_be_used_is_not_the_clients_fault() -> None:
    from litellm.llms.custom_llm import CustomLLMError

    def broken(_: str) -> Any:  # noqa: ANN401 -- no route
        raise InvalidFiles([Problem("llmops.yaml", "is no valid YAML", 3)])

    with pytest.raises(CustomLLMError, match="llmops.yaml:3: is no valid YAML") as raised:
        await custom_llm(broken).acompletion(model="r", messages=[], model_response=None)
    assert raised.value.status_code == 500


async def test_a_client_waits_no_longer_than_it_said() -> None:
    async def slow(*_: object, **__: object) -> Completion:
        await asyncio.sleep(60)
        raise AssertionError

    assert await asked(slow, timeout=0.01) == 504


async def test_what_shapes_a_text_is_passed_on_and_the_key_with_it() -> None:
    seen: list[object] = []

    async def note(_: Sequence[Mapping[str, Any]], *, key: str, params: Mapping[str, Any]) -> Completion:
        seen.append((dict(params), key))
        return await escalated()

    shaping = {"temperature": 0, "response_format": {"type": "json_object"}, "logit_bias": {"1": 2}}
    settled = {"stream": True, "stream_options": {"include_usage": True}, "max_retries": 0, "user": "u"}
    nothing = {"n": 1, "tools": [], "logprobs": False, "top_p": None}
    sent = {**shaping, **settled, **nothing}
    assert [chunk async for chunk in custom_llm(served_by(note)).astreaming(model="r", messages=[], optional_params=sent)]
    assert seen == [(shaping, "u")]


@pytest.mark.parametrize(
    "sent", [{"n": 2}, {"tools": [{"type": "function"}]}, {"logprobs": True}, {"web_search_options": {}}, {"foo": 1}]
)
async def test_what_asks_for_more_than_a_text_is_refused_by_name(sent: dict[str, Any]) -> None:
    from litellm.llms.custom_llm import CustomLLMError

    with pytest.raises(CustomLLMError, match=rf"takes no `{next(iter(sent))}`.*additional_drop_params") as raised:
        await custom_llm(served_by(escalated)).acompletion(model="r", messages=[], model_response=None, optional_params=sent)
    assert raised.value.status_code == 400
