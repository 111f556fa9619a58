"""Did the search find passages that help to answer the question?"""

from collections.abc import Sequence

from llmops.domain.scores import Sample, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.judging.checklist import Checklist, Item, build_checklist
from llmops.evaluation.judging.panel import JudgeOptions


class ContextRelevanceOptions(JudgeOptions):
    """Options of `context-relevance`."""


def _passages(sample: Sample) -> Sequence[Item] | Unmeasured:
    if not sample.case.question:
        return Unmeasured("the case has no question")
    return [Item(hit.text) for hit in sample.hits] or Unmeasured("there are no passages")


def _build(options: ContextRelevanceOptions, services: Services) -> Checklist:
    return build_checklist("context-relevance", options, services, _passages, sees=("question",))


KIND = Kind(
    "context-relevance",
    "Share of the passages that help to answer the question, by a judge.",
    ContextRelevanceOptions,
    _build,
    cached=True,
    reads=frozenset(("question", "passages")),
    figures=Figures(SHARE, {"met": SHARE}),
)
