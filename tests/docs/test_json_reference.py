"""The manual names every key of the JSON documents of a run, of a comparison, of routes and of indexes."""

import re
from dataclasses import fields

import pytest
from manual_pages import pages

from llmops.domain.comparisons import ComparedMetric, Comparison
from llmops.domain.diagnoses import Diagnosis, Share, WrongAnswer
from llmops.domain.errors import Problem
from llmops.domain.measures import JudgedContexts, Measured
from llmops.domain.retrieval import Chunk, Hit
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
from llmops.domain.scores import JudgeUse
from llmops.domain.sweeps import Sweep, Tried
from llmops.rag.inspecting import IndexStatus
from llmops.rag.manifests import Changes
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


INDEX_KEYS = [Hit, Chunk, IndexStatus, Changes, Problem, Measured, JudgedContexts, JudgeUse, Sweep, Tried, Diagnosis, Share]


@pytest.mark.parametrize("kind", [*INDEX_KEYS, WrongAnswer], ids=lambda kind: kind.__name__)
def test_every_key_of_an_index_is_named(kind: type) -> None:
    (told,) = re.findall(r"## JSON of llmops rag\n(.*?)\n## ", pages()["docs/reference/json-output.md"].text, re.DOTALL)
    known = named("docs/reference/json-output.md") if kind is JudgeUse else set(re.findall(r"`(\w+)`", told))
    assert not {each.name for each in fields(kind)} - known
