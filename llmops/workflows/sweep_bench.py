"""Measures the configurations of a sweep: each is built, asked, and kept in the store for the next sweep."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from llmops.domain.keys import content_hash, node_key
from llmops.domain.ports import Embedder, Progress, Store
from llmops.domain.queries import Query
from llmops.domain.records import record
from llmops.domain.runs import Node
from llmops.domain.serial import plain
from llmops.domain.sweeps import SweepMetric, TrialFigures
from llmops.rag.loading import Corpus
from llmops.rag.retrieving import Retriever
from llmops.settings.indexes import IndexSettings
from llmops.workflows.rag_eval import LabelledQueries

MEASURING_VERSION = 1
DEEP = 1000
"""Depth of the metrics: the budget bounds the context, not a number of hits."""


class PlannedIndex(Protocol):
    """An index with settings of its own; nothing is built before it is asked to."""

    settings: IndexSettings

    @property
    def corpus(self) -> Corpus:
        """The documents."""
        ...

    @property
    def key(self) -> str:
        """Its content key."""
        ...

    def retrieval_identity(self, key: str) -> str:
        """Changes whenever the same query could give other hits from the generation with this key."""
        ...

    def build(self, progress: Progress) -> object:
        """Bring it up to date."""
        ...

    def open(self, progress: Progress) -> Retriever:
        """The retriever over the current corpus."""
        ...

    def drop(self) -> None:
        """Remove it."""
        ...


class Parts(Protocol):
    """What a sweep needs of a project; `wiring` provides it."""

    root: Path

    @property
    def store(self) -> Store:
        """Where measurements are kept, so that a sweep goes on where it was stopped."""
        ...

    def planned_index(
        self, name: str, settings: IndexSettings, *, remember: bool = False, corpus: Corpus | None = None
    ) -> PlannedIndex:
        """An index with settings of its own, over a corpus that was loaded before; `remember` embeds no passage twice."""
        ...

    def embedder(self, settings: Any) -> Embedder:  # noqa: ANN401 -- EmbedderSettings
        """The embedder that the settings name."""
        ...


@record
class Trial:
    """One configuration on some queries."""

    name: str
    settings: IndexSettings
    figures: TrialFigures

    def mean(self, queries: Sequence[str]) -> float:
        """Of the metric, over some queries."""
        return math.fsum(self.figures.scores[query] for query in queries) / len(queries)

    def percentile_ms(self, q: float) -> float:
        """Of what a query took."""
        ordered = sorted(self.figures.seconds)
        return 1000 * ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)]


class SweepBench:
    """Measures configurations; those with one chunker and embedder share an index, and one scratch index serves all."""

    def __init__(
        self, index: str, base: IndexSettings, labelled: LabelledQueries, metric: SweepMetric, parts: Parts, progress: Progress
    ) -> None:
        self._index = index
        self._base = base
        self._corpus = parts.planned_index(index, base).corpus
        self.unknown = labelled.outside(self._corpus.documents)
        """Labels that name no document."""
        self._labelled = labelled
        self._metric = metric
        self._parts = parts
        self._progress = progress
        self._count = parts.embedder(base.embedder).tokenizer.count
        self._built: dict[str, float] = {}
        self._scratch: PlannedIndex | None = None
        labels = [labelled.texts, labelled.judgements, labelled.units]
        self._labels = content_hash(repr([sorted(each.items()) for each in labels]))

    def measured(self, name: str, settings: IndexSettings, queries: Sequence[str]) -> Trial:
        """A configuration on these queries; what an earlier sweep measured is read from the store."""
        shared = (settings.chunker, settings.embedder) == (self._base.chunker, self._base.embedder)
        where = self._index if shared else f"{self._index}.sweep"
        planned = self._parts.planned_index(where, settings, remember=not shared, corpus=self._corpus)
        inputs = {"retrieval": planned.retrieval_identity(planned.key), "labels": self._labels, "metric": self._metric}
        key = node_key("sweep", MEASURING_VERSION, inputs)
        node = self._parts.store.nodes([key]).get(key)
        kept = None if node is None else node.read(lambda value: TrialFigures(**value))
        missing = [query for query in queries if kept is None or query not in kept.scores]
        if kept is None or missing:
            kept = self._asked(planned, missing, kept, shared=shared)
            self._parts.store.commit([Node(key, "sweep", plain(kept), "sweep")], "", [])
        if not shared:
            self._scratch = planned
        return Trial(name, settings, kept)

    def _asked(self, planned: PlannedIndex, queries: Sequence[str], kept: TrialFigures | None, *, shared: bool) -> TrialFigures:
        """The figures with those of further queries."""
        began = time.perf_counter()
        planned.build(self._progress)
        retriever = planned.open(self._progress)
        built = self._built.setdefault(planned.key, time.perf_counter() - began)
        retriever.search([Query("the first query loads what the others use")])
        build_s = None if shared else built
        scores, tokens, seconds = dict[str, float](), dict[str, int](), list[float]()
        if kept is not None:
            build_s, scores, tokens, seconds = kept.build_s, dict(kept.scores), dict(kept.tokens), list(kept.seconds)
        for query, written in zip(queries, retriever.written([self._labelled.texts[query] for query in queries]), strict=True):
            began = time.perf_counter()
            (hits,) = retriever.search([written.query])
            seconds.append(time.perf_counter() - began + written.seconds)
            values = self._labelled.score(query, hits, [DEEP])
            scores[query] = values[self._metric if self._metric == "mrr" else f"{self._metric}@{DEEP}"]
            tokens[query] = sum(self._count(hit.text) for hit in hits)
        size = sum(len(chunk.text.encode()) for chunk in retriever.chunks.values())
        size += len(retriever.chunks) * retriever.embedder.dimensions * 4
        return TrialFigures(scores, tokens, seconds, len(retriever.chunks), size, build_s)

    def close(self) -> None:
        """Remove the scratch index."""
        if self._scratch is not None:
            self._scratch.drop()
