"""What calls to models may cost: a budget needs prices, and is looked at before each call."""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, CompletionRequest, Price, Usage
from llmops.domain.records import record
from llmops.domain.scores import JudgeUse
from llmops.evaluation.batch_calls import BatchCaller
from llmops.evaluation.calling import Caller
from llmops.evaluation.endpoints import Stopping
from llmops.evaluation.planning import Target
from llmops.evaluation.withholding import storable


def check_prices(targets: Iterable[Target], needing: str = "A budget") -> None:
    """Refuse a budget over models whose price is not known.

    Args:
        targets: models that it pays for.
        needing: what it is called, where it is another thing that needs prices.

    Raises:
        UsageError: with the first of them.
    """
    for target in targets:
        if target.rates is None:
            batch = "" if target.batches is None or target.price is None else " in batches"
            rates = "{input_per_million: ..., output_per_million: ...}"
            price = f"{{batch: {rates}, ...}}" if batch else rates
            hint = f"Give it one: models: {{{target.name}: {{price: {price}}}}}"
            raise UsageError(f"{needing} needs the price of {target.name!r}{batch}, which is not known.", hint=hint)


def _nothing() -> None: ...


@dataclass(slots=True)
class Purse:
    """What the calls of one command may cost, and have cost."""

    limit_usd: float | None = None
    """None: no bound."""
    on_empty: Callable[[], None] = field(default=_nothing)
    """Called when the limit is reached, so that what waits for its turn is not sent."""
    spent_usd: float = 0.0
    embedding: dict[str, JudgeUse] = field(default_factory=dict)
    """What hosted embedders took, by the LiteLLM id of their model."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def empty(self) -> bool:
        """The limit is reached."""
        return self.limit_usd is not None and self.spent_usd >= self.limit_usd

    def pay(self, cost_usd: float | None) -> None:
        """Take what a call cost; None: its answer did not tell what it took."""
        with self._lock:
            self.spent_usd += cost_usd or 0.0
        if self.empty:
            self.on_empty()

    def pay_embedding(self, model: str, use: JudgeUse) -> None:
        """Take what a request to an embedder took, in any thread; `on_empty` is left to the caller."""
        with self._lock:
            self.embedding[model] = self.embedding.get(model, JudgeUse()) + use
            self.spent_usd += use.spent_usd or 0.0


@record
class PaidCaller:
    """A caller whose calls are paid from a purse."""

    caller: Caller | BatchCaller
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
        self.purse.pay(completion.cost(self.price))
        return completion


@record
class EmbedderAccount:
    """Implements `EmbeddingAccount`: what one hosted embedder takes is paid from the purse of the run that asks."""

    embedder: str
    """Its identity."""
    model: str
    """Its LiteLLM id."""
    price: Price | None
    meter: "EmbeddingMeter"

    def check(self) -> None:
        """As the port.

        Raises:
            Stopping: the purse is empty.
        """
        if self.meter.purse.empty:
            raise Stopping

    def pay(self, usage: Usage, seconds: float) -> None:
        """As the port."""
        cost = None if self.price is None else self.price.cost(usage, seconds)
        self.meter.pay(self.model, JudgeUse(1, usage.input_tokens, 0, cost, 1, cost, seconds))


class EmbeddingMeter:
    """What the hosted embedders of a process take; they work in threads beside the event loop."""

    def __init__(self) -> None:
        self.purse = Purse()
        self._accounts: list[EmbedderAccount] = []
        self._empty: Callable[[], object] = _nothing

    def account(self, embedder: str, model: str, price: Price | None) -> EmbedderAccount:
        """The account of an embedder that may be asked, by its identity and the LiteLLM id of its model."""
        self._accounts.append(EmbedderAccount(embedder, model, price, self))
        return self._accounts[-1]

    def check_prices(self, embedders: Container[str]) -> None:
        """Refuse a budget over hosted embedders whose price is not known.

        Args:
            embedders: identities of those that are asked; others, and those on this machine, cost it nothing.

        Raises:
            UsageError: with the first of them.
        """
        for account in self._accounts:
            if account.embedder in embedders and account.price is None:
                hint = f"Give it one: embedder: {{kind: litellm, name: {account.model}, price: {{input_per_million: ...}}}}"
                raise UsageError(f"A budget needs the price of the embedder {account.model!r}, which is not known.", hint=hint)

    @contextmanager
    def paid_from(self, purse: Purse) -> Iterator[None]:
        """Have a run's purse pay; that it is empty is told on the event loop that runs now."""
        before = self.purse, self._empty
        self.purse, self._empty = purse, partial(asyncio.get_running_loop().call_soon_threadsafe, lambda: purse.on_empty())
        try:
            yield
        finally:
            self.purse, self._empty = before

    def pay(self, model: str, use: JudgeUse) -> None:
        """Take what a request took, in whichever thread it was made."""
        purse, empty = self.purse, self._empty
        purse.pay_embedding(model, use)
        if purse.empty:
            empty()
