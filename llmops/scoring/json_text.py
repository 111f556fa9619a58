"""JSON in a text, such as an answer, and what a JSON Pointer (RFC 6901) names in it."""

import json
import re
from typing import Any

MAX_CHARACTERS = 1_000_000
"""Size of a JSON text that is read."""

_fence = re.compile(r"```[ \t]*(?:([\w+#.-]+)[ \t]*)?\r?\n(.*?)```", re.DOTALL)
_json = re.compile(r"json[c5]?", re.IGNORECASE)
_space = re.compile(r"[ \t\n\r]*")
_character = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|.", re.DOTALL)
"""One of a JSON string, as it is written."""
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
    try:
        return json.loads(_document(text)[1], parse_constant=_refused_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotJson(f"{error.msg} ({where})" if len(_json_blocks(text)) < 2 else "has several fenced blocks") from None
    except RecursionError:
        raise NotJson("is nested too deeply") from None
    except ValueError as error:
        raise NotJson(str(error)) from None


def _document(text: str) -> tuple[int, str]:
    """What is read as JSON, and where it begins in the text."""
    blocks = _json_blocks(text)
    if len(blocks) == 1:
        return blocks[0].start(2), blocks[0][2]
    document = text.strip().removeprefix("\ufeff")
    return text.index(document), document


def _json_blocks(text: str) -> list[re.Match[str]]:
    fenced = list(_fence.finditer(text))
    return [block for block in fenced if _json.fullmatch(block[1] or "")] or [block for block in fenced if not block[1]]


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
    for key in _keys(pointer):
        if isinstance(document, dict):
            document = document[key]
        elif isinstance(document, list) and key.isascii() and key.isdigit() and (key == "0" or key[0] != "0"):
            document = document[int(key)]
        else:
            raise LookupError(key)
    return document


def _keys(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


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


def pointed_places(text: str, pointer: str) -> list[int]:
    """Where each character of what `pointed_text` finds stands in the text, and where the last one ends.

    Returns:
        None of them when the value is no text and is written otherwise than here.
    """
    start, document = _document(text)
    at, end = _place(document, _keys(pointer))
    if document[at] == '"':
        return [start + found.start() for found in _character.finditer(document, at + 1, end - 1)] + [start + end - 1]
    return list(range(start + at, start + end + 1)) if document[at:end] == pointed_text(text, pointer) else []


def _place(document: str, keys: list[str]) -> tuple[int, int]:
    """Where a value begins in a JSON document that has it, and where it ends."""
    decode = json.JSONDecoder().raw_decode
    at = _after_space(document, 0)
    for key in keys:
        is_object, position = document[at] == "{", 0
        at = _after_space(document, at + 1)
        while True:
            name = str(position)
            if is_object:
                name, at = decode(document, at)
                at = _after_space(document, _after_space(document, at) + 1)
            if name == key:
                break
            at = _after_space(document, _after_space(document, decode(document, at)[1]) + 1)
            position += 1
    return at, decode(document, at)[1]


def _after_space(document: str, at: int) -> int:
    found = _space.match(document, at)
    return at if found is None else found.end()
