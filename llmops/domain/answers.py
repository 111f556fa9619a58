"""An answer that calls tools: JSON with what it says and what it calls, since an answer is a text wherever it goes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

TEXT, CALLS = "text", "tool_calls"


def with_calls(text: str, calls: Sequence[Mapping[str, Any]]) -> str:
    """The answer that says `text`, which may be empty, and makes these calls, each with `name` and `arguments`.

    Raises:
        TypeError, ValueError, RecursionError: an argument is no JSON value.
    """
    return json.dumps({**({TEXT: text} if text else {}), CALLS: list(calls)}, ensure_ascii=False)


def said(answer: str) -> str:
    """What an answer says to the user: the text beside its calls, where it has one; else all of it."""
    try:
        found = json.loads(answer) if answer.startswith(f'{{"{TEXT}": ') else None
    except (ValueError, RecursionError):
        return answer
    text = found[TEXT] if isinstance(found, dict) and found.keys() == {TEXT, CALLS} else None
    return text if isinstance(text, str) else answer
