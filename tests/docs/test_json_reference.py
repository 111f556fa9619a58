"""The reference of the JSON output names every key that can be printed."""

import re

import pytest
from manual_pages import pages

from llmops.workflows.schemas import schemas

NAMED = set(re.findall(r"`(\w+)`", pages()["docs/reference/json-output.md"].text))
REPORT = schemas()["report"]


@pytest.mark.parametrize("kind", REPORT["$defs"])
def test_every_key_is_named(kind: str) -> None:
    assert not set(REPORT["$defs"][kind]["properties"]) - NAMED
