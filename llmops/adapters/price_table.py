"""LiteLLM's bundled table of prices and context windows, read without importing LiteLLM."""

import json
import re
from contextlib import suppress
from functools import cache
from typing import Any

from llmops.adapters.providers import listed_providers, litellm_file
from llmops.domain.models import Price

FILE_NAME = "model_prices_and_context_window_backup.json"


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


def listed_price(model_id: str) -> Price | None:
    """The price of a LiteLLM id; None when the table has none, or lists a price of nothing for both directions."""
    row = _row(model_id)
    given, made = (
        row.get("input_cost_per_token"),
        row.get("output_cost_per_token", 0 if row.get("mode") == "embedding" else None),
    )
    if not isinstance(given, int | float) or not isinstance(made, int | float) or not (given or made):
        return None
    cached = row.get("cache_read_input_token_cost")
    read = cached * 1e6 if isinstance(cached, int | float) else None
    return Price(given * 1e6, made * 1e6, read, source="LiteLLM's table")
