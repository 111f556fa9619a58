"""`llmops rag eval`: how well indexes find what is relevant, on a BEIR folder or on the project's labelled cases."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Protocol

from llmops.domain.cases import Case
from llmops.domain.errors import UsageError
from llmops.domain.measures import Measured
from llmops.domain.ports import Progress
from llmops.domain.queries import Query, Written
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk, Document, Hit
from llmops.domain.scores import JudgeUse
from llmops.evaluation.datasets import dataset_of, load_dataset
from llmops.evaluation.planning import query_of
from llmops.rag.beir import Judgements, read_judgements, read_queries
from llmops.rag.packing import hit_of
from llmops.rag.retrieving import Retriever
from llmops.rag.timing import Stopwatch
from llmops.scoring.ranking import (
    RelevantUnit,
    collapsed,
    graded_metrics,
    outside,
    parse_unit,
    ranking_metrics,
    uncovered,
)
from llmops.scoring.spans import span_metrics
from llmops.settings.indexes import IndexSettings
from llmops.settings.suite import load_suite, suite_files
from llmops.statistics.intervals import mean_interval, quantile_interval

DEFAULT = "default"
STAGES = ("bm25", "dense")
"""Configurations that every index has besides its own: one stage of its retrieval alone."""


@record
class OpenedIndex:
    """An index that is up to date, and what it took."""

    retriever: Retriever
    documents: int
    build_s: float
    """Seconds until it could be asked."""


class Parts(Protocol):
    """Opens indexes; `wiring` provides it."""

    root: Path

    def open_index(self, name: str, settings: IndexSettings, progress: Progress) -> OpenedIndex:
        """Build the index when it is not up to date, and open it."""
        ...


@record
class LabelledQueries:
    """Queries, and how a ranking of hits is scored for each."""

    texts: Mapping[str, str]
    judgements: Judgements
    """By BEIR document; empty for cases."""
    units: Mapping[str, tuple[str, ...]]
    """`relevant` of each case; empty for BEIR."""

    def score(self, query: str, hits: Sequence[Hit], depths: Sequence[int]) -> dict[str, float]:
        """The metrics of one ranking."""
        if query in self.judgements:
            return graded_metrics([hit.source for hit in hits], self.judgements[query], depths)
        units = [parse_unit(text) for text in self.units[query]]
        return ranking_metrics(collapsed(hits, units), len(units), depths) | span_metrics(hits, units, depths)

    def unknown(self, chunks: Iterable[Chunk]) -> tuple[str, ...]:
        """The labels at which none of the chunks stands, each once."""
        return tuple(unit.text for unit in uncovered(self._labels(), map(hit_of, chunks)))

    def outside(self, documents: Iterable[Document]) -> tuple[str, ...]:
        """The labels that name none of the documents, each once."""
        return tuple(unit.text for unit in outside(self._labels(), (document.id for document in documents)))

    def _labels(self) -> Iterator[RelevantUnit]:
        yield from (parse_unit(text) for texts in self.units.values() for text in texts)
        judged = (name for grades in self.judgements.values() for name, grade in grades.items() if grade > 0)
        yield from (RelevantUnit(name, name) for name in judged)


def beir_queries(folder: Path, root: Path) -> LabelledQueries:
    """The queries of a BEIR folder that have a relevant document.

    Raises:
        InvalidFiles: a file is missing or malformed.
        UsageError: no query has a relevant document.
    """
    judgements = read_judgements(folder, root)
    texts = read_queries(folder, root)
    asked = {key: text for key, text in texts.items() if any(grade > 0 for grade in judgements.get(key, {}).values())}
    if not asked:
        raise UsageError(f"No query of {str(folder)!r} has a relevant document in its judgements.")
    return LabelledQueries(asked, {key: judgements[key] for key in asked}, {})


def asked_cases(index: str, root: Path, dataset: str | None) -> dict[str, tuple[Case, str]]:
    """The cases of a dataset, or of the suites that use an index, each with its query.

    Raises:
        InvalidFiles: a suite or a dataset cannot be read.
    """
    cases: dict[str, tuple[Case, str]] = {}
    if dataset is not None:
        for case in load_dataset(root / dataset, root).cases():
            cases[case.id] = (case, query_of(case.at_last(), None))
        return cases
    for suite in (load_suite(path, root) for path in suite_files(root)):
        if suite.settings.index == index:
            for case in dataset_of(suite, root).cases():
                cases[f"{suite.settings.dataset} {case.id}"] = (case, query_of(case.at_last(), suite.settings.query))
    return cases


def labelled_queries(cases: Mapping[str, tuple[Case, str]]) -> LabelledQueries:
    """Those that have `relevant`."""
    labelled = {key: pair for key, pair in cases.items() if pair[0].relevant}
    units = {key: tuple(dict.fromkeys(case.relevant or ())) for key, (case, _) in labelled.items()}
    return LabelledQueries({key: text for key, (_, text) in labelled.items()}, {}, units)


def case_queries(index: str, root: Path, dataset: str | None) -> LabelledQueries:
    """The labelled cases of a dataset, or of the suites that use an index.

    Raises:
        InvalidFiles: a suite or a dataset cannot be read.
        UsageError: there is no case with `relevant`.
    """
    labelled = labelled_queries(asked_cases(index, root, dataset))
    if not labelled.texts:
        source = f"a suite over the index {index!r}" if dataset is None else dataset
        hint = 'Say in the cases where answers stand: "relevant": ["docs/page.md#heading"]; '
        hint += f"have some made: llmops rag make-dataset {index} --out datasets/made.jsonl; "
        hint += f"or have a judge read the hits: llmops rag eval {index} --judge MODEL"
        raise UsageError(f"No case of {source} has `relevant`.", hint=hint)
    return labelled


def index_queries(index: str, settings: IndexSettings, root: Path, dataset: str | None) -> LabelledQueries:
    """The queries of an index: of its own BEIR folder, else as `case_queries`.

    Raises:
        InvalidFiles: a file cannot be read.
        UsageError: nothing is labelled.
    """
    if settings.corpus.beir is not None and dataset is None:
        return beir_queries(root / settings.corpus.beir, root)
    return case_queries(index, root, dataset)


@record
class Configuration:
    """A pipeline to measure."""

    name: str
    index: str
    """Where it is kept: configurations that only ask differently share one index."""
    settings: IndexSettings


def configurations(
    index: str, base: IndexSettings, names: Sequence[str], others: Mapping[str, IndexSettings]
) -> list[Configuration]:
    """The named configurations over the corpus of `base`: `base` itself, one of its stages, or another pipeline.

    Raises:
        UsageError: no such configuration.
    """
    found: list[Configuration] = []
    for name in names:
        if name in others:
            settings = others[name].model_copy(update={"corpus": base.corpus, "store": base.store})
            found.append(Configuration(name, f"{index}-{name}", settings))
        elif name in STAGES:
            alone: dict[str, int | None] = {stage: getattr(base.retrieve, stage) if stage == name else 0 for stage in STAGES}
            alone |= {"rewrite": None, "hyde": None}
            settings = base.model_copy(update={"retrieve": base.retrieve.model_copy(update=alone)})
            found.append(Configuration(name, index, settings))
        elif name == DEFAULT:
            found.append(Configuration(name, index, base))
        else:
            valid = ", ".join(f"`{each}`" for each in (DEFAULT, *STAGES, *others))
            raise UsageError(f"No configuration is called {name!r}.", hint=f"Valid: {valid}.")
    return found


@record
class Ranked:
    """A configuration that was measured, and what it scored on each query."""

    measured: Measured
    scores: Mapping[str, Sequence[float]]
    """By metric, in the order of the queries."""


def measure(
    configuration: Configuration, labelled: LabelledQueries, depths: Sequence[int], parts: Parts, progress: Progress
) -> Ranked:
    """Build, ask every query, and average; rankings are as deep as the configuration's candidates reach."""
    retrieve = configuration.settings.retrieve
    deep = retrieve.model_copy(update={"k": retrieve.dense + retrieve.bm25})
    settings = configuration.settings.model_copy(update={"retrieve": deep})
    opened = parts.open_index(configuration.index, settings, progress)
    opened.retriever.search([Query("the first query loads what the others use")])
    written = dict(zip(labelled.texts, opened.retriever.written(list(labelled.texts.values())), strict=True))
    watch = Stopwatch()
    scores: dict[str, list[float]] = {}
    seconds: list[float] = []
    progress.started(f"queries of {configuration.name}", len(labelled.texts))
    if opened.retriever.writer is not None:
        watch.seconds["rewrite"] = [each.seconds for each in written.values()]
    asked = _asked(replace(opened.retriever, watch=watch), written)
    for number, (query, hits, spent) in enumerate(asked, start=1):
        seconds.append(spent)
        for metric, value in labelled.score(query, hits, depths).items():
            scores.setdefault(metric, []).append(value)
        progress.advanced(number)
    progress.finished()
    estimates = {metric: mean_interval(values, bounds=(0.0, 1.0)) for metric, values in scores.items()}
    quantiles = {f"query_p{q}_ms": quantile_interval(seconds, q / 100) for q in (50, 95)}
    measured = Measured(
        configuration.name,
        len(labelled.texts),
        opened.documents,
        len(opened.retriever.chunks),
        {metric: each.value for metric, each in estimates.items() if each is not None},
        {metric: None if each is None else each.interval for metric, each in estimates.items()},
        {"build_s": opened.build_s, **{name: 1000 * each.value for name, each in quantiles.items() if each is not None}},
        {stage: 1000 * median(each) for stage, each in watch.seconds.items()},
        sum((each.use for each in written.values()), JudgeUse()) if opened.retriever.writer is not None else None,
        unknown=labelled.unknown(opened.retriever.chunks.values()),
    )
    return Ranked(measured, scores)


def _asked(retriever: Retriever, queries: Mapping[str, Written]) -> Iterator[tuple[str, tuple[Hit, ...], float]]:
    """One query at a time, as a user waits for it: what models wrote counts with what it took when it was written."""
    for query, written in queries.items():
        began = time.perf_counter()
        (hits,) = retriever.search([written.query])
        yield query, hits, time.perf_counter() - began + written.seconds
