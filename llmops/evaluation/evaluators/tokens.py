"""How many tokens did the answer take?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import COUNT, Figures, Kind, Services, identity
from llmops.evaluation.evaluators.latency import RECORDED
from llmops.settings.validation import Strict


class TokensOptions(Strict):
    """`tokens` has no options of its own."""


@record
class Tokens:
    """Value: input and output tokens together; parts `input` and `output`."""

    options: TokensOptions

    @property
    def identity(self) -> str:
        """There is nothing to configure."""
        return identity("tokens", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Read the usage of the call."""
        usage = sample.completion.usage
        if usage is None:
            return Unmeasured("token usage unknown") if sample.messages else RECORDED
        parts = {"input": float(usage.input_tokens), "output": float(usage.output_tokens)}
        return Score(sum(parts.values()), "estimated: the provider sent no usage" if usage.estimated else "", parts=parts)


def _build(options: TokensOptions, services: Services) -> Tokens:
    return Tokens(options)


KIND = Kind(
    "tokens",
    "Input and output tokens.",
    TokensOptions,
    _build,
    reads=frozenset(),
    lower_is_better=True,
    unit="tokens",
    figures=Figures(COUNT, {"input": COUNT, "output": COUNT}),
)
