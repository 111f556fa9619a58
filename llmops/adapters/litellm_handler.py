"""LiteLLM's proxy asks us: a custom provider whose model names are routes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from llmops.domain.errors import ModelError, UsageError
from llmops.domain.models import Completion

Complete = Callable[[str, Sequence[Mapping[str, Any]], Mapping[str, Any], str], Awaitable[Completion]]
"""From a route, messages, parameters and a key to an answer."""

PASSED_ON = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
)


def custom_llm(complete: Complete) -> Any:  # noqa: ANN401 -- a vendor's class
    """An object for `custom_provider_map`."""
    from litellm import CustomLLM
    from litellm.llms.custom_llm import CustomLLMError
    from litellm.types.utils import GenericStreamingChunk, ModelResponse

    async def answered(model: str, messages: list[Any], optional_params: dict[str, Any]) -> Completion:
        params = {name: optional_params[name] for name in PASSED_ON if optional_params.get(name) is not None}
        try:
            return await complete(model, messages, params, str(optional_params.get("user") or ""))
        except ModelError as error:
            raise CustomLLMError(status_code=503, message=error.message) from error
        except UsageError as error:
            raise CustomLLMError(status_code=400, message=error.message) from error

    class Routes(CustomLLM):  # type: ignore[misc]  # an untyped vendor class
        async def acompletion(self, *args: Any, **kwargs: Any) -> ModelResponse:  # noqa: ANN401
            found = await answered(kwargs["model"], kwargs["messages"], kwargs.get("optional_params") or {})
            response: ModelResponse = kwargs["model_response"]
            response.choices[0].message.content = found.text
            response.choices[0].finish_reason = found.finish_reason or "stop"
            response.model = _served(found)
            for name, tokens in _tokens(found).items():
                setattr(response.usage, name, tokens)
            return response

        async def astreaming(self, *args: Any, **kwargs: Any) -> AsyncIterator[GenericStreamingChunk]:  # noqa: ANN401
            found = await answered(kwargs["model"], kwargs["messages"], kwargs.get("optional_params") or {})
            yield {
                "text": found.text,
                "is_finished": True,
                "finish_reason": found.finish_reason or "stop",
                "index": 0,
                "tool_use": None,
                "usage": _tokens(found) or None,  # else the proxy would count those of the served answer alone
            }

    return Routes()


def _tokens(completion: Completion) -> dict[str, int]:
    """Of all calls that led to the answer, as OpenAI names them; empty where they are not known."""
    usage = completion.usage
    if usage is None:
        return {}
    counts = {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}
    return {**counts, "total_tokens": usage.input_tokens + usage.output_tokens}


def _served(completion: Completion) -> str:
    return next((call.model for call in completion.route if call.served), completion.model or "")
