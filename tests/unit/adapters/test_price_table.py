"""Rows of LiteLLM's table are found without reading all of it."""

import json
import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmops.adapters import price_table
from llmops.adapters.price_table import listed_price, listed_window

TABLE = """{
  "search": {"parts": {"m": {"input_cost_per_token": 9}}, "litellm_provider": "x", "mode": "search"},
  "a/m+1":{"litellm_provider": "a", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_input_tokens": 100},
  "vectors": {"litellm_provider": "a", "input_cost_per_token": 2e-8, "mode": "embedding"},
  "tiers": {"litellm_provider": "a", "input_cost_per_token": 1e-6, "input_cost_per_token_above_272k_tokens": 2e-6,
    "input_cost_per_token_above_272k_tokens_flex": 1e-6, "input_cost_per_token_flex": 5e-7, "output_cost_per_token": 4e-6,
    "output_cost_per_token_above_272k_tokens": 6e-6, "output_cost_per_token_flex": 2e-6,
    "cache_read_input_token_cost": 1e-7, "output_cost_per_reasoning_token": 8e-6},
  "batches": {"litellm_provider": "a", "input_cost_per_token": 2e-6, "output_cost_per_token": 4e-6,
    "input_cost_per_token_batches": 1e-6, "output_cost_per_token_batches": 2e-6, "output_cost_per_reasoning_token": 8e-6,
    "input_cost_per_token_above_200k_tokens": 4e-6, "input_cost_per_token_above_200k_tokens_batches": 3e-6,
    "output_cost_per_token_above_200k_tokens": 6e-6, "output_cost_per_token_above_200k_tokens_batches": 5e-6},
  "half a batch": {"litellm_provider": "a", "input_cost_per_token": 2e-6, "output_cost_per_token": 4e-6,
    "input_cost_per_token_batches": 1e-6},
  "half": {"litellm_provider": "a", "input_cost_per_token": 2e-8, "mode": "chat"},
  "free" : {"litellm_provider": "a", "input_cost_per_token": 0, "output_cost_per_token": 0.0},
  "cut": {"litellm_provider": "a", "input_cost_per_token": 1e-6, "output
"""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    price_table._row.cache_clear()
    monkeypatch.setattr(price_table, "_table", lambda: TABLE)


@pytest.mark.usefixtures("table")
def test_a_row_is_found_by_its_id_or_by_what_follows_the_provider() -> None:
    price = listed_price("a/m+1")
    assert price is not None
    assert (price.input_per_million, price.output_per_million) == (1.0, 2.0)
    assert listed_price("openai/a/m+1") == price
    assert listed_window("a/m+1") == 100


@pytest.mark.usefixtures("table")
def test_a_row_tells_what_long_inputs_reasoning_and_a_tier_cost() -> None:
    usual, flex = listed_price("tiers"), listed_price("tiers", "flex")
    assert usual is not None
    assert flex is not None
    assert (usual.input_per_million, usual.cached_input_per_million, usual.reasoning_per_million) == (1.0, 0.1, 8.0)
    assert usual.long is not None
    assert (usual.long.above_tokens, usual.long.price.output_per_million) == (272_000, 6.0)
    assert (flex.input_per_million, flex.output_per_million) == (0.5, 2.0)
    assert flex.long is not None
    assert (flex.long.price.input_per_million, flex.long.price.output_per_million) == (1.0, 6.0)
    assert listed_price("tiers", "standard") == listed_price("tiers", 7) == usual


@pytest.mark.usefixtures("table")
def test_a_row_tells_what_batches_cost_where_it_knows_both_directions() -> None:
    price, half = listed_price("batches"), listed_price("half a batch")
    assert price is not None
    assert half is not None
    assert price.batch is not None
    assert (price.batch.input_per_million, price.batch.output_per_million, price.batch.reasoning_per_million) == (
        1.0,
        2.0,
        None,
    )
    assert price.batch.long is not None
    assert (price.batch.long.price.input_per_million, price.batch.long.price.output_per_million) == (3.0, 5.0)
    assert (half.input_per_million, half.batch) == (2.0, None)


@pytest.mark.usefixtures("table")
def test_an_embedder_needs_no_price_of_an_answer() -> None:
    price = listed_price("openai/vectors")
    assert price is not None
    assert price.input_per_million == pytest.approx(0.02)
    assert price.output_per_million == 0


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "model_id", ["half", "m", "a/m", "x/m", "a/m.1", "opena/a/m+1", "parts", "free", "cut", "", "/", "openai/"]
)
def test_what_is_no_row_or_tells_no_price_is_not_known(model_id: str) -> None:
    assert listed_price(model_id) is None
    assert listed_window(model_id) is None


def test_rows_are_those_of_the_bundled_table() -> None:
    price_table._row.cache_clear()
    found = find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    rows = json.loads(Path(found.origin).with_name(price_table.FILE_NAME).read_text(encoding="utf-8"))
    models = [name for name, row in rows.items() if "litellm_provider" in row]
    for name in random.Random(0).sample(models, 100):
        assert price_table._row(name) == rows[name]
