"""What the OpenAI protocol says the same way whichever client carries it."""

import time
from email.utils import parsedate_to_datetime
from typing import Any

from llmops.domain.models import Usage
from llmops.settings.project import ModelSettings


def model_identity(settings: ModelSettings) -> str:
    """What decides which model answers; the transport does not."""
    return f"{settings.id}|{settings.api_base or ''}"


def usage_of(usage: Any) -> Usage | None:  # noqa: ANN401 -- a client's object, or the provider's JSON
    """Usage as the OpenAI protocol reports it; None when it is missing or empty."""
    get = usage.get if isinstance(usage, dict) else lambda name, default=None: getattr(usage, name, default)
    if usage is None or not (get("prompt_tokens") or get("completion_tokens")):
        return None
    return Usage(
        get("prompt_tokens") or 0,
        get("completion_tokens") or 0,
        cached_input_tokens=_detail(get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_detail(get("completion_tokens_details"), "reasoning_tokens"),
    )


def _detail(details: Any, name: str) -> int:  # noqa: ANN401 -- as `usage_of`
    value = details.get(name) if isinstance(details, dict) else getattr(details, name, None)
    return value or 0


def seconds(value: str | None) -> float | None:
    """A Retry-After header (RFC 9110): seconds, or a date; None when it is missing or neither."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            return None
