"""The manual names every key of the JSON documents of a run and of a comparison."""

import re
from dataclasses import fields

import pytest
from manual_pages import pages

from llmops.domain.comparisons import ComparedMetric, Comparison
from llmops.workflows.schemas import schemas

REPORT = schemas()["report"]


def named(page: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", pages()[page].text))


@pytest.mark.parametrize("kind", REPORT["$defs"])
def test_every_key_is_named(kind: str) -> None:
    assert not set(REPORT["$defs"][kind]["properties"]) - named("docs/reference/json-output.md")


@pytest.mark.parametrize("kind", [Comparison, ComparedMetric])
def test_every_key_of_a_comparison_is_named(kind: type[Comparison] | type[ComparedMetric]) -> None:
    assert not {each.name for each in fields(kind)} - named("docs/guides/compare-runs.md")
