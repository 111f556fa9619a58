"""Content keys are equal for equal content and for nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.keys import canonical, content_hash, node_key

Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), Json, max_size=4))
def test_the_order_of_keys_does_not_count(inputs: dict[str, object]) -> None:
    assert node_key("render", 1, inputs) == node_key("render", 1, dict(reversed(inputs.items())))


@given(Json)
def test_a_value_is_told_back_by_its_text(value: object) -> None:
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_kind_version_and_content_count() -> None:
    keys = {
        node_key("render", 1, {"a": 1}),
        node_key("judge", 1, {"a": 1}),
        node_key("render", 2, {"a": 1}),
        node_key("render", 1, {"a": "1"}),
        node_key("render", 1, {"a": [1]}),
    }
    assert len(keys) == 5


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant|Out of range"):
        canonical(float("nan"))
    with pytest.raises(TypeError):
        canonical({1, 2})


def test_a_lone_surrogate_has_a_hash() -> None:
    assert content_hash("\ud800") != content_hash("\ud801")
