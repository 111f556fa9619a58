"""The two ways to a model keep one contract against a real server."""

import asyncio
import json
import threading
import time
from types import SimpleNamespace

import pytest
from openai_server import OpenAiServer

from llmops.adapters import direct_model
from llmops.adapters.direct_model import DirectModel
from llmops.adapters.litellm_model import LitellmModel
from llmops.domain.errors import (
    BadResponse,
    MissingCredential,
    ModelTimeout,
    NoAccess,
    NoText,
    RateLimited,
    Refused,
    Unavailable,
)
from llmops.domain.models import CompletionRequest, Usage
from llmops.domain.prompts import Message
from llmops.settings.models import ModelSettings

pytestmark = pytest.mark.filterwarnings("ignore")
REQUEST = CompletionRequest((Message("user", "hello"),))
BOTH = pytest.mark.parametrize("adapter", [DirectModel, LitellmModel])


def settings(server: OpenAiServer, timeout_s: float = 10.0) -> ModelSettings:
    return ModelSettings(id="openai/m", api_base=server.base, timeout_s=timeout_s)


@BOTH
async def test_an_answer_has_text_usage_and_latency(server: OpenAiServer, adapter: type) -> None:
    model = adapter("m", settings(server))
    found = await model.complete(REQUEST)
    await model.close()
    assert found.text == "echo: hello"
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.estimated) == (7, 3, False)
    assert found.latency_s > 0
    assert found.ttft_s is None
    assert server.requests == 1


@BOTH
async def test_a_limit_that_is_used_up_is_read_from_the_headers(server: OpenAiServer, adapter: type) -> None:
    server.headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    model = adapter("m", settings(server))
    assert model.resumes_at == 0
    await model.complete(REQUEST)
    await model.close()
    assert 80 < model.resumes_at - time.monotonic() <= 90


@BOTH
async def test_missing_usage_is_counted_and_marked(server: OpenAiServer, adapter: type) -> None:
    server.always = "no usage"
    model = adapter("m", settings(server))
    found = await model.complete(REQUEST)
    await model.close()
    assert found.usage.estimated
    assert found.usage.output_tokens > 0


async def test_tokens_are_counted_beside_the_calls_in_flight(server: OpenAiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.always = "no usage"
    counting: list[threading.Thread] = []

    def count(**_: object) -> int:
        counting.append(threading.current_thread())
        return 5

    monkeypatch.setattr(direct_model, "load_litellm", lambda: SimpleNamespace(token_counter=count))
    model = DirectModel("m", settings(server))
    found = await model.complete(REQUEST)
    await model.close()
    assert found.usage == Usage(5, 5, estimated=True)
    assert threading.main_thread() not in counting


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_usage_that_cannot_be_is_as_missing(server: OpenAiServer, adapter: type, stream: bool) -> None:
    server.usage = {"prompt_tokens": -5, "completion_tokens": -1}
    model = adapter("m", settings(server))
    found = await model.complete(CompletionRequest(REQUEST.messages, stream=stream))
    await model.close()
    assert found.usage == Usage(8, 3, estimated=True)


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_begins_where_the_thoughts_of_the_model_end(server: OpenAiServer, adapter: type, stream: bool) -> None:
    server.reply = lambda _: "<think>\nLyon, or not?\n</think>\n\nParis."
    model = adapter("m", settings(server))
    found = await model.complete(CompletionRequest(REQUEST.messages, stream=stream))
    await model.close()
    assert found.text == "Paris."


@BOTH
async def test_a_streamed_answer_has_a_time_to_first_token(server: OpenAiServer, adapter: type) -> None:
    model = adapter("m", settings(server))
    found = await model.complete(CompletionRequest(REQUEST.messages, stream=True))
    await model.close()
    assert found.text.replace(" ", "") == "echo:hello"
    assert found.ttft_s is not None
    assert 0 < found.ttft_s <= found.latency_s


@BOTH
@pytest.mark.parametrize("stream", [False, True])
async def test_log_probabilities_are_read_where_they_are_asked_for(server: OpenAiServer, adapter: type, stream: bool) -> None:
    model = adapter("m", settings(server))
    told = await model.complete(CompletionRequest(REQUEST.messages, {"logprobs": True}, stream=stream))
    silent = await model.complete(CompletionRequest(REQUEST.messages, stream=stream))
    await model.close()
    assert (told.logprob, silent.logprob) == (pytest.approx(-0.25), None)


@BOTH
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("kind", "said"), [("tools", {}), ("text and tools", {"text": "Looking."})])
async def test_an_answer_that_calls_a_tool_is_its_text_and_the_call(
    server: OpenAiServer, adapter: type, stream: bool, kind: str, said: dict[str, str]
) -> None:
    server.always, server.reply = kind, lambda messages: "Looking."
    model = adapter("m", settings(server))
    found = await model.complete(CompletionRequest(REQUEST.messages, stream=stream))
    await model.close()
    assert json.loads(found.text) == {**said, "tool_calls": [{"name": "weather", "arguments": {"city": "Oslo"}}]}
    assert found.finish_reason == "tool_calls"


@BOTH
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", Refused),
        ("401", NoAccess),
        ("402", NoAccess),
        ("404", NoAccess),
        ("429", RateLimited),
        ("500", Unavailable),
        ("reset", Unavailable),
        ("empty", BadResponse),
        ("filter", NoText),
    ],
)
async def test_faults_are_told_apart_and_not_retried_here(
    server: OpenAiServer, adapter: type, fault: str, error: type[Exception]
) -> None:
    server.always = fault
    model = adapter("m", settings(server))
    with pytest.raises(error) as raised:
        await model.complete(REQUEST)
    await model.close()
    assert (raised.type, server.requests) == (error, 1)


async def test_a_path_that_the_server_does_not_know_is_told(server: OpenAiServer) -> None:
    server.always = "404"
    model = DirectModel("m", ModelSettings(id="openai/m", api_base=f"{server.base}/nowhere/"))
    with pytest.raises(Refused, match=f"HTTP 404 from {server.base}/nowhere/chat/completions: 404: Not Found"):
        await model.complete(REQUEST)
    await model.close()


async def test_chunks_that_are_no_part_of_an_answer_are_passed_over(server: OpenAiServer) -> None:
    server.always = "odd chunks"
    model = DirectModel("m", settings(server))
    found = await model.complete(CompletionRequest(REQUEST.messages, stream=True))
    await model.close()
    assert (found.text.replace(" ", ""), found.finish_reason) == ("echo:hello", "stop")


async def test_malformed_json_is_a_bad_response(server: OpenAiServer) -> None:
    server.always = "malformed"
    model = DirectModel("m", settings(server))
    with pytest.raises(BadResponse, match="not valid JSON"):
        await model.complete(REQUEST)
    await model.close()


@BOTH
async def test_a_slow_server_runs_into_the_timeout(server: OpenAiServer, adapter: type) -> None:
    server.delay_s = 2
    model = adapter("m", settings(server, timeout_s=0.3))
    with pytest.raises(ModelTimeout):
        await model.complete(REQUEST)
    await model.close()


async def test_an_answer_that_only_drips_runs_into_the_timeout() -> None:
    """Asked directly a model has no bound besides this one."""

    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        writer.close()
        ended.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        model = DirectModel("m", ModelSettings(id="openai/m", api_base=base, timeout_s=0.3))
        with pytest.raises(ModelTimeout, match=r"within 0\.3 s"):
            await model.complete(REQUEST)
        await model.close()
        await ended.wait()


@BOTH
async def test_a_hosted_model_without_its_key_names_the_variable(adapter: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingCredential, match="OPENAI_API_KEY"):
        await adapter("gpt", ModelSettings(id="openai/gpt-4o-mini")).complete(REQUEST)


@pytest.mark.parametrize("name", ["api_base", "base_url"])
async def test_no_parameter_says_where_a_call_goes(server: OpenAiServer, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base)
    with OpenAiServer().running() as other:
        request = CompletionRequest(REQUEST.messages, {name: other.base})
        for asked in (settings(server), ModelSettings(id="openai/m")):
            model = LitellmModel("m", asked)
            await model.complete(request)
            await model.close()
        assert (server.requests, other.requests) == (2, 0)


async def test_a_refused_request_is_not_worth_another_try() -> None:
    assert not Refused("no").retryable
    assert RateLimited("wait").retryable


async def test_a_proxy_of_the_environment_is_used_and_its_exceptions_are_obeyed(
    server: OpenAiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.base.removesuffix("/v1"))
    asked = ModelSettings(id="openai/m", api_base="http://model.invalid/v1", timeout_s=5)
    model = DirectModel("m", asked)
    assert (await model.complete(REQUEST)).text == "echo: hello"
    await model.close()
    monkeypatch.setenv("no_proxy", "model.invalid")
    model = DirectModel("m", asked)
    with pytest.raises(Unavailable):
        await model.complete(REQUEST)
    await model.close()
    assert server.requests == 1
