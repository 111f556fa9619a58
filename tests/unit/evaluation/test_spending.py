import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from test_calling import ANSWER, REQUEST, Scripted, target

from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, CompletionRequest, Price, Usage
from llmops.domain.scores import JudgeUse
from llmops.evaluation.calling import Callers
from llmops.evaluation.endpoints import Stopping
from llmops.evaluation.spending import EmbeddingMeter, PaidCaller, Purse, check_prices
from llmops.settings.secrets import WITHHELD

PRICE = Price(1_000_000, 2_000_000)
"""7 + 3 tokens: 13 dollars a call."""


async def calls(model: Scripted, limit: float | None, wanted: int, concurrency: int) -> tuple[Purse, int]:
    """The purse after so many calls at once, and how many of them were not made."""
    callers = Callers()
    purse = Purse(limit, callers.stop)
    paid = PaidCaller(callers.of(target(model, concurrency=concurrency)), PRICE, purse)
    found = await asyncio.gather(*(paid.complete(REQUEST) for _ in range(wanted)), return_exceptions=True)
    return purse, sum(isinstance(each, Stopping) for each in found)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_no_more_is_spent_than_the_limit_and_what_was_in_flight(concurrency: int) -> None:
    model = Scripted()
    purse, left_out = asyncio.run(calls(model, 40, 50, concurrency))
    assert 40 <= purse.spent_usd < 40 + 13 * concurrency
    assert model.calls == 50 - left_out
    assert purse.spent_usd == 13 * model.calls


def test_no_money_no_call_and_no_limit_no_end() -> None:
    model = Scripted()
    _, left_out = asyncio.run(calls(model, 0, 5, 4))
    assert (left_out, model.calls) == (5, 0)
    purse, left_out = asyncio.run(calls(model, None, 5, 4))
    assert (purse.spent_usd, left_out, model.calls) == (65, 0, 5)


def test_what_a_judge_says_is_kept_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"secret-{ANSWER.text}-4711")

    class Leaking(Scripted):
        async def complete(self, request: CompletionRequest) -> Completion:
            return replace(ANSWER, text=f"It is secret-{ANSWER.text}-4711.")

    async def ask() -> Completion:
        callers = Callers()
        return await PaidCaller(callers.of(target(Leaking())), None, Purse(None, callers.stop)).complete(REQUEST)

    assert asyncio.run(ask()).text == f"It is {WITHHELD}."


def test_a_budget_needs_the_price_of_every_model() -> None:
    check_prices([target(Scripted(), price=PRICE)])
    with pytest.raises(UsageError, match="needs the price of 'm'"):
        check_prices([target(Scripted())])


def test_embedders_in_threads_are_paid_from_the_purse_of_the_run_and_stop_with_it() -> None:
    meter = EmbeddingMeter()
    account = meter.account("e", "openai/e", Price(1_000_000, 0))
    model = Scripted()

    async def run() -> tuple[Purse, Callers]:
        callers = Callers()
        purse = Purse(100, callers.stop)
        with meter.paid_from(purse), ThreadPoolExecutor(4) as pool:
            for _ in range(99):
                account.check()
            list(pool.map(lambda _: account.pay(Usage(1, 0), 0.5), range(99)))
            assert not purse.empty
            account.pay(Usage(1, 0), 0.5)
            with pytest.raises(Stopping):
                account.check()
        await asyncio.sleep(0)  # the callers are stopped on the event loop
        with pytest.raises(Stopping):
            await callers.of(target(model)).complete(REQUEST)
        return purse, callers

    purse, _ = asyncio.run(run())
    assert (purse.spent_usd, purse.embedding) == (100, {"openai/e": JudgeUse(100, 100, 0, 100, 100, 100, 50)})
    assert model.calls == 0
    account.check()  # the next run has a purse of its own


def test_what_an_embedder_of_unknown_price_costs_is_unknown_and_refused_under_a_budget() -> None:
    meter = EmbeddingMeter()
    meter.account("known", "openai/known", Price(1, 0))
    meter.account("e", "openai/e", None).pay(Usage(7, 0), 0.5)
    meter.check_prices({"known", "another"})
    assert meter.purse.embedding["openai/e"].spent_usd is None
    assert meter.purse.spent_usd == 0
    with pytest.raises(UsageError, match="price of the embedder 'openai/e'"):
        meter.check_prices({"known", "e"})
