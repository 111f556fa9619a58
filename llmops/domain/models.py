"""Requests to a model, what comes back, and what it costs."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import Hit

LISTED = "LiteLLM's table"
"""Source of prices that come with LiteLLM."""


@record
class CompletionRequest:
    """One call: everything that can change the answer."""

    messages: tuple[Message, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sampling parameters, passed through to the provider."""
    stream: bool = False
    """Stream only to measure the time to first token."""
    sample: int | str = 0
    """Tells this call from others for further answers to the same."""


@record
class Usage:
    """Tokens of one call."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    """Part of `input_tokens` that the provider read from its own prompt cache."""
    reasoning_tokens: int = 0
    """Part of `output_tokens` that is not in the answer."""
    estimated: bool = False
    """Counted by our tokenizer because the provider sent no usage."""

    def __add__(self, other: "Usage") -> "Usage":
        """Tokens of both."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.estimated or other.estimated,
        )


@record
class RoutedCall:
    """One call of a route."""

    model: str
    """Its name in the project."""
    reason: str
    """Why it was asked; of the served one also why it was served."""
    latency_s: float
    """What the user waited for it; 0 for an answer in the shadow."""
    cost_usd: float | None
    """When the answer was made; None: not known. 0 for a call that failed, whose error tells no usage."""
    error: str = ""
    """Why there is no answer."""
    reused: bool = False
    """The answer was made by an earlier run."""
    attempts: int = 0
    """Requests sent in this run."""
    served: bool = False
    passed: bool | None = None
    """Whether the answer passed the checks of the route; None: it has none, or nobody looked."""


@record
class Completion:
    """An answer and how it came about."""

    text: str
    usage: Usage | None
    latency_s: float
    """From the moment the last attempt was sent to its last byte: neither our queue nor earlier attempts."""
    ttft_s: float | None = None
    """Seconds to the first token; None when the call was not streamed."""
    finish_reason: str | None = None
    attempts: int = 1
    """Calls made, the successful one included."""
    model: str | None = None
    """The model id that the provider says has answered."""
    route: tuple[RoutedCall, ...] = ()
    """Every call that led to the answer, in order; empty without a route."""
    logprob: float | None = None
    """Mean natural log-probability of the answer's tokens; None when the model sent none."""
    contexts: tuple[Hit, ...] = ()
    """Passages that an application answered from, which it retrieved itself."""
    told_usd: float | None = None
    """What the call cost, as an application says of itself; None: it does not."""
    batched: bool = False
    """It came in a batch of the provider: at the price of batches, and without a latency that means anything."""

    def cost(self, price: "Price | None") -> float | None:
        """USD of the call: what it says itself, else by a price; None when it cannot be known."""
        rates = price.batch if self.batched and price is not None else price
        if self.told_usd is not None or rates is None:
            return self.told_usd
        return rates.cost(self.usage, self.latency_s)


@record
class Price:
    """What a model costs. Either per token or per hour of the machine that runs it."""

    input_per_million: float | None = None
    """USD per million input tokens."""
    output_per_million: float | None = None
    cached_input_per_million: float | None = None
    """USD per million input tokens read from the provider's cache; None: as `input_per_million`."""
    reasoning_per_million: float | None = None
    """USD per million output tokens that are not in the answer; None: as `output_per_million`."""
    usd_per_hour: float | None = None
    """USD per hour of the machine; a call costs its latency."""
    long: "LongPrice | None" = None
    """What a call with a long input costs instead; None: the same."""
    batch: "Price | None" = None
    """What a call in a batch of the provider costs instead; None: not known."""
    source: str = "llmops.yaml"
    """Where the figure comes from."""

    def cost(self, usage: Usage | None, latency_s: float) -> float | None:
        """USD of one call, or None when it cannot be known."""
        if self.usd_per_hour is not None:
            return self.usd_per_hour * latency_s / 3600
        if usage is None or self.input_per_million is None or self.output_per_million is None:
            return None
        if self.long is not None and usage.input_tokens > self.long.above_tokens:
            return self.long.price.cost(usage, latency_s)
        cached = self.input_per_million if self.cached_input_per_million is None else self.cached_input_per_million
        reasoning = self.output_per_million if self.reasoning_per_million is None else self.reasoning_per_million
        fresh, told = usage.input_tokens - usage.cached_input_tokens, usage.output_tokens - usage.reasoning_tokens
        spent = fresh * self.input_per_million + usage.cached_input_tokens * cached
        return (spent + told * self.output_per_million + usage.reasoning_tokens * reasoning) / 1_000_000


@record
class LongPrice:
    """What a provider takes for the whole call once its input is long."""

    above_tokens: int
    """Input tokens, those from the cache included."""
    price: Price
