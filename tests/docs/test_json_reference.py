"""The manual names every key of the JSON documents of a run, of a comparison and of routes."""

import re
from dataclasses import fields

import pytest
from manual_pages import pages

from llmops.domain.comparisons import ComparedMetric, Comparison
from llmops.domain.route_reports import (
    Arm,
    Machine,
    PolicyReport,
    Promotion,
    RouteReport,
    ServedModel,
    ServedReport,
    TagReport,
)
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


@pytest.mark.parametrize(
    "kind",
    [RouteReport, PolicyReport, TagReport, Machine, ServedReport, ServedModel, Promotion, Arm],
    ids=lambda kind: kind.__name__,
)
def test_every_key_of_a_route_is_named(kind: type) -> None:
    assert not {each.name for each in fields(kind)} - named("docs/guides/routing.md")
