"""A function of the user's as a model: a whole application, with what it retrieves and whatever it asks."""

import asyncio
import inspect
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

from pydantic import Field

from llmops.domain.answers import with_calls
from llmops.domain.errors import FunctionFailed, InvalidFiles, ModelError, ModelTimeout, Unavailable
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.retrieval import Hit
from llmops.domain.serial import plain
from llmops.settings.functions import Function
from llmops.settings.positions import Positions
from llmops.settings.secrets import masked
from llmops.settings.stdout import as_user
from llmops.settings.validation import Amount, Strict, validated

Json = dict[str, Any]
Called = tuple[Any, BaseException | None, float]
"""What a function returned, or what it raised, and after how many seconds."""
RETURNS = "a text, or a mapping with `text`, was expected"
MOST_SHOWN = 80
"""Characters of what a function returned by mistake."""


class Tokens(Strict):
    """What an answer took."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    cached_input_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)


class Passage(Strict):
    """What an answer rests on."""

    text: str
    source: str = "application"
    heading: str = ""


class ToolCall(Strict):
    """A tool that an application called on the way to its answer."""

    name: str = Field(min_length=1)
    arguments: Any = None


class Answer(Strict):
    """What a function returns."""

    text: str = Field(min_length=1)
    tool_calls: list[ToolCall] = Field(default_factory=list)
    contexts: list[str | Passage] = Field(default_factory=list)
    usage: Tokens | None = None
    cost_usd: Amount | None = None
    model: str | None = None


class FunctionModel:
    """Implements `ChatModel`. The file runs when it is asked for the first time; a function that is not async, in a thread."""

    def __init__(self, model_id: str, source: Function) -> None:
        """Args: `source` is the function that the id names."""
        self.identity = f"{model_id}|{source.code_hash()}"
        self.resumes_at = 0.0
        self._source = source
        self._function: Callable[[Json], Any] | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port. A connection or a time that the function says it has lost is worth another try, nothing else is.

        Raises:
            UsageError: the file cannot be run.
        """
        function = self._function = self._function or self._source.load()
        asked = {"messages": [message.to_json() for message in request.messages], "params": plain(request.params)}
        returned, error, latency = await _called(function, asked)
        if error is not None:
            told = f"{type(error).__name__}: {masked(str(error))}{self._source.line_of(error)}"
            raise _kind(error)(told) from error
        return _completion(returned, latency)

    async def close(self) -> None:
        """Nothing to release."""


def _kind(error: BaseException) -> type[ModelError]:
    if isinstance(error, TimeoutError):
        return ModelTimeout
    return Unavailable if isinstance(error, ConnectionError) else FunctionFailed


async def _called(function: Callable[[Json], Any], asked: Json) -> Called:
    """As `_awaited` or `_in_thread`; one that is not seen to be async, such as a decorated one, is known by what it returns."""
    if inspect.iscoroutinefunction(function):
        return await _awaited(function, asked)
    begun, error, latency = await _in_thread(function, asked)
    if not inspect.isawaitable(begun):
        return begun, error, latency
    returned, error, waited = await _awaited(lambda _: begun, asked)
    return returned, error, latency + waited


async def _awaited(function: Callable[[Json], Any], asked: Json) -> Called:
    started = time.perf_counter()
    try:
        with as_user():
            returned = await function(asked)
    except (Exception, SystemExit) as error:
        return None, error, time.perf_counter() - started
    return returned, None, time.perf_counter() - started


async def _in_thread(function: Callable[[Json], Any], asked: Json) -> Called:
    """As `_awaited`, in a thread of the call's own: one that never ends keeps nothing waiting, not even the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Called] = loop.create_future()

    def settle(called: Called) -> None:
        if not done.cancelled():
            done.set_result(called)

    def call() -> None:
        returned, failed, started = None, None, time.perf_counter()
        try:
            returned = function(asked)
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the run has ended before
            loop.call_soon_threadsafe(settle, (returned, failed, time.perf_counter() - started))

    with as_user():
        Thread(target=call, name="llmops-function", daemon=True).start()
        return await done


def _as_told(answer: Answer) -> str:
    """The text; with calls of tools the JSON that an answer of a model with such calls is.

    Raises:
        FunctionFailed: an argument is no JSON value.
    """
    if not answer.tool_calls:
        return answer.text
    try:
        return with_calls(answer.text, [each.model_dump() for each in answer.tool_calls])
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionFailed(f"the function returned no answer: `tool_calls`: {masked(str(error))}") from None


def _completion(returned: Any, latency: float) -> Completion:  # noqa: ANN401 -- whatever a function returns
    if isinstance(returned, str):
        returned = {"text": returned}
    if not isinstance(returned, dict):
        raise FunctionFailed(f"the function returned {masked(repr(returned))[:MOST_SHOWN]}; {RETURNS}")
    try:
        answer = validated(Answer, returned, Positions("", {}))
    except InvalidFiles as error:
        first = error.problems[0]
        found = " ".join(filter(None, (f"`{first.key}`:" if first.key else "", masked(first.message), first.hint)))
        raise FunctionFailed(f"the function returned no answer: {found}") from None
    passages = (Passage(text=each) if isinstance(each, str) else each for each in answer.contexts)
    return Completion(
        _as_told(answer),
        None if answer.usage is None else Usage(**answer.usage.model_dump()),
        latency,
        model=answer.model,
        contexts=tuple(Hit(each.text, each.source, each.heading, given=True) for each in passages),
        told_usd=answer.cost_usd,
    )
