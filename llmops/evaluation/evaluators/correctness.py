"""Does the answer agree with the expected one?"""

from collections.abc import Sequence
from dataclasses import replace

from llmops.domain.scores import Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.evaluators.completeness import CompletenessOptions, points_of
from llmops.evaluation.judging.checklist import Checklist, Item, build_checklist
from llmops.evaluation.judging.replies import ItemVerdict
from llmops.scoring.sentences import worded_sentences

ANSWER, EXPECTED = "answer", "expected answer"


class CorrectnessOptions(CompletenessOptions):
    """Options of `correctness`."""


def agreement(items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> dict[str, float]:
    """`precision`: share of the answer's sentences that the expected answer confirms; `recall`: share of its points stated.

    One is left out where no item of its text applies.
    """
    judged: dict[str, list[str]] = {"precision": [], "recall": []}
    for item, verdict in zip(items, verdicts, strict=True):
        judged["precision" if item.of == ANSWER else "recall"].append(verdict.verdict)
    return {name: found.count("yes") / len(found) for name, found in judged.items() if found}


def f1(items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> float:
    """Harmonic mean of precision and recall; of one alone where the other is not known."""
    values = agreement(items, verdicts).values()
    return len(values) / sum(1 / value for value in values) if all(values) else 0.0


def _build(options: CorrectnessOptions, services: Services) -> Checklist:
    points = points_of(options.points)

    def items(sample: Sample) -> Sequence[Item] | Unmeasured | Score:
        expected = points(sample)
        if isinstance(expected, Unmeasured | Score):
            return expected
        said = [
            Item(each.text, span=(each.start, each.end), of=ANSWER, no="wrong")
            for each in worded_sentences(sample.completion.text)
        ]
        wanted = [replace(point, of=EXPECTED, no="missing") for point in expected]
        return [*wanted, *said] if said else Score(0.0, "the answer holds no words")

    return build_checklist("correctness", options, services, items, weigh=f1, parts=agreement)


KIND = Kind(
    "correctness",
    "F1 of the answer against the expected one, statement by statement, by a judge.",
    CorrectnessOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"precision": SHARE, "recall": SHARE}),
    fields=("points",),
)
