"""What the headers of a provider say of its limits."""

import time

import pytest

from llmops.adapters.openai_protocol import resumes_at, retry_after


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
