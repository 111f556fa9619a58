"""Answers that call tools."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.answers import said, with_calls

CALLS = [{"name": "weather", "arguments": {"city": "Ålesund"}}]


@given(st.text(), st.lists(st.fixed_dictionaries({"name": st.text(), "arguments": st.none() | st.integers()})))
def test_what_is_said_beside_calls_is_found_again(text: str, calls: list[dict[str, Any]]) -> None:
    answer = with_calls(text, calls)
    assert json.loads(answer)["tool_calls"] == calls
    assert said(answer) == (text or answer)


@pytest.mark.parametrize(
    "answer",
    [
        "It rains.",
        "",
        '{"text": "x"}',
        '{"text": 7, "tool_calls": []}',
        '{"text": "x", "tool_calls": [], "more": 1}',
        '{"text": ',
    ],
)
def test_any_other_answer_is_what_is_said(answer: str) -> None:
    assert said(answer) == answer


def test_letters_stay_as_they_are() -> None:
    assert with_calls("", CALLS) == '{"tool_calls": [{"name": "weather", "arguments": {"city": "Ålesund"}}]}'
