"""What calls to models may cost: a budget needs prices, and is looked at before each call."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, CompletionRequest, Price
from llmops.domain.records import record
from llmops.evaluation.calling import Caller
from llmops.evaluation.endpoints import Stopping
from llmops.evaluation.planning import Target
from llmops.evaluation.withholding import storable


def check_prices(targets: Iterable[Target]) -> None:
    """Refuse a budget over models whose price is not known.

    Raises:
        UsageError: with the first of them.
    """
    for target in targets:
        if target.price is None and not target.embedded:
            hint = f"Give it one: models: {{{target.name}: {{price: {{input_per_million: ..., output_per_million: ...}}}}}}"
            raise UsageError(f"A budget needs the price of {target.name!r}, which is not known.", hint=hint)


def _nothing() -> None: ...


@dataclass(slots=True)
class Purse:
    """What the calls of one command may cost, and have cost."""

    limit_usd: float | None = None
    """None: no bound."""
    on_empty: Callable[[], None] = field(default=_nothing)
    """Called when the limit is reached, so that what waits for its turn is not sent."""
    spent_usd: float = 0.0

    @property
    def empty(self) -> bool:
        """The limit is reached."""
        return self.limit_usd is not None and self.spent_usd >= self.limit_usd

    def pay(self, cost_usd: float | None) -> None:
        """Take what a call cost; None: its answer did not tell what it took."""
        self.spent_usd += cost_usd or 0.0
        if self.empty:
            self.on_empty()


@record
class PaidCaller:
    """A caller whose calls are paid from a purse."""

    caller: Caller
    price: Price | None
    purse: Purse

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the caller.

        Raises:
            ModelError: the last attempt's error.
            Stopping: the purse is empty, or the run is being stopped; the call was not made.
        """
        if self.purse.empty:
            raise Stopping
        completion = storable(await self.caller.complete(request))
        self.purse.pay(None if self.price is None else self.price.cost(completion.usage, completion.latency_s))
        return completion
