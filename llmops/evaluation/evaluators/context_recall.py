"""Did the search find what a complete answer states?"""

from collections.abc import Sequence

from llmops.domain.scores import Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.evaluators.completeness import CompletenessOptions, points_of
from llmops.evaluation.judging.checklist import Checklist, Item, build_checklist


class ContextRecallOptions(CompletenessOptions):
    """Options of `context-recall`."""


def _build(options: ContextRecallOptions, services: Services) -> Checklist:
    points = points_of(options.points)

    def items(sample: Sample) -> Sequence[Item] | Unmeasured | Score:
        found = points(sample)
        return found if sample.hits or isinstance(found, Unmeasured) else Score(0.0, "there are no passages")

    return build_checklist("context-recall", options, services, items, sees=("question", "passages"))


KIND = Kind(
    "context-recall",
    "Share of the expected points that the passages hold, by a judge.",
    ContextRecallOptions,
    _build,
    cached=True,
    reads=frozenset(("question", "passages")),
    figures=Figures(SHARE, {"met": SHARE}),
    fields=("points",),
)
