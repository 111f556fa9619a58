"""Any model that LiteLLM knows, through `litellm.acompletion`; one attempt per call, its errors translated."""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmops.adapters.credentials import key_of
from llmops.adapters.openai_protocol import logprobs_of, mean, model_identity, resumes_at, retry_after, text_of, usage_of
from llmops.domain.errors import (
    BadResponse,
    ContextOverflow,
    ModelError,
    ModelTimeout,
    NoAccess,
    RateLimited,
    Refused,
    Unavailable,
)
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.settings.models import ModelSettings
from llmops.settings.secrets import masked


def load_litellm() -> Any:  # noqa: ANN401 -- a module
    """LiteLLM, imported once and silenced: no telemetry, no download of a price table, no banner."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.num_retries = 0
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


class LitellmModel:
    """Implements `ChatModel`."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self.identity = model_identity(settings)
        self.resumes_at = 0.0
        self._name = name
        self._settings = settings
        self._litellm: Any = None
        self._key: str | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port."""
        if self._litellm is None:
            self._key = key_of(self._name, self._settings)
            self._litellm = load_litellm()
        arguments = self._arguments(request)
        started = time.perf_counter()
        try:
            if request.stream:
                return await self._stream(arguments, request, started)
            response = await self._litellm.acompletion(**arguments)
            self.resumes_at = resumes_at(_headers(response))
        except Exception as error:
            raise translated(self._litellm, error) from error
        return self._completion(response, request, time.perf_counter() - started, None)

    async def close(self) -> None:
        """As the port."""
        if self._litellm is not None:
            await self._litellm.close_litellm_async_clients()

    def _arguments(self, request: CompletionRequest) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            **request.params,
            "model": self._settings.id,
            "messages": [message.to_json() for message in request.messages],
            # Named even when they are None: no parameter says where a call goes.
            "api_base": self._settings.api_base,
            "base_url": None,
            "timeout": self._settings.timeout_s,
            "num_retries": 0,
            "max_retries": 0,
            "stream": request.stream,
        }
        if self._key:
            arguments["api_key"] = self._key
        if request.stream:
            arguments["stream_options"] = {"include_usage": True}
        return arguments

    async def _stream(self, arguments: dict[str, Any], request: CompletionRequest, started: float) -> Completion:
        chunks: list[Any] = []
        first: float | None = None
        sure: list[float] = []
        async for chunk in await self._litellm.acompletion(**arguments):
            if first is None and chunk.choices and chunk.choices[0].delta.content:
                first = time.perf_counter() - started
            chunks.append(chunk)
            sure += [each for choice in chunk.choices for each in logprobs_of(getattr(choice, "logprobs", None))]
        latency = time.perf_counter() - started
        response = self._litellm.stream_chunk_builder(chunks, messages=arguments["messages"])
        return replace(self._completion(response, request, latency, first), logprob=mean(sure))

    def _completion(self, response: Any, request: CompletionRequest, latency: float, ttft: float | None) -> Completion:  # noqa: ANN401
        try:
            choice = response.choices[0]
            message = choice.message
        except (AttributeError, IndexError, TypeError) as error:
            raise BadResponse("the answer has no choices") from error
        text = text_of(message, choice.finish_reason)
        usage = usage_of(getattr(response, "usage", None))
        if usage is None:
            usage = self._counted(request, text)
        sure = mean(logprobs_of(getattr(choice, "logprobs", None)))
        return Completion(text, usage, latency, ttft, choice.finish_reason, model=response.model, logprob=sure)

    def _counted(self, request: CompletionRequest, text: str) -> Usage | None:
        messages = [message.to_json() for message in request.messages]
        count = self._litellm.token_counter
        model = self._settings.id
        return Usage(count(model=model, messages=messages), count(model=model, text=text), estimated=True)


def translated(litellm: Any, error: Exception) -> ModelError:  # noqa: ANN401 -- a module
    """A LiteLLM exception as ours."""
    if isinstance(error, ModelError):
        return error
    message = _short(masked(str(error)))
    known = litellm.exceptions
    if isinstance(error, known.RateLimitError):
        return RateLimited(message, retry_after_s=_retry_after(error))
    if isinstance(error, known.Timeout):
        return ModelTimeout(message)
    if isinstance(error, known.ContextWindowExceededError):
        return ContextOverflow(message)
    status = getattr(error, "status_code", None)
    if status in NoAccess.STATUSES:
        return NoAccess(message)
    if isinstance(error, known.PermissionDeniedError | known.BadRequestError):
        return Refused(message)
    if isinstance(error, known.APIResponseValidationError | known.JSONSchemaValidationError | ValueError | KeyError):
        return BadResponse(message)
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409):
        return Refused(message)
    if "JSON" in message or "Expecting value" in message:
        return BadResponse(message)
    return Unavailable(message, retry_after_s=_retry_after(error))


def _short(message: str) -> str:
    first = message.strip().split("\n", 1)[0].removeprefix("litellm.")
    return first if len(first) <= 300 else f"{first[:297]}..."


def _headers(response: Any) -> Mapping[str, str]:  # noqa: ANN401 -- a LiteLLM response
    """The provider's own headers."""
    hidden = getattr(response, "_hidden_params", None) or {}
    return {name.removeprefix("llm_provider-"): str(value) for name, value in (hidden.get("additional_headers") or {}).items()}


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or getattr(error, "headers", None) or {}
    return retry_after(headers)
