"""The variables of a prompt: what they are declared to be, and whether a value fits."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from llmops.domain.prompts import Image
from llmops.domain.records import record

Value = Any
"""Any value that a template may meet: a JSON value, or an image."""

MAX_ITEMS = 2_000_000
"""Items and keys that the values of one rendering may hold."""
RESERVED = frozenset(["contexts", "loop", "self", "caller", "varargs", "kwargs", "messages", "range", "dict", "namespace"])
"""Names that mean something else in a template."""


class BadValue(ValueError):
    """A value that does not fit its variable."""


@record
class Variable:
    """One variable of a prompt."""

    name: str
    type: str = "any"
    """`string`, `integer`, `number`, `boolean`, `array`, `object`, `image`, `messages` or `any`."""
    required: bool = True
    default: Value = None
    """Used when no value is given and the variable is not required."""
    description: str = ""
    examples: tuple[Any, ...] = ()
    line: int | None = None
    """1-based line of its declaration."""

    def problem_with(self, value: Value) -> str | None:
        """Why `value` does not fit, as `is 'x' (string), expected integer`; None when it fits."""
        if value is None and not self.required:
            return None
        if self.type == "messages":
            return _problem_with_messages(value)
        expected = f"{self.type}: a file that the case names in `files`" if self.type == "image" else self.type
        return None if FITS[self.type](value) else f"is {_short(value)} ({kind_of(value)}), expected {expected}"


def from_text(variable: Variable, text: str) -> Value:
    """The value that a text stands for on a command line or in a CSV cell: JSON unless the type is text.

    Raises:
        BadValue: not of the variable's type.
    """
    if variable.type in ("string", "any"):
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if problem := variable.problem_with(value):
        raise BadValue(problem)
    return value


def _is_integer(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


FITS: Mapping[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": lambda value: _is_integer(value) or isinstance(value, float),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, dict),
    "image": lambda value: isinstance(value, Image),
    "messages": lambda value: _problem_with_messages(value) is None,
}
"""Whether a value is of a type, by the type's name in front matter."""


def _problem_with_messages(value: Value) -> str | None:
    if not isinstance(value, list | tuple):
        return f"is {_short(value)} ({kind_of(value)}), expected messages: a list of {{role, content}}"
    for index, item in enumerate(value):
        if not isinstance(item, dict) or set(item) != {"role", "content"}:
            return f"has {_short(item)} as item {index}, expected {{role, content}}"
        if item["role"] not in ("user", "assistant"):
            return f"has the role {_short(item['role'])} in item {index}; only user and assistant may come from a value"
        if not isinstance(item["content"], str):
            return f"has {kind_of(item['content'])} as the content of item {index}, expected string"
    return None


def kind_of(value: Value) -> str:
    """The type of a value, in the words of front matter."""
    if value is None:
        return "null"
    for name in ("string", "boolean", "integer", "number", "array", "object", "image"):
        if FITS[name](value):
            return name
    return type(value).__name__


def _short(value: Value) -> str:
    if isinstance(value, Image):
        return value.name
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"{value[:37]!r}..."
    if isinstance(value, list | tuple | dict):
        return f"of {len(value)} items"
    return repr(value)[:40]


def plain(value: Value) -> tuple[Any, int]:
    """A copy of `value` made of plain JSON types and images alone, and its size in characters.

    Raises:
        BadValue: it holds an object of another type, or more than `MAX_ITEMS` items, or is nested too deeply.
    """
    if type(value) is str:
        return value, len(value)
    count = [0]
    try:
        return _plain(value, count)
    except RecursionError:
        raise BadValue("is nested too deeply") from None


def _plain(value: Value, count: list[int]) -> tuple[Any, int]:
    count[0] += 1
    if count[0] > MAX_ITEMS:
        raise BadValue(f"holds more than {MAX_ITEMS:,} items")
    if isinstance(value, str):
        text = "".join((value, ""))
        return text, len(text)
    if value is None or isinstance(value, bool):
        return value, 8
    if type(value) in (int, float):
        return value, 8
    if isinstance(value, list | tuple):
        items = [_plain(item, count) for item in value]
        return [item for item, _ in items], 2 + sum(size for _, size in items)
    if isinstance(value, Image):
        return value, len(value.name)
    if isinstance(value, Mapping):
        pairs = [(_plain(key, count), _plain(item, count)) for key, item in value.items()]
        return {key[0]: item[0] for key, item in pairs}, 2 + sum(key[1] + item[1] for key, item in pairs)
    raise BadValue(f"holds a {type(value).__name__}; values of a template are text, numbers, booleans, lists and mappings")
