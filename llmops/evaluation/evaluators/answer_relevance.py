"""Does the answer keep to the question?"""

from collections.abc import Sequence

from llmops.domain.scores import Sample, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.judging.checklist import Checklist, Item, build_checklist
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.scoring.sentences import worded_sentences


class AnswerRelevanceOptions(JudgeOptions):
    """Options of `answer-relevance`."""


def _sentences(sample: Sample) -> Sequence[Item] | Unmeasured:
    if not sample.case.question:
        return Unmeasured("the case has no question")
    found = [Item(each.text, span=(each.start, each.end)) for each in worded_sentences(sample.completion.text)]
    return found or Unmeasured("the answer holds no words")


def _build(options: AnswerRelevanceOptions, services: Services) -> Checklist:
    return build_checklist("answer-relevance", options, services, _sentences, version=2)


KIND = Kind(
    "answer-relevance",
    "Share of the answer's sentences that help to answer the question, by a judge.",
    AnswerRelevanceOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"met": SHARE}),
)
