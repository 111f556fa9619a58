"""What did the answer cost?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import COUNT, Figures, Kind, Services, identity
from llmops.evaluation.evaluators.latency import RECORDED
from llmops.settings.validation import Strict


class CostOptions(Strict):
    """`cost` has no options of its own."""


@record
class Cost:
    """Value: USD of the answer when it was made."""

    options: CostOptions

    @property
    def identity(self) -> str:
        """There is nothing to configure."""
        return identity("cost", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Read the cost of the call."""
        if sample.cost_usd is None:
            return Unmeasured("price unknown") if sample.messages else RECORDED
        return Score(sample.cost_usd)


def _build(options: CostOptions, services: Services) -> Cost:
    return Cost(options)


KIND = Kind(
    "cost",
    "US dollars of the answer.",
    CostOptions,
    _build,
    reads=frozenset(),
    lower_is_better=True,
    unit="USD",
    figures=Figures(COUNT),
)
