"""What the OpenAI protocol says the same way whichever client carries it."""

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from llmops.adapters.credentials import address_of
from llmops.domain.answers import with_calls
from llmops.domain.errors import BadResponse, NoText
from llmops.domain.models import Usage
from llmops.settings.models import ModelSettings

LIMITED = ("requests", "tokens")
MOST_TOKENS = 10**9
"""Of one call: a provider that tells more does not know."""
WITHOUT_TEXT = ("length", "content_filter")
"""Reasons to have ended without a text that another try would meet again."""
_THOUGHT = re.compile(r"\s*<(think|thinking)>.*?(</\1>\s*|\Z)", re.DOTALL)
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|$)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0, "ms": 0.001}


def model_identity(settings: ModelSettings) -> str:
    """What decides which model answers; the transport does not."""
    return f"{settings.id}|{address_of(settings)}"


def text_of(message: Any, finish: str | None) -> str:  # noqa: ANN401 -- as `usage_of`
    """What a message says, without what the model thought before; as JSON, beside what it says, when it calls tools.

    Raises:
        BadResponse: it does neither.
        NoText: nor would another answer.
    """
    text = field(message, "content")
    text = _after_thought(text, message) if isinstance(text, str) else ""
    calls = field(message, "tool_calls")
    named = [called for each in calls if (called := _called(field(each, "function")))] if isinstance(calls, list) else []
    if named:
        return with_calls(text, named)
    if text:
        return text
    told = f"the model returned nothing (finish reason: {finish})"
    raise NoText(told) if finish in WITHOUT_TEXT else BadResponse(told)


def _after_thought(text: str, message: Any) -> str:  # noqa: ANN401 -- as `usage_of`
    """A text from where its reasoning ends, which some servers leave in it and others send apart."""
    if thought := _THOUGHT.match(text):
        return text[thought.end() :]
    return text.lstrip() if reasoning_of(message) else text


def reasoning_of(message: Any) -> Any:  # noqa: ANN401 -- as `usage_of`
    """What a message, or a piece of one, says of the model's thoughts beside its text."""
    return field(message, "reasoning_content") or field(message, "reasoning")


def _called(function: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- as `usage_of`
    """The name of a function and its arguments, which models write as JSON; None when it has no name."""
    name, arguments = field(function, "name"), field(function, "arguments")
    with suppress(ValueError, TypeError, RecursionError):  # else they are told as they were sent
        arguments = json.loads(arguments)
    return {"name": name, "arguments": arguments} if name and isinstance(name, str) else None


def joined_calls(parts: Iterable[Any]) -> list[Any]:
    """`tool_calls` of a message, from the parts in which they were streamed."""
    calls: dict[str, dict[str, str]] = {}
    for part in parts:
        call = calls.setdefault(str(field(part, "index")), {"name": "", "arguments": ""})
        for name in call:
            piece = field(field(part, "function"), name)
            call[name] += piece if isinstance(piece, str) else ""
    return [{"function": call} for call in calls.values()]


def usage_of(usage: Any) -> Usage | None:  # noqa: ANN401 -- a client's object, or the provider's JSON
    """Usage as the OpenAI protocol reports it; None when it is missing, empty, or no numbers of tokens."""
    read, written = _tokens(field(usage, "prompt_tokens")), _tokens(field(usage, "completion_tokens"))
    if read is None or written is None or not read + written:
        return None
    cached = _tokens(field(field(usage, "prompt_tokens_details"), "cached_tokens"), most=read)
    reasoning = _tokens(field(field(usage, "completion_tokens_details"), "reasoning_tokens")) or 0
    if reasoning and _tokens(field(usage, "total_tokens")) == read + written + reasoning:
        written += reasoning  # xAI, and gateways to it, tell only the tokens of the answer
    return Usage(read, written, cached_input_tokens=cached or 0, reasoning_tokens=min(reasoning, written))


def _tokens(value: Any, *, most: int = MOST_TOKENS) -> int | None:  # noqa: ANN401 -- as `usage_of`
    """A number of tokens, 0 where none is told; None when what is told can be none."""
    if value is None:
        return 0
    if type(value) is float and value.is_integer():  # in JSON 12.0 is the number that 12 is
        value = int(value)
    return value if type(value) is int and 0 <= value <= most else None


def logprobs_of(logprobs: Any) -> list[float]:  # noqa: ANN401 -- as `usage_of`
    """The log-probability of each token, as a choice of an answer or of a chunk reports it; empty when it does not."""
    tokens = field(logprobs, "content")
    found = [field(token, "logprob") for token in tokens] if isinstance(tokens, list) else []
    return [float(each) for each in found if isinstance(each, int | float) and isfinite(each)]


def field(value: Any, name: str) -> Any:  # noqa: ANN401 -- as `usage_of`
    """A field of whatever the provider sent; None when it has no such field."""
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None


def resumes_at(headers: Mapping[str, str]) -> float:
    """`time.monotonic()` from when the provider takes requests again; 0 when it has not run out of any.

    Args:
        headers: of an answer, as OpenAI and those who follow it send them: `x-ratelimit-remaining-requests`,
            `x-ratelimit-reset-requests` (such as `6m0s`), and the same of tokens.
    """
    waits = [_duration(headers.get(f"x-ratelimit-reset-{what}")) for what in LIMITED if _used_up(headers, what)]
    return time.monotonic() + max(waits) if waits else 0.0


def _used_up(headers: Mapping[str, str], what: str) -> bool:
    left = headers.get(f"x-ratelimit-remaining-{what}", "").strip()
    return left.isdigit() and int(left) == 0


def _duration(text: str | None) -> float:
    """Seconds of `1s`, `6m0s`, `250ms`, `1h2m` or a plain number; 0 for anything else."""
    parts = _PART.findall((text or "").strip())
    whole = "".join(number + unit for number, unit in parts) == (text or "").strip()
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if whole else 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until another try is worth it, as the server says: `retry-after-ms`, else `Retry-After`."""
    milliseconds = seconds(headers.get("retry-after-ms"))
    return seconds(headers.get("Retry-After") or headers.get("retry-after")) if milliseconds is None else milliseconds / 1000


def seconds(value: str | None) -> float | None:
    """A Retry-After header (RFC 9110): seconds, or a date; None when it is missing or neither."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return None
