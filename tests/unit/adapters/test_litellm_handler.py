"""What LiteLLM's proxy is told of a route's answer."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from llmops.adapters.litellm_handler import custom_llm
from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, RoutedCall, Usage

TOKENS = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20}


async def escalated(route: str, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any], key: str) -> Completion:
    """Both models were asked, and the tokens are those of both."""
    calls = (RoutedCall("small", "first", 0.1, None), RoutedCall("large", "refused", 0.1, None, served=True))
    return Completion("fine", Usage(14, 6), 0.2, route=calls)


async def refused(route: str, messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any], key: str) -> Completion:
    raise UsageError("A route reads text alone.")


async def test_a_streamed_answer_tells_the_tokens_of_all_calls() -> None:
    chunks = [chunk async for chunk in custom_llm(escalated).astreaming(model="r", messages=[], optional_params={})]
    assert [(chunk["text"], chunk["usage"]) for chunk in chunks] == [("fine", TOKENS)]


async def test_an_answer_tells_the_tokens_of_all_calls_and_who_served_it() -> None:
    choice = SimpleNamespace(message=SimpleNamespace(content=None), finish_reason=None)
    response = SimpleNamespace(choices=[choice], usage=SimpleNamespace(), model="r")
    found = await custom_llm(escalated).acompletion(model="r", messages=[], model_response=response)
    assert {name: getattr(found.usage, name) for name in TOKENS} == TOKENS
    assert (found.choices[0].message.content, found.model) == ("fine", "large")


async def test_a_request_that_no_route_can_read_is_the_clients_fault() -> None:
    from litellm.llms.custom_llm import CustomLLMError

    with pytest.raises(CustomLLMError) as raised:
        await custom_llm(refused).acompletion(model="r", messages=[], model_response=None)
    assert raised.value.status_code == 400
