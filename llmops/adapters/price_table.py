"""LiteLLM's bundled table of prices and context windows, read without importing LiteLLM."""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llmops.domain.models import Price

FILE_NAME = "model_prices_and_context_window_backup.json"


@cache
def _table() -> dict[str, Any]:
    found = find_spec("litellm")
    if found is None or found.origin is None:
        return {}
    path = Path(found.origin).parent / FILE_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _row(model_id: str) -> dict[str, Any]:
    row = _table().get(model_id) or _table().get(model_id.partition("/")[2])
    return row if isinstance(row, dict) else {}


def listed_window(model_id: str) -> int | None:
    """Input tokens that a LiteLLM id takes; None when the table does not say."""
    window = _row(model_id).get("max_input_tokens")
    return window if isinstance(window, int) and window > 0 else None


def listed_price(model_id: str) -> Price | None:
    """The price of a LiteLLM id; None when the table has none, or lists a price of nothing for both directions."""
    row = _row(model_id)
    given, made = row.get("input_cost_per_token"), row.get("output_cost_per_token")
    if not isinstance(given, int | float) or not isinstance(made, int | float) or not (given or made):
        return None
    cached = row.get("cache_read_input_token_cost")
    read = cached * 1e6 if isinstance(cached, int | float) else None
    return Price(given * 1e6, made * 1e6, read, source="LiteLLM's table")
