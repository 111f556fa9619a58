"""LiteLLM's proxy asks us: a custom provider whose model names are routes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from llmops.domain.errors import (
    ContextOverflow,
    LlmopsError,
    ModelError,
    ModelTimeout,
    NoAccess,
    RateLimited,
    Refused,
    UsageError,
)
from llmops.domain.models import Completion

PROJECT_AT_FAULT = 500
"""HTTP's word for what the client cannot mend."""

PASSED_ON = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "response_format",
    "reasoning_effort",
    "verbosity",
)
"""What shapes the text of an answer, and so can be sent to whichever model the route asks."""
SETTLED = ("stream", "stream_options", "max_retries", "user")
"""What LiteLLM's proxy sees to itself, and the key."""
ABSENT: tuple[object, ...] = (None, False, [])
"""Values of the other parameters that ask for nothing."""


class Served(Protocol):
    """One route, ready to answer."""

    async def complete(self, messages: Sequence[Mapping[str, Any]], *, key: str, params: Mapping[str, Any]) -> Completion:
        """The answer to messages."""
        ...


def custom_llm(route: Callable[[str], Served]) -> Any:  # noqa: ANN401 -- a vendor's class
    """An object for `custom_provider_map`.

    Args:
        route: of a name.
    """
    from litellm import CustomLLM
    from litellm.llms.custom_llm import CustomLLMError
    from litellm.types.utils import GenericStreamingChunk, ModelResponse

    async def answered(call: Mapping[str, Any]) -> Completion:
        sent = call.get("optional_params") or {}
        try:
            served = route(call["model"])
        except LlmopsError as error:
            raise CustomLLMError(status_code=PROJECT_AT_FAULT, message=_message(error)) from error
        try:
            async with asyncio.timeout(call.get("timeout")):
                return await served.complete(call["messages"], key=str(sent.get("user") or ""), params=_params(sent))
        except TimeoutError as error:
            raise CustomLLMError(status_code=504, message=f"no answer within {call['timeout']:g} s") from error
        except (ModelError, UsageError) as error:
            raise CustomLLMError(status_code=_status(error), message=_message(error)) from error

    class Routes(CustomLLM):  # type: ignore[misc]  # an untyped vendor class
        async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: ANN401
            found = await answered(kwargs)
            response: ModelResponse = kwargs["model_response"]
            response.choices[0].message.content = found.text
            response.choices[0].finish_reason = found.finish_reason or "stop"
            response.model = _served(found)
            for name, tokens in _tokens(found).items():
                setattr(response.usage, name, tokens)
            return response

        async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # noqa: ANN401
            found = await answered(kwargs)
            yield {
                "text": found.text,
                "is_finished": True,
                "finish_reason": found.finish_reason or "stop",
                "index": 0,
                "tool_use": None,
                "usage": _tokens(found) or None,  # else the proxy would count those of the served answer alone
            }

    return Routes()


def _params(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for the models.

    Raises:
        UsageError: one asks for more than a text.
    """
    asked = [name for name, value in sent.items() if value not in ABSENT and (name, value) != ("n", 1)]
    others = [name for name in asked if name not in (*PASSED_ON, *SETTLED)]
    if others:
        raise UsageError(
            f"A route answers with one text and takes no {' or '.join(f'`{name}`' for name in others)}.",
            hint=f"Leave it out, or have the proxy do so: `additional_drop_params: [{', '.join(others)}]` under the route's "
            "`litellm_params`.",
        )
    return {name: sent[name] for name in PASSED_ON if sent.get(name) is not None}


def _message(error: LlmopsError) -> str:
    return " ".join(str(error).split())


def _status(error: LlmopsError) -> int:
    """What HTTP tells the client: whether the request, the project, the pace or the models are at fault."""
    if isinstance(error, NoAccess):
        return PROJECT_AT_FAULT
    if isinstance(error, UsageError | Refused | ContextOverflow):
        return 400
    if isinstance(error, RateLimited):
        return 429
    return 504 if isinstance(error, ModelTimeout) else 503


def _tokens(completion: Completion) -> dict[str, int]:
    """Of all calls that led to the answer, as OpenAI names them; empty where they are not known."""
    usage = completion.usage
    if usage is None:
        return {}
    counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    return {**counts, "total_tokens": usage.input_tokens + usage.output_tokens}


def _served(completion: Completion) -> str:
    return next((call.model for call in completion.route if call.served), completion.model or "")
