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
