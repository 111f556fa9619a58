"""Does the answer state every point that a complete one holds?"""

from collections.abc import Sequence

from llmops.domain.scores import Sample, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, Texts, read_field
from llmops.evaluation.judging.checklist import Checklist, Item, Items, build_checklist, texts_of
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.scoring.sentences import worded_sentences


class CompletenessOptions(JudgeOptions):
    """Options of `completeness`."""

    points: Texts = "expected"
    """The points, or the field of the case that holds them: a list, or a text whose sentences are the points."""


def points_of(points: str | list[str]) -> Items:
    """Each point that a complete answer holds, by the option `points`."""

    def items(sample: Sample) -> Sequence[Item] | Unmeasured:
        value = read_field(sample.case, points) if isinstance(points, str) else points
        if isinstance(value, Unmeasured):
            return value
        texts = [each.text for each in worded_sentences(value)] if isinstance(value, str) else texts_of(value)
        return [Item(text) for text in texts] or Unmeasured(f"the case's `{points}` is empty")

    return items


def _build(options: CompletenessOptions, services: Services) -> Checklist:
    return build_checklist("completeness", options, services, points_of(options.points), version=2)


KIND = Kind(
    "completeness",
    "Share of the expected points that the answer states, by a judge.",
    CompletenessOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"met": SHARE}),
    fields=("points",),
)
