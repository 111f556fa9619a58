"""Domain objects as JSON."""

import json
from types import MappingProxyType

import pytest

from llmops.domain.models import Usage
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.domain.serial import members, plain, result_from_json

EVALUATION = EvaluatorResult("scored", 0.25, False, "one", spans=(Span(0, 4, "not found"),))
RESULT = CellResult(
    3, "c", "p", "t", 0, "scored", "text", None, MappingProxyType({"x": EVALUATION}), usage=Usage(1, 2), tags=("a", "b")
)


def test_an_encoder_writes_what_plain_gives() -> None:
    assert json.dumps(RESULT, default=members) == json.dumps(plain(RESULT))
    assert result_from_json(json.loads(json.dumps(RESULT, default=members))) == RESULT


def test_what_is_no_domain_object_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        json.dumps({"x": {1}}, default=members)
