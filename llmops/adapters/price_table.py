"""LiteLLM's bundled table of prices and context windows, read without importing LiteLLM."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

from llmops.adapters.providers import listed_providers, litellm_file
from llmops.domain.models import LISTED, LongPrice, Price

FILE_NAME = "model_prices_and_context_window_backup.json"
REASONING = "output_cost_per_reasoning_token"
BATCHES = "_batches"
"""Ends the names of the prices of batches."""
_LONG = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")


@cache
def _table() -> str:
    return litellm_file(FILE_NAME)


@cache
def _row(model_id: str) -> dict[str, Any]:
    """One row of the table, whose 3 MB are searched and not parsed: that of the id, else of what a known provider serves."""
    provider, _, served = model_id.partition("/")
    for name in filter(None, (model_id, served if provider in listed_providers() else "")):
        for place in re.finditer(rf"{re.escape(json.dumps(name))}\s*:\s*(?={{)", _table()):
            with suppress(ValueError):
                row = json.JSONDecoder().raw_decode(_table(), place.end())[0]
                if "litellm_provider" in row:  # else it is a part of some row that is called as the model is
                    return dict(row)
    return {}


def listed_window(model_id: str) -> int | None:
    """Input tokens that a LiteLLM id takes; None when the table does not say."""
    window = _row(model_id).get("max_input_tokens")
    return window if isinstance(window, int) and window > 0 else None


def listed_price(model_id: str, tier: object = None) -> Price | None:
    """The price of a LiteLLM id; None when the table has none, or lists a price of nothing for both directions.

    Args:
        model_id: as LiteLLM knows it.
        tier: OpenAI's `service_tier`, such as `flex`; where the table has no price of it, the usual one holds.
    """
    row = _row(model_id)
    suffix = f"_{tier}" if isinstance(tier, str) else ""
    usual = _rates(row, suffix)
    if usual is None or not (usual.input_per_million or usual.output_per_million):
        return None
    return replace(_by_length(row, suffix, usual), batch=_of_batches(row))


def _by_length(row: Mapping[str, Any], suffix: str, usual: Price) -> Price:
    """The usual price, with what a long input costs where the row says so."""
    for name in row:
        if above := _LONG.fullmatch(name):
            rates = _rates(row, suffix, above[1])
            return usual if rates is None else replace(usual, long=LongPrice(1000 * int(above[2]), rates))
    return usual


def _of_batches(row: Mapping[str, Any]) -> Price | None:
    """What a call costs in a batch; None where the row does not say both directions."""
    if not all(f"{name}{BATCHES}" in row for name in ("input_cost_per_token", "output_cost_per_token")):
        return None
    usual = _rates({name: value for name, value in row.items() if name != REASONING}, BATCHES)
    return None if usual is None else _by_length(row, BATCHES, usual)


def _rates(row: Mapping[str, Any], suffix: str, long: str = "") -> Price | None:
    """What a row says of inputs of one length; None when it does not say both directions."""

    def usd(name: str) -> float | None:
        found = row.get(f"{name}{long}{suffix}", row.get(f"{name}{long}"))
        return round(found * 1e6, 9) if isinstance(found, int | float) else None

    given, made = usd("input_cost_per_token"), usd("output_cost_per_token")
    if made is None and row.get("mode") == "embedding":
        made = 0.0
    if given is None or made is None:
        return None
    return Price(given, made, usd("cache_read_input_token_cost"), usd(REASONING), source=LISTED)
