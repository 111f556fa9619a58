import asyncio
from dataclasses import replace

import pytest
from test_calling import ANSWER, REQUEST, Scripted, target

from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, CompletionRequest, Price
from llmops.evaluation.calling import Callers
from llmops.evaluation.endpoints import Stopping
from llmops.evaluation.spending import PaidCaller, Purse, check_prices
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
