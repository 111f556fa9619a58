"""Domain objects as JSON."""

import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from llmops.domain.models import Usage
from llmops.domain.reports import Counts, Flip, Report, Timing
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.domain.serial import members, plain, report_from_json, result_from_json

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


def test_the_flips_of_a_report_that_does_not_count_them_are_counted() -> None:
    flips = tuple(Flip(f"c{number}", "p", "t", 0, number > 0, ("x",), "", "", "") for number in range(3))
    counts, timing = Counts(3, 3, 0, 0, 3, 3, 0, 0, 0), Timing("a", "b", 1.5)
    report = Report(
        1, "0.1.0", "run-a", "evals/s.yaml", "", "finished", "pass", 0, 1.0, "run-b", (), (), counts, timing, flips=flips
    )
    written = plain(replace(report, broken=2, mended=1))
    assert report_from_json(written) == report_from_json({k: v for k, v in written.items() if k not in ("broken", "mended")})
    assert report_from_json(plain(replace(report, broken=250))).broken == 250
