"""A route for applications: one async method, and the same behind LiteLLM's proxy; both log what they decide."""

import asyncio
import errno
import json
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmops.domain.cases import Case
from llmops.domain.errors import ModelError, UsageError
from llmops.domain.models import Completion, CompletionRequest, RoutedCall
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import given_hits
from llmops.domain.routing import RouteRequest
from llmops.domain.scores import Sample
from llmops.domain.serial import plain
from llmops.evaluation.calling import Callers
from llmops.evaluation.endpoints import REST_S
from llmops.evaluation.evaluators.base import measured
from llmops.evaluation.own_loop import OwnLoop
from llmops.evaluation.planning import Target
from llmops.evaluation.routed import Answered, follow
from llmops.routing.memory import RouteMemory
from llmops.settings.project import load_project
from llmops.settings.routes import BanditRoute
from llmops.settings.secrets import masked
from llmops.wiring import Wiring
from llmops.workflows.route_log import decisions

LOGGER = logging.getLogger(__name__)


@record
class Asked:
    """A request as an application makes it."""

    turns: tuple[Message, ...]
    params: Mapping[str, Any]
    key: str = ""
    """Who asks; requests with one key are treated alike by policies that split the traffic."""
    tags: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    """Passages that the answer should rest on, for checks that need them."""


class Router:
    """Serves one route of a project to all threads and event loops of a process."""

    def __init__(self, project: Path, route: str, *, log: Path | None = None, log_text: bool = False) -> None:
        """Load the route; the models are asked when the first request comes.

        Args:
            project: folder with llmops.yaml.
            route: name under `routes:`.
            log: JSONL file that each decision is appended to, as `llmops route report --log` reads it; a bandit goes on
                from what it says. An answer is served also when it cannot be written any more, and the logger
                `llmops.serving` tells so.
            log_text: keep the questions in the log, credentials masked.

        Raises:
            UsageError: no such project or route, a route that looks at what is spent over a model without a known price, or a
                log that cannot be written.
            InvalidFiles: its settings cannot be used.
        """
        self.name = route
        loaded = load_project(project.resolve())
        self._route = Wiring(loaded).route_to_ask(route)
        for note in self._route.notes:
            LOGGER.warning("%s", note)
        self._callers = Callers(REST_S)
        self._loop = OwnLoop()
        self._log, self._log_text = log, log_text
        self._memory = RouteMemory()
        self._working: set[asyncio.Task[None]] = set()
        if isinstance(loaded.route(route), BanditRoute) and log is not None and log.is_file():
            self._remember(log)
        if log is not None:
            _check_writable(log)

    def _remember(self, log: Path) -> None:
        """Begin with what the log says of earlier answers; a grade of a line counts more than its checks."""
        for decision in decisions(log, log.parent):
            if decision.route == self.name:
                self._memory.note([RoutedCall(**call.model_dump()) for call in decision.calls], quality=decision.quality)

    async def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        key: str = "",
        tags: Sequence[str] = (),
        contexts: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
    ) -> Completion:
        """The answer that the route serves, with every call that led to it in `route`.

        Args:
            messages: `role` and `content`, as OpenAI's, a text or a list of parts that are texts; the policy sees the last
                user message.
            key: who asks, such as a user's id; empty: each request is its own.
            tags: of the request, for rules.
            contexts: passages that the answer should rest on, for checks that need them.
            params: sampling parameters, over those of llmops.yaml.

        Raises:
            ModelError: no model gave an answer.
            UsageError: there is no message, one holds something else than text, or the process was forked from one that
                was served.
        """
        name = uuid.uuid4().hex
        if not messages or not all(isinstance(message, Mapping) for message in messages):
            raise UsageError("A request holds a list of at least one message, each with its `role` and `content`.")
        turns = tuple(Message(str(m.get("role", "user")), _text(m)) for m in messages)  # type: ignore[arg-type]
        return await self._loop.run(self._answer, name, Asked(turns, params or {}, key or name, tuple(tags), tuple(contexts)))

    async def _answer(self, name: str, asked: Asked) -> Completion:
        """The answer to a request, as soon as it is there: what a model says in the shadow is seen to afterwards."""
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(self._follow(name, asked, answer))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        try:
            return await answer
        except asyncio.CancelledError:
            work.cancel()
            raise

    async def _follow(self, name: str, asked: Asked, answer: "asyncio.Future[Completion]") -> None:
        """Settle the answer to a request, and note it whether one came or not."""
        text = next((turn.content for turn in reversed(asked.turns) if turn.role == "user"), "")
        now, memory = datetime.now().time(), self._memory
        request = RouteRequest(text, asked.key, asked.tags, memory.spent_usd, now, memory.tallies)
        calls: list[RoutedCall] = []
        try:
            found = await follow(self._route, request, self._asker(asked), self._checker(asked, text), calls, answer)
            if not answer.done():
                answer.set_result(found)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
            elif not isinstance(error, ModelError):
                raise
        finally:
            memory.note(calls)
            self._note(name, asked, text, calls)

    def _asker(self, asked: Asked) -> Any:  # noqa: ANN401 -- an AskTarget
        async def ask(target: Target, sample: int) -> Answered:
            request = CompletionRequest(asked.turns, {**target.params, **asked.params})
            return Answered(await self._callers.of(target).complete(request), reused=False)

        return ask

    def _checker(self, asked: Asked, text: str) -> Any:  # noqa: ANN401 -- a Check
        hits = given_hits(asked.contexts)
        case = Case(asked.key, {"question": text}, None, asked.contexts, asked.tags)

        async def check(completion: Completion) -> dict[str, bool]:
            sample = Sample(case, self.name, (), hits + completion.contexts, completion, cached=False)
            found = {each.spec.name: each.judge(await measured(each, sample)) for each in self._route.checks}
            return {name: each.status != "failed" and each.passed is not False for name, each in found.items()}

        return check

    def _note(self, name: str, asked: Asked, text: str, calls: Sequence[RoutedCall]) -> None:
        """Append a decision; a log that cannot be written takes nobody the answer, which is paid for."""
        if self._log is None:
            return
        line = {
            "id": name,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "route": self.name,
            "key": asked.key,
            "tags": list(asked.tags),
            **({"text": masked(text)} if self._log_text else {}),
            "calls": [plain(call) for call in calls],
        }
        try:
            _append(self._log, (json.dumps(line, ensure_ascii=True) + "\n").encode())
        except OSError as error:
            LOGGER.error("Decision %s is not in the log %r, which cannot be written: %s.", name, str(self._log), error.strerror)

    async def close(self) -> None:
        """Close the connections, once what is under way has ended."""
        await self._loop.run(self._end)

    async def _end(self) -> None:
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._callers.close()


def _append(log: Path, text: bytes) -> None:
    """Add to the log in one write, so that lines of several processes do not mix; all of the text or none.

    Raises:
        OSError: it cannot be written.
    """
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        written = os.write(handle, text)
        if written < len(text):
            end = os.lseek(handle, 0, os.SEEK_CUR)
            if os.fstat(handle).st_size == end:  # else another process has written behind it
                os.ftruncate(handle, end - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def _check_writable(log: Path) -> None:
    """Make the log, before an answer is paid for that it should tell of.

    Raises:
        UsageError: it cannot be made or written to.
    """
    try:
        _append(log, b"")
    except OSError as error:
        told = f"The log {str(log)!r} cannot be written: {error.strerror}."
        raise UsageError(told, hint="Check that its folder exists and can be written.") from error


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message.

    Raises:
        UsageError: it calls a tool or answers such a call, or a part of it is no text, such as an image.
    """
    if message.get("role") in ("tool", "function") or message.get("tool_calls") or message.get("function_call"):
        told = "A route reads text alone, and a message calls a tool or tells what one gave."
        raise UsageError(told, hint="Ask a model with tools by its own name, not through a route.")
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, Sequence) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    found = [text for text in texts if isinstance(text, str)]
    if len(found) < len(texts):
        raise UsageError("A route reads text alone, and a message holds a part that is none.")
    return "\n".join(found)


def litellm_handler(project: Path, *, log: Path | None = None, log_text: bool = False) -> Any:  # noqa: ANN401 -- a vendor's class
    """A custom provider for LiteLLM's proxy that serves the routes of a project under their names.

    Args:
        project: folder with llmops.yaml.
        log: as `Router`.
        log_text: as `Router`.
    """
    from llmops.adapters.litellm_handler import custom_llm

    routers: dict[str, Router] = {}

    def router(route: str) -> Router:
        if route not in routers:
            routers[route] = Router(project, route, log=log, log_text=log_text)
        return routers[route]

    return custom_llm(router)


__all__ = ["ModelError", "Router", "litellm_handler"]
