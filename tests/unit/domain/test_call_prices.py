"""What a call costs, by the tokens that its provider tells."""

from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.models import Completion, LongPrice, Price, Usage

TOKENS = st.integers(0, 10**6)


def test_each_kind_of_token_has_its_price() -> None:
    price = Price(2.0, 8.0, cached_input_per_million=0.5, reasoning_per_million=40.0)
    usage = Usage(1000, 500, cached_input_tokens=400, reasoning_tokens=100)
    assert price.cost(usage, 1.0) == (600 * 2 + 400 * 0.5 + 400 * 8 + 100 * 40) / 1e6


def test_a_long_input_makes_the_whole_call_dearer() -> None:
    price = Price(2.0, 8.0, long=LongPrice(200_000, Price(4.0, 12.0, cached_input_per_million=1.0)))
    assert price.cost(Usage(200_000, 10), 1.0) == (200_000 * 2 + 10 * 8) / 1e6
    assert price.cost(Usage(200_001, 10, cached_input_tokens=1), 1.0) == (200_000 * 4 + 1 + 10 * 12) / 1e6


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_without_prices_of_their_own_all_tokens_of_a_direction_cost_the_same(
    read: int, cached: int, made: int, hidden: int
) -> None:
    price, usage = Price(2.0, 8.0), Usage(read + cached, made + hidden, cached, reasoning_tokens=hidden)
    assert price.cost(usage, 1.0) == price.cost(Usage(read + cached, made + hidden), 1.0)


def test_a_machine_costs_time_and_what_nobody_knows_is_not_nothing() -> None:
    assert Price(usd_per_hour=3600.0).cost(None, 2.0) == 2.0
    assert Price(2.0, 8.0).cost(None, 2.0) is None
    assert Price(2.0).cost(Usage(1, 1), 2.0) is None


def test_an_answer_of_a_batch_has_a_price_of_its_own_or_none() -> None:
    price = Price(2.0, 8.0, batch=Price(1.0, 4.0))
    alone, batched = (Completion("a", Usage(1000, 500), 1.0, batched=batched) for batched in (False, True))
    assert alone.cost(price) == (1000 * 2 + 500 * 8) / 1e6
    assert batched.cost(price) == (1000 * 1 + 500 * 4) / 1e6
    assert batched.cost(Price(2.0, 8.0)) is None
    assert batched.cost(None) is None
