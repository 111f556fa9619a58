"""How long did the answer take?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import COUNT, Figures, Kind, Services, identity
from llmops.settings.validation import Strict

RECORDED = Unmeasured("the answer came with the case, no model was called")

BATCHED = Unmeasured("the answer came in a batch, whose time is not its own")


class LatencyOptions(Strict):
    """Options of `latency`."""

    ttft: bool = False
    """Stream the answers to measure the time to the first token, too."""


@record
class Latency:
    """Value: seconds from sending the request to the last byte of the answer."""

    options: LatencyOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("latency", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Read what the call took, unless it was not made in this run."""
        if not sample.messages:
            return RECORDED
        if sample.cached:
            return Unmeasured("answer reused from an earlier run, its latency is not of this run")
        if sample.completion.batched:
            return BATCHED
        ttft = sample.completion.ttft_s
        if not self.options.ttft:
            return Score(sample.completion.latency_s)
        if ttft is None:
            return Score(sample.completion.latency_s, "the answer was not streamed: no time to first token")
        return Score(sample.completion.latency_s, parts={"ttft": ttft})


def _figures(options: LatencyOptions) -> Figures:
    return Figures(COUNT, {"ttft": COUNT} if options.ttft else {})


def _build(options: LatencyOptions, services: Services) -> Latency:
    return Latency(options)


KIND = Kind(
    "latency",
    "Seconds from request to last byte.",
    LatencyOptions,
    _build,
    reads=frozenset(),
    lower_is_better=True,
    unit="s",
    figures=_figures,
)
