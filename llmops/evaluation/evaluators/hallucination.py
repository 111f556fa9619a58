"""Is the answer supported by the passages that the prompt saw?"""

from dataclasses import dataclass
from typing import Literal

from llmops.domain.scores import DetectionRequest, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.asking import described, question
from llmops.evaluation.evaluators.base import AskDetector, Kind, Services, identity
from llmops.scoring.refusal import refuses
from llmops.settings.validation import Strict


class HallucinationOptions(Strict):
    """Options of `hallucination`."""

    backend: Literal["embedded"] = "embedded"
    """The detector that is asked."""


@dataclass(frozen=True, slots=True)
class Hallucination:
    """Value: probability that the answer says something the passages do not support."""

    options: HallucinationOptions
    detector: AskDetector

    @property
    def identity(self) -> str:
        """The options and the detector."""
        return identity("hallucination", 1, self.options, self.detector.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Ask the detector; an answer that declines claims nothing."""
        if not sample.hits:
            return Unmeasured("there are no passages to hold the answer against")
        output = sample.completion.text
        if refuses(output):
            return Unmeasured("the answer declines, so it claims nothing")
        contexts = tuple(hit.text for hit in sample.hits)
        sources = tuple(hit.source for hit in sample.hits)
        found = await self.detector(DetectionRequest(output, contexts, sources, question(sample.case)))
        return Score(found.value, described(output, found.spans), found.spans, found.parts)


def _build(options: HallucinationOptions, services: Services) -> Hallucination:
    return Hallucination(options, services.detect("hallucination", options.backend))


KIND = Kind(
    "hallucination",
    "Probability that the passages do not support the answer.",
    HallucinationOptions,
    _build,
    max=0.5,
    cached=True,
    lower_is_better=True,
)
