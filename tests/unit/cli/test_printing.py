"""One JSON document, whatever domain objects stand in it."""

import json

import pytest

from llmops.cli.printing import print_json
from llmops.domain.retrieval import Hit


def test_domain_objects_are_printed_with_all_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"hits": [Hit("é", "a.md", scores={"bm25": 1.5}, also_under=("b",))], "none": None})
    told = capsys.readouterr().out
    assert told.isascii()
    (hit,) = json.loads(told)["hits"]
    assert (hit["text"], hit["scores"], hit["also_under"], hit["start"]) == ("é", {"bm25": 1.5}, ["b"], None)


def test_a_value_that_json_lacks_is_no_part_of_a_document() -> None:
    with pytest.raises(ValueError, match="JSON"):
        print_json({"value": float("nan")})
