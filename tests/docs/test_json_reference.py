"""The manual names every key of the JSON documents of a run, of a comparison, of routes, of indexes and of the store."""

import re
from dataclasses import fields

import pytest
from manual_pages import pages

from llmops.domain.caching import Kept
from llmops.domain.comparisons import ComparedMetric, Comparison
from llmops.domain.diagnoses import Diagnosis, Share, WrongAnswer
from llmops.domain.drifts import Change, Drift, LeftOut, Moved, NewModel, SeenRun, Signal
from llmops.domain.errors import Problem
from llmops.domain.explanations import Estimate, Explanation, Work
from llmops.domain.measures import JudgedContexts, Measured, RetrievalDifference
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
from llmops.domain.runs import Run
from llmops.domain.scores import JudgeUse
from llmops.domain.stores import Copied, StoreStatus
from llmops.domain.sweeps import Sweep, Tried
from llmops.rag.inspecting import IndexStatus
from llmops.rag.manifests import Changes
from llmops.reporting.outputs import CaseOutputs
from llmops.workflows.schemas import schemas

REPORT = schemas()["report"]


def named(page: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", pages()[page].text))


def named_under(heading: str) -> set[str]:
    text = pages()["docs/reference/json-output.md"].text
    (told,) = re.findall(rf"## {heading}\n(.*?)\n## ", text, re.DOTALL)
    return set(re.findall(r"`(\w+)`", told))


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


@pytest.mark.parametrize("kind", [*INDEX_KEYS, RetrievalDifference, WrongAnswer], ids=lambda kind: kind.__name__)
def test_every_key_of_an_index_is_named(kind: type) -> None:
    known = named("docs/reference/json-output.md") if kind is JudgeUse else named_under("JSON of llmops rag")
    assert not {each.name for each in fields(kind)} - known


STORE_KEYS = [Drift, SeenRun, LeftOut, Signal, Change, Moved, NewModel, Explanation, Work, Estimate, StoreStatus, Copied, Kept]


@pytest.mark.parametrize("kind", [*STORE_KEYS, CaseOutputs, Run], ids=lambda kind: kind.__name__)
def test_every_key_of_runs_drift_and_the_store_is_named(kind: type) -> None:
    unprinted = {"snapshot"} if kind is Run else set()
    assert not {each.name for each in fields(kind)} - unprinted - named_under("JSON of runs, drift and the store")
