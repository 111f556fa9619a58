"""An endpoint that speaks the OpenAI protocol, asked over aiohttp: LiteLLM's import and CPU per call are saved."""

import asyncio
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmops.adapters.credentials import SPEAK_OPENAI, key_of, provider_of
from llmops.adapters.litellm_model import load_litellm
from llmops.adapters.openai_protocol import (
    field,
    joined_calls,
    logprobs_of,
    mean,
    model_identity,
    reasoning_of,
    resumes_at,
    retry_after,
    text_of,
    usage_of,
)
from llmops.domain.errors import (
    BadResponse,
    ContextOverflow,
    ModelError,
    ModelTimeout,
    NoAccess,
    RateLimited,
    Refused,
    Unavailable,
    UsageError,
)
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.settings.addresses import checked_address
from llmops.settings.models import ModelSettings
from llmops.settings.secrets import masked

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

WRONG_ADDRESS = (404, 405)
"""Answers of a server that does not know the path, as when `api_base` lacks its `/v1`."""


def speaks_openai(settings: ModelSettings) -> bool:
    """Whether `transport: auto` asks the endpoint directly."""
    return provider_of(settings.id) in SPEAK_OPENAI


class DirectModel:
    """Implements `ChatModel`."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self.identity = model_identity(settings)
        self.resumes_at = 0.0
        self._name = name
        self._settings = settings
        self._session: ClientSession | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port."""
        import aiohttp

        session = self._session or self._open()
        body = body_of(request, self._settings)
        if request.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        started = time.perf_counter()
        try:
            async with session.post("chat/completions", json=body) as response:
                if response.status != 200:
                    raise await refused(response)
                self.resumes_at = resumes_at(response.headers)
                if request.stream:
                    completion = await self._streamed(response, started)
                else:
                    data = await response.read()
                    completion = completion_of(parsed(data), time.perf_counter() - started)
        except TimeoutError as error:
            raise ModelTimeout(f"no complete answer within {self._settings.timeout_s:g} s") from error
        except aiohttp.ClientPayloadError as error:
            raise Unavailable("the connection was closed in the middle of the answer") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(masked(str(error) or type(error).__name__)) from error
        if completion.usage is None:  # counting loads LiteLLM, which the calls in flight should not have to wait for
            completion = replace(completion, usage=await asyncio.to_thread(self._counted, request, completion.text))
        return completion

    async def close(self) -> None:
        """As the port."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> "ClientSession":
        self._session = open_session(self._name, self._settings)
        return self._session

    async def _streamed(self, response: "ClientResponse", started: float) -> Completion:
        """Server-sent events: text deltas, then a chunk with the usage, then [DONE]."""
        parts: list[str] = []
        called: list[Any] = []
        thought: Any = None
        whole: Any = None
        usage: Any = None
        finish: str | None = None
        first: float | None = None
        sure: list[float] = []
        async for raw in response.content:
            line = raw.decode("utf-8", "replace").strip()
            if not line.startswith("data:") or line == "data: [DONE]":
                continue
            whole = parsed(line.removeprefix("data:").encode())
            usage = field(whole, "usage") or usage
            choices = field(whole, "choices")
            for choice in choices if isinstance(choices, list) else ():
                delta = field(choice, "delta")
                text, calls = (field(delta, name) for name in ("content", "tool_calls"))
                thought = thought or reasoning_of(delta)
                called += calls if isinstance(calls, list) else []
                sure += logprobs_of(field(choice, "logprobs"))
                finish = field(choice, "finish_reason") or finish
                if text and isinstance(text, str):
                    first = first if first is not None else time.perf_counter() - started
                    parts.append(text)
        message = {"content": "".join(parts), "reasoning": thought, "tool_calls": joined_calls(called)}
        data = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage, "model": field(whole, "model")}
        return replace(completion_of(data, time.perf_counter() - started, first), logprob=mean(sure))

    def _counted(self, request: CompletionRequest, text: str) -> Usage:
        count = load_litellm().token_counter
        messages = [message.to_json() for message in request.messages]
        model = self._settings.id
        return Usage(count(model=model, messages=messages), count(model=model, text=text), estimated=True)


def open_session(name: str, settings: ModelSettings) -> "ClientSession":
    """A session with the endpoint of a model, under the name that the project gives it.

    Raises:
        UsageError: its key is missing, or its address is none.
    """
    import aiohttp

    key = key_of(name, settings)
    base = settings.api_base or _base_of_environment()
    return aiohttp.ClientSession(
        base_url=f"{base.rstrip('/')}/",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
        connector=aiohttp.TCPConnector(limit=settings.concurrency),
        trust_env=_proxied(base),
    )


def body_of(request: CompletionRequest, settings: ModelSettings) -> dict[str, Any]:
    """What is sent, but for streaming."""
    return {
        **request.params,
        "model": settings.id.partition("/")[2] or settings.id,
        "messages": [message.to_json() for message in request.messages],
    }


def completion_of(data: Any, latency: float, ttft: float | None = None) -> Completion:  # noqa: ANN401 -- what a server sent
    """An answer, without `usage` where the server tells none that can be.

    Raises:
        ModelError: there is no usable answer in it.
    """
    try:
        choice = data["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise BadResponse("the answer has no choices") from error
    text = text_of(message, finish)
    sure = mean(logprobs_of(choice.get("logprobs")))
    return Completion(text, usage_of(data.get("usage")), latency, ttft, finish, model=data.get("model"), logprob=sure)


def _base_of_environment() -> str:
    """The address of OpenAI, unless the environment names another.

    Raises:
        UsageError: with one that is no address.
    """
    base = os.environ.get("OPENAI_BASE_URL", "").strip()
    try:
        return checked_address(base) if base else "https://api.openai.com/v1"
    except ValueError as error:
        raise UsageError(f"OPENAI_BASE_URL in the environment {error}.") from None


def _proxied(base: str) -> bool:
    """Whether the environment names a proxy for an address: where none is, aiohttp need not look for one at each call."""
    from urllib.request import getproxies, proxy_bypass

    url = urlsplit(base)
    return url.scheme in getproxies() and not proxy_bypass(url.hostname or "")


def parsed(data: bytes) -> Any:  # noqa: ANN401 -- any JSON value
    """The JSON of an answer.

    Raises:
        BadResponse: it is none.
    """
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadResponse(f"the answer is not valid JSON: {masked(data.decode('utf-8', 'replace'))[:80]!r}") from error


async def refused(response: "ClientResponse") -> ModelError:
    """The error of an answer that is none."""
    body = (await response.content.read(4000)).decode("utf-8", "replace")
    where = f" from {masked(str(response.url))}" if response.status in WRONG_ADDRESS else ""
    return error_of(response.status, body, where, retry_after_s=retry_after(response.headers))


def error_of(status: int, body: str, where: str = "", *, retry_after_s: float | None = None) -> ModelError:
    """The error of an HTTP status.

    Args:
        status: not 200.
        body: what came with it.
        where: it came from, where that helps.
        retry_after_s: when another try is worth it, as the server says.
    """
    try:
        told = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = body
    message = f"HTTP {status}{where}: {masked(' '.join(str(told).split()))[:300]}"
    if status == 429:
        return RateLimited(message, retry_after_s=retry_after_s)
    if status in (408, 409) or status >= 500:
        return Unavailable(message, retry_after_s=retry_after_s)
    if "context_length_exceeded" in body or "maximum context length" in body:
        return ContextOverflow(message)
    return (NoAccess if status in NoAccess.STATUSES else Refused)(message)
