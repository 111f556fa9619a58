import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from llmops.adapters.sql.rows import dump_result, dumps, loads
from llmops.domain.models import RoutedCall, Usage
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import JudgeUse, Span
from llmops.domain.serial import plain, result_from_json

texts = st.text(st.characters(exclude_categories=()))
integers = st.integers(-(2**63), 2**64 - 1)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


@given(values)
@example("\ud800")
@example(2**70)
@example({"": ["\x00\x7f\u2028é", 1e-7, 1e22, -0.0]})
def test_any_json_value_is_written_in_ascii_and_read_again(value: Any) -> None:  # noqa: ANN401 -- any JSON value
    text = dumps(value)
    assert text.isascii()
    assert loads(text) == json.loads(text) == value


@given(texts, st.floats(allow_nan=False, allow_infinity=False), st.dictionaries(texts, integers | st.floats(-1, 1)))
@example("\ud800 é \x00\u2028", 1e-7, {"big": 2**70})
def test_a_result_is_written_in_ascii_and_read_again(text: str, value: float, parts: dict[str, float]) -> None:
    judged = EvaluatorResult("scored", value, True, text, (Span(0, 1, "hate", text),), parts, JudgeUse(1, 2, 3, 0.1))
    usage, route = Usage(1, 2), (RoutedCall("small", "cheap", 0.1, None),)
    result = CellResult(
        0,
        text,
        "p",
        "t",
        0,
        "scored",
        text,
        None,
        {text: judged},
        usage=usage,
        tags=(text,),
        node_keys={"a": text},
        route=route,
    )
    written = dump_result(result)
    assert written.isascii()
    assert result_from_json(loads(written)) == result
    assert json.loads(written) == json.loads(dumps(result)) == plain(result)
