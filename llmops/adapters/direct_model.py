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
        self._key: str | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port."""
        import aiohttp

        session = self._session or self._open()
        body = {
            **request.params,
            "model": self._settings.id.partition("/")[2] or self._settings.id,
            "messages": [message.to_json() for message in request.messages],
        }
        if request.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        started = time.perf_counter()
        try:
            async with session.post("chat/completions", json=body) as response:
                if response.status != 200:
                    raise await _refused(response)
                self.resumes_at = resumes_at(response.headers)
                if request.stream:
                    completion = await self._streamed(response, started)
                else:
                    data = await response.read()
                    completion = self._completion(_json(data), time.perf_counter() - started)
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
        import aiohttp

        self._key = key_of(self._name, self._settings)
        base = self._settings.api_base or _base_of_environment()
        self._session = aiohttp.ClientSession(
            base_url=f"{base.rstrip('/')}/",
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
            connector=aiohttp.TCPConnector(limit=self._settings.concurrency),
            trust_env=_proxied(base),
        )
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
            whole = _json(line.removeprefix("data:").encode())
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
        return replace(self._completion(data, time.perf_counter() - started, first), logprob=mean(sure))

    def _completion(self, data: Any, latency: float, ttft: float | None = None) -> Completion:  # noqa: ANN401
        """An answer, without `usage` where the server tells none that can be."""
        try:
            choice = data["choices"][0]
            message, finish = choice["message"], choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise BadResponse("the answer has no choices") from error
        text = text_of(message, finish)
        sure = mean(logprobs_of(choice.get("logprobs")))
        return Completion(text, usage_of(data.get("usage")), latency, ttft, finish, model=data.get("model"), logprob=sure)

    def _counted(self, request: CompletionRequest, text: str) -> Usage:
        count = load_litellm().token_counter
        messages = [message.to_json() for message in request.messages]
        model = self._settings.id
        return Usage(count(model=model, messages=messages), count(model=model, text=text), estimated=True)


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


def _json(data: bytes) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return json.loads(data)
    except ValueError as error:
        raise BadResponse(f"the answer is not valid JSON: {masked(data.decode('utf-8', 'replace'))[:80]!r}") from error


async def _refused(response: "ClientResponse") -> ModelError:
    body = (await response.content.read(4000)).decode("utf-8", "replace")
    try:
        told = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = body
    where = f" from {masked(str(response.url))}" if response.status in WRONG_ADDRESS else ""
    message = f"HTTP {response.status}{where}: {masked(' '.join(str(told).split()))[:300]}"
    if response.status == 429:
        return RateLimited(message, retry_after_s=retry_after(response.headers))
    if response.status in (408, 409) or response.status >= 500:
        return Unavailable(message, retry_after_s=retry_after(response.headers))
    if "context_length_exceeded" in body or "maximum context length" in body:
        return ContextOverflow(message)
    return (NoAccess if response.status in NoAccess.STATUSES else Refused)(message)
