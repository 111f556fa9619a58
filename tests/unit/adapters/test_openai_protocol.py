"""What a provider says of its limits in the headers, and of the tokens in the answer."""

import time
from typing import Any

import pytest

from llmops.adapters.openai_protocol import resumes_at, retry_after, usage_of
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


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (tokens(7, 3, cached=5), Usage(7, 3, cached_input_tokens=5)),
        (tokens(7, None), Usage(7, 0)),
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
