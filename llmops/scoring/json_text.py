"""JSON in a text, such as an answer, and what a JSON Pointer (RFC 6901) names in it."""

import json
import re
from typing import Any

MAX_CHARACTERS = 1_000_000
"""Size of a JSON text that is read."""

_fence = re.compile(r"```[ \t]*(?:([\w+#.-]+)[ \t]*)?\r?\n(.*?)```", re.DOTALL)
_json = re.compile(r"json[c5]?", re.IGNORECASE)
_begins = re.compile(r"""\{\s*(?:["'}]|\w+\s*:)""")


class NotJson(ValueError):
    """A text that holds no JSON document."""


def parse_json(text: str) -> Any:  # noqa: ANN401 -- a JSON value
    """The JSON document that a text is, or that stands in its only block fenced as JSON, else as nothing.

    Raises:
        NotJson: no JSON (RFC 8259: neither NaN nor a duplicate key), too large, or nested too deeply.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotJson(f"has more than {MAX_CHARACTERS:,} characters")
    blocks = _json_blocks(text)
    try:
        return json.loads(
            blocks[0] if len(blocks) == 1 else text.strip().removeprefix("\ufeff"),
            parse_constant=_refused_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"{error.msg} ({where})" if len(blocks) < 2 else "has several fenced blocks") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def _json_blocks(text: str) -> list[str]:
    fenced = _fence.findall(text)
    return [body for tag, body in fenced if _json.fullmatch(tag)] or [body for tag, body in fenced if not tag]


def only_object(text: str) -> dict[str, Any]:
    """The JSON object that a text is, or that stands in it, fenced or not; of two, one may be a quotation, so neither is taken.

    What begins like an object, with a brace and a key, has to be one: an object in it or before it may be a quotation, too.

    Raises:
        NotJson: none, several, or one that cannot be read.
    """
    decoder = json.JSONDecoder(parse_constant=_refused_constant, object_pairs_hook=_object)
    found: list[dict[str, Any]] = []
    end = 0
    while len(found) < 2 and (begins := _begins.search(text, end)):
        try:
            value, end = decoder.raw_decode(text, begins.start())
        except (ValueError, RecursionError) as error:
            raise NotJson(f"holds a JSON object that cannot be read: {error}") from None
        found.append(value)
    if len(found) != 1:
        raise NotJson("holds no JSON object" if not found else "holds several JSON objects")
    return found[0]


def _refused_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def pointed(document: Any, pointer: str) -> Any:  # noqa: ANN401 -- a JSON value
    """The value that a pointer names.

    Args:
        document: a JSON value.
        pointer: such as `/items/0/name`; `~1` is a slash in a key, `~0` a tilde.

    Raises:
        LookupError: there is none.
    """
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document[key]
        elif isinstance(document, list) and key.isascii() and key.isdigit() and (key == "0" or key[0] != "0"):
            document = document[int(key)]
        else:
            raise LookupError(key)
    return document


def pointed_text(text: str, pointer: str) -> str:
    """What a pointer names in a text that is JSON, or whose only fenced block is: a text as it is, anything else as JSON.

    Raises:
        NotJson: the text is none.
        LookupError: it has no such value, or it is null.
    """
    value = pointed(parse_json(text), pointer)
    if value is None:
        raise LookupError(pointer)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
