"""A file of answers as a provider sends it: what can be read of it is read, whatever stands beside it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.adapters.openai_batches import answers_in
from llmops.domain.errors import ModelError
from llmops.domain.models import Completion

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 600) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["custom_id", "response", "error", "body", "code"]), inner),
)


def line(id: str, text: str) -> bytes:
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    return json.dumps({"custom_id": id, "response": {"status_code": 200, "body": body}}).encode()


@given(st.lists(st.binary() | VALUES.map(lambda value: json.dumps(value).encode())))
def test_lines_that_are_no_answers_cost_none_of_the_others(others: list[bytes]) -> None:
    between = b"\n".join(others)
    found = dict(answers_in(b"\n".join([line("our first", "one"), between, line("our last", "two")])))
    assert [answer.text for id, answer in found.items() if isinstance(answer, Completion) and id.startswith("our ")] == [
        "one",
        "two",
    ]
    assert all(isinstance(answer, Completion | ModelError) for answer in found.values())


def test_a_line_that_nests_deeply_is_none() -> None:
    assert list(answers_in(b"[" * 100_000 + b"\n" + line("a", "one")))[0][0] == "a"


@pytest.mark.parametrize(
    ("told", "retryable"),
    [
        ({"response": {"status_code": 429, "body": {"error": {"message": "slow down"}}}}, True),
        ({"response": {"status_code": 400, "body": {"error": {"message": "broken"}}}}, False),
        ({"response": None, "error": {"code": "batch_expired", "message": "too late"}}, False),
        ({"response": None, "error": {"code": "batch_cancelled"}}, False),
        ({}, True),
    ],
)
def test_what_is_worth_another_batch(told: dict[str, Any], retryable: bool) -> None:
    ((_, error),) = answers_in(json.dumps({"custom_id": "a", **told}).encode())
    assert isinstance(error, ModelError)
    assert error.retryable is retryable
