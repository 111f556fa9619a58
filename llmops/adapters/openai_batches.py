"""The Batch API of OpenAI and of those who follow it: a file of requests is answered within a day, at a lower price."""

import json
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llmops.adapters.direct_model import body_of, completion_of, error_of, open_session, parsed, refused
from llmops.adapters.openai_protocol import field
from llmops.domain.batches import Batch
from llmops.domain.errors import BadResponse, ModelError, ModelTimeout, Refused, Unavailable
from llmops.domain.models import Completion, CompletionRequest
from llmops.settings.models import ModelSettings
from llmops.settings.secrets import masked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse, ClientSession

ENDED = ("completed", "failed", "expired", "cancelled")
UNPAID = ("batch_expired", "batch_cancelled")
"""Of requests that the provider did not come to."""
TRANSFER_S = 600.0
"""A file of requests or of answers may take so long, where the model's `timeout_s` is shorter."""
PAGE = 100
PAGES = 100
"""Of the list of batches, newest first, that are looked through for one."""


class OpenaiBatches:
    """Implements `ChatBatches`."""

    def __init__(self, name: str, settings: ModelSettings) -> None:
        self._name = name
        self._settings = settings
        self._session: ClientSession | None = None

    def encoded(self, id: str, request: CompletionRequest) -> bytes:
        """As the port; batches do not stream."""
        line = {"custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body_of(request, self._settings)}
        return json.dumps(line).encode() + b"\n"

    async def upload(self, lines: bytes) -> str:
        """As the port."""
        import aiohttp

        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", lines, filename="batch.jsonl", content_type="application/jsonl")
        async with self._asked("POST", "files", data=form, seconds=TRANSFER_S) as response:
            return _id(parsed(await response.read()))

    async def begin(self, upload: str) -> Batch:
        """As the port."""
        wanted = {"input_file_id": upload, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        async with self._asked("POST", "batches", json=wanted) as response:
            return _batch(parsed(await response.read()))

    async def find(self, upload: str) -> Batch | None:
        """As the port."""
        params: dict[str, str | int] = {"limit": PAGE}
        for _ in range(PAGES):
            async with self._asked("GET", "batches", params=params) as response:
                page = parsed(await response.read())
            listed = field(page, "data")
            listed = listed if isinstance(listed, list) else []
            for each in listed:
                if field(each, "input_file_id") == upload:
                    return _batch(each)
            if not listed or not field(page, "has_more"):
                break
            params["after"] = _id(listed[-1])
        return None

    async def state(self, batch: Batch) -> Batch:
        """As the port."""
        async with self._asked("GET", f"batches/{quote(batch.id, safe='')}") as response:
            return _batch(parsed(await response.read()))

    async def answers(self, batch: Batch) -> dict[str, Completion | ModelError]:
        """As the port."""
        found: dict[str, Completion | ModelError] = {}
        for file in batch.files:
            async with self._asked("GET", f"files/{quote(file, safe='')}/content", seconds=TRANSFER_S) as response:
                data = await response.read()
            for id, answer in answers_in(data):
                if not isinstance(found.get(id), Completion):
                    found[id] = answer
        return found

    async def close(self) -> None:
        """As the port."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def _asked(self, method: str, path: str, *, seconds: float = 0.0, **sent: Any) -> "AsyncIterator[ClientResponse]":  # noqa: ANN401 -- as aiohttp takes it
        """An answer of status 200; `seconds` is how long it may take where `timeout_s` is shorter."""
        import aiohttp

        self._session = self._session or open_session(self._name, self._settings)
        seconds = max(seconds, self._settings.timeout_s)
        try:
            async with self._session.request(method, path, timeout=aiohttp.ClientTimeout(total=seconds), **sent) as response:
                if response.status != 200:
                    raise await refused(response)
                yield response
        except TimeoutError as error:
            raise ModelTimeout(f"no complete answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(masked(str(error) or type(error).__name__)) from error


def _id(told: Any) -> str:  # noqa: ANN401 -- what a server sent
    found = field(told, "id")
    if not isinstance(found, str) or not found:
        raise BadResponse("the answer has no `id`")
    return found


def _batch(told: Any) -> Batch:  # noqa: ANN401 -- as `_id`
    counts, status = field(told, "request_counts"), field(told, "status")
    total, *done = (_count(field(counts, name)) for name in ("total", "completed", "failed"))
    files = [field(told, name) for name in ("output_file_id", "error_file_id")]
    return Batch(
        _id(told),
        str(field(told, "input_file_id") or ""),
        ended=status in ENDED,
        requests=total,
        answered=sum(done),
        error=_error(told) if status == "failed" else "",
        files=tuple(each for each in files if each and isinstance(each, str)),
    )


def _count(told: Any) -> int:  # noqa: ANN401 -- as `_id`
    return told if isinstance(told, int) else 0


def _error(told: Any) -> str:  # noqa: ANN401 -- as `_id`
    """What is wrong with a batch that the provider would not work on."""
    listed = field(field(told, "errors"), "data")
    first = listed[0] if isinstance(listed, list) and listed else None
    return masked(str(field(first, "message") or "the provider does not say why"))[:300]


def answers_in(data: bytes) -> Iterator[tuple[str, Completion | ModelError]]:
    """The answers of a file, by our ids; a line that is none is left out, as the others are good and paid all the same."""
    for line in data.split(b"\n"):
        with suppress(BadResponse):
            told = parsed(line)
            if isinstance(id := field(told, "custom_id"), str):
                yield id, _answer(told)


def _answer(told: Any) -> Completion | ModelError:  # noqa: ANN401 -- as `_id`
    """What came of one request."""
    response, error = field(told, "response"), field(told, "error")
    body, status = field(response, "body"), field(response, "status_code")
    if isinstance(error, Mapping) and not isinstance(status, int):
        code, message = (str(error.get(name) or "") for name in ("code", "message"))
        told_why = f"the batch gave no answer: {masked(message or code)[:300]}"
        return (Refused if code in UNPAID else BadResponse)(told_why)
    if status != 200:
        return error_of(status if isinstance(status, int) else 500, json.dumps(body))
    try:
        return replace(completion_of(body, 0.0), batched=True)
    except ModelError as problem:
        return problem
