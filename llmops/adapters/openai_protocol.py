"""What the OpenAI protocol says the same way whichever client carries it."""

import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from math import isfinite
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


def logprobs_of(logprobs: Any) -> list[float]:  # noqa: ANN401 -- as `usage_of`
    """The log-probability of each token, as a choice of an answer or of a chunk reports it; empty when it does not."""
    tokens = _field(logprobs, "content")
    found = [_field(token, "logprob") for token in tokens] if isinstance(tokens, list) else []
    return [float(each) for each in found if isinstance(each, int | float) and isfinite(each)]


def _field(value: Any, name: str) -> Any:  # noqa: ANN401 -- as `usage_of`
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def mean(values: Sequence[float]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None


def _detail(details: Any, name: str) -> int:  # noqa: ANN401 -- as `usage_of`
    return _field(details, name) or 0


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
