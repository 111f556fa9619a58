"""How sure was the model of its own words?"""

import math

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity
from llmops.evaluation.evaluators.latency import RECORDED
from llmops.settings.validation import Strict

ASK = "the model sent no log-probabilities: give it `params: {logprobs: true}` in llmops.yaml"


class PerplexityOptions(Strict):
    """`perplexity` has no options of its own."""


@record
class Perplexity:
    """Value: exp of the mean negative log-probability of the answer's tokens; 1 when each was certain (Jelinek 1977)."""

    options: PerplexityOptions

    @property
    def identity(self) -> str:
        """There is nothing to configure."""
        return identity("perplexity", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Read what the model said of its tokens."""
        found = sample.completion.logprob
        if found is None:
            return Unmeasured(ASK) if sample.messages else RECORDED
        return Score(math.exp(-found), parts={"mean_probability": math.exp(found)})


def _build(options: PerplexityOptions, services: Services) -> Perplexity:
    return Perplexity(options)


KIND = Kind(
    "perplexity",
    "How sure the model was of its words.",
    PerplexityOptions,
    _build,
    reads=frozenset(),
    lower_is_better=True,
    figures=Figures((1.0, math.inf), {"mean_probability": SHARE}),
)
