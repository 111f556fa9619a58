"""How much of its words does the answer share with the expected text?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, Texts, identity
from llmops.evaluation.evaluators.equals import references
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.scoring.overlap import Metric, agreement
from llmops.settings.validation import Strict


class OverlapOptions(Strict):
    """Options of `overlap`."""

    to: Texts = "expected"
    """Of several the closest counts."""
    metric: Metric = "rouge-l"


@record
class Overlap:
    """Value: the metric against the closest reference, 0 to 1."""

    options: OverlapOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("overlap", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Hold the answer against each reference."""
        texts = references(sample.case, self.options.to)
        if not isinstance(texts, list):
            return texts
        found = [agreement(self.options.metric, sample.completion.text, text) for text in texts]
        best, closest = max(zip(found, texts, strict=True), key=lambda pair: pair[0].value)
        parts = {name: value for name in ("precision", "recall") if (value := getattr(best, name)) is not None}
        return Score(best.value, f"closest: {excerpt(closest)}", parts=parts)


def _build(options: OverlapOptions, services: Services) -> Overlap:
    return Overlap(options)


def _figures(options: OverlapOptions) -> Figures:
    parts = () if options.metric in ("bleu", "edit") else ("precision", "recall")
    return Figures(SHARE, dict.fromkeys(parts, SHARE))


KIND = Kind(
    "overlap",
    "Words or characters shared with the expected text: F1, ROUGE, BLEU, chrF or edit distance.",
    OverlapOptions,
    _build,
    figures=_figures,
    fields=("to",),
)
