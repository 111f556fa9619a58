"""Which of the expected calls of tools an answer makes."""

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.tool_calls import MOST, Call, call_of, calls_in, holds, pairs

WEATHER = {"name": "weather", "arguments": {"city": "Oslo", "days": 2}}
few = st.lists(st.builds(Call, st.sampled_from("ab"), st.sampled_from([None, {"x": 1}, {"x": 1, "y": 2}])), max_size=4)


def answer(*calls: Any) -> str:  # noqa: ANN401 -- any JSON value
    return json.dumps({"text": "I look.", "tool_calls": calls})


@pytest.mark.parametrize(
    "written",
    [
        WEATHER,
        {"function": WEATHER, "id": "c1", "type": "function"},
        {"function": {"name": "weather", "arguments": json.dumps(WEATHER["arguments"])}},
    ],
)
def test_a_call_is_read_in_either_shape(written: dict[str, Any]) -> None:
    assert calls_in(answer(written)) == [Call("weather", {"city": "Oslo", "days": 2})]


def test_other_answers_hold_no_calls() -> None:
    for text in (
        "It rains.",
        "[]",
        '{"tool_calls": "weather"}',
        '{"tool_calls": [7, {"name": ""}, {"name": 3}, null]}',
        "",
        "NaN",
    ):
        assert calls_in(text) == []
    assert len(calls_in(answer(*["a"] * (MOST + 5)))) == MOST
    assert call_of({"name": "a", "arguments": "{broken"}) == Call("a", "{broken")


@pytest.mark.parametrize(
    ("found", "wanted", "exact", "subset"),
    [
        ({"city": "Oslo"}, {"city": "Oslo"}, True, True),
        ({"city": "Oslo", "days": 2}, {"city": "Oslo"}, False, True),
        ({"city": "Oslo"}, {"city": "Oslo", "days": 2}, False, False),
        ({"at": {"x": 1, "y": 2}}, {"at": {"x": 1.0}}, False, True),
        ({"on": True}, {"on": 1}, False, False),
        ({"list": [1, 2]}, {"list": [1]}, False, False),
        ({"list": [{"a": 1, "b": 2}]}, {"list": [{"a": 1}]}, False, True),
        ("Oslo", {"city": "Oslo"}, False, False),
    ],
)
def test_arguments_are_equal_or_held(found: Any, wanted: Any, exact: bool, subset: bool) -> None:  # noqa: ANN401
    assert holds(found, wanted, part=False) is exact
    assert holds(found, wanted, part=True) is subset


def test_the_order_counts_where_that_is_asked() -> None:
    found, wanted = [Call("b"), Call("a"), Call("c")], [Call("a"), Call("b"), Call("c")]
    assert pairs(found, wanted, "exact", ordered=False) == {0: 1, 1: 0, 2: 2}
    assert len(pairs(found, wanted, "exact", ordered=True)) == 2


@given(few, few, st.sampled_from(["exact", "subset", "ignore"]))
def test_no_pairing_has_more_calls(found: list[Call], wanted: list[Call], arguments: Any) -> None:  # noqa: ANN401
    def fits(call: Call, other: Call) -> bool:
        return len(pairs([call], [other], arguments, ordered=False)) == 1

    padded = [*found, *[None] * len(wanted)]
    most = max(
        sum(call is not None and fits(call, other) for call, other in zip(chosen, wanted, strict=True))
        for chosen in permutations(padded, len(wanted))
    )
    paired = pairs(found, wanted, arguments, ordered=False)
    assert len(paired) == most
    assert len(set(paired.values())) == len(paired)
    ordered = pairs(found, wanted, arguments, ordered=True)
    assert list(ordered.values()) == sorted(ordered.values())
    assert len(ordered) <= most
    assert all(fits(found[at], wanted[of]) for each in (paired, ordered) for at, of in each.items())
