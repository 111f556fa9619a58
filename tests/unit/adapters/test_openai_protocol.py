"""What a provider says of its limits in the headers, and of the tokens in the answer."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.adapters.openai_protocol import joined_calls, resumes_at, retry_after, text_of, usage_of
from llmops.domain.errors import BadResponse, NoText
from llmops.domain.models import Usage


def limits(**headers: str) -> dict[str, str]:
    return {f"x-ratelimit-{name.replace('_', '-')}": value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        (limits(remaining_requests="1", reset_requests="30s"), None),
        (limits(remaining_requests="0"), 0),
        (limits(remaining_requests="0", reset_requests="1s"), 1),
        (limits(remaining_requests="0", reset_requests="6m0s"), 360),
        (limits(remaining_tokens="0", reset_tokens="250ms"), 0.25),
        (limits(remaining_tokens="0", reset_tokens="1h2m3.5s"), 3723.5),
        (limits(remaining_requests="0", reset_requests="5", remaining_tokens="0", reset_tokens="7"), 7),
        (limits(remaining_requests="none", reset_requests="9s"), None),
        (limits(remaining_requests="0", reset_requests="soon"), 0),
        (limits(remaining_requests="0", reset_requests="9" * 400 + "s"), 0),
    ],
)
def test_a_provider_that_has_nothing_left_says_when_it_has(headers: dict[str, str], wait: float | None) -> None:
    before = time.monotonic()
    found = resumes_at(headers)
    if wait is None:
        assert found == 0
    else:
        assert before + wait <= found <= time.monotonic() + wait


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, None), ({"Retry-After": "2"}, 2), ({"retry-after": "3"}, 3), ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25)],
)
def test_retry_after_in_seconds_or_milliseconds(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after(headers) == wait


def tokens(read: object, written: object, **details: object) -> dict[str, Any]:
    told = {"prompt_tokens_details": {"cached_tokens": details.get("cached")}}
    return {"prompt_tokens": read, "completion_tokens": written, **(told if details else {})}


def reasoned(tokens: int) -> dict[str, Any]:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (tokens(7, 3, cached=5), Usage(7, 3, cached_input_tokens=5)),
        (tokens(7, None), Usage(7, 0)),
        ({**tokens(7, 3), **reasoned(9), "total_tokens": 19}, Usage(7, 12, reasoning_tokens=9)),
        ({**tokens(7, 12), **reasoned(9), "total_tokens": 19}, Usage(7, 12, reasoning_tokens=9)),
        ({**tokens(7, 3), **reasoned(9)}, Usage(7, 3, reasoning_tokens=3)),
        (tokens(7, 3, cached=8), Usage(7, 3)),
        (tokens(12.0, 3.0), Usage(12, 3)),
        (tokens(7, 3, cached=-1), Usage(7, 3)),
        (tokens(7, 3, cached="all"), Usage(7, 3)),
        (tokens(0, 0), None),
        (tokens("many", 3), None),
        (tokens(7, "3"), None),
        (tokens(7, True), None),
        (tokens(7, 3.5), None),
        (tokens(float("nan"), float("inf")), None),
        (tokens(-5, -1), None),
        (tokens(-5, 9), None),
        (tokens(10**400, 3), None),
        ("many", None),
        ([7, 3], None),
        (None, None),
    ],
)
def test_usage_is_what_can_be_numbers_of_tokens(told: object, usage: Usage | None) -> None:
    assert usage_of(told) == usage


def called(name: object, arguments: object) -> dict[str, Any]:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            {"content": "Hello", "tool_calls": [called("f", "{}")]},
            '{"text": "Hello", "tool_calls": [{"name": "f", "arguments": {}}]}',
        ),
        ({"content": "<think>\nParis, or is it </b>?\n</think>\n\nParis. </think> ends it."}, "Paris. </think> ends it."),
        ({"content": "\n<thinking>Lyon?</thinking> Paris."}, "Paris."),
        ({"content": "\n\nParis.", "reasoning_content": "Lyon?"}, "Paris."),
        ({"content": "\n\nParis.", "reasoning": "Lyon?"}, "Paris."),
        ({"content": "\n\nParis."}, "\n\nParis."),
        ({"content": "I <think>not</think>."}, "I <think>not</think>."),
        (
            {"content": "<think>f</think>", "tool_calls": [called("f", "{}")]},
            '{"tool_calls": [{"name": "f", "arguments": {}}]}',
        ),
        ({"content": None, "tool_calls": [called("f", '{"a": 1}')]}, '{"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}'),
        ({"content": "", "tool_calls": [called("f", {"a": 1})]}, '{"tool_calls": [{"name": "f", "arguments": {"a": 1}}]}'),
        (
            {"tool_calls": [called("f", "{broken"), called(5, "{}"), 7]},
            '{"tool_calls": [{"name": "f", "arguments": "{broken"}]}',
        ),
    ],
)
def test_what_a_message_says(message: dict[str, Any], text: str) -> None:
    assert text_of(message, "stop") == text


@pytest.mark.parametrize(
    "message",
    [
        {},
        None,
        "text",
        {"content": ["x"]},
        {"content": "<think>Not yet at an end"},
        {"content": "<think>Said nothing.</think>\n"},
        {"tool_calls": "f"},
        {"tool_calls": [called(None, "")]},
    ],
)
def test_a_message_without_text_is_worth_another_try_unless_that_would_end_alike(message: object) -> None:
    for finish in (None, "stop", "tool_calls"):
        with pytest.raises(BadResponse, match="returned nothing"):
            text_of(message, finish)
    for finish in ("length", "content_filter"):
        with pytest.raises(NoText, match=f"returned nothing .finish reason: {finish}") as refused:
            text_of(message, finish)
        assert not refused.value.retryable


@given(st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.integers())), min_size=1, max_size=4), st.data())
def test_calls_are_the_same_in_whatever_pieces_they_are_streamed(
    calls: list[tuple[str, dict[str, int]]], data: st.DataObject
) -> None:
    parts: list[Any] = []
    for index, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments)
        at = data.draw(st.integers(0, len(text)))
        parts += [
            {"index": index, "function": {"name": name, "arguments": text[:at]}},
            {"index": index, "function": {"arguments": text[at:]}},
        ]
    whole = [called(name, json.dumps(arguments)) for name, arguments in calls]
    assert text_of({"tool_calls": joined_calls(parts)}, None) == text_of({"tool_calls": whole}, None)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_json_in_place_of_calls_is_no_crash(value: object) -> None:
    message = {"tool_calls": joined_calls([value])}
    with pytest.raises(BadResponse):
        text_of(message, None)
    with pytest.raises(BadResponse):
        text_of({"tool_calls": value}, None)
