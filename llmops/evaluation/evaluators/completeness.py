"""Does the answer state every point that a complete one holds?"""

from collections.abc import Sequence

from llmops.domain.scores import Sample, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, read_field
from llmops.evaluation.judging.checklist import Checklist, Item, build_checklist, texts_of
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.scoring.sentences import split_sentences


class CompletenessOptions(JudgeOptions):
    """Options of `completeness`."""

    points: str = "expected"
    """Field of the case that holds the points: a list, or a text whose sentences are the points."""


def _build(options: CompletenessOptions, services: Services) -> Checklist:
    def items(sample: Sample) -> Sequence[Item] | Unmeasured:
        value = read_field(sample.case, options.points)
        if isinstance(value, Unmeasured):
            return value
        texts = [each.text for each in split_sentences(value)] if isinstance(value, str) else texts_of(value)
        return [Item(text) for text in texts] or Unmeasured(f"the case's `{options.points}` is empty")

    return build_checklist("completeness", options, services, items)


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
