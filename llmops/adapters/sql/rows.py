"""Rows of the tables as domain objects, and back."""

import json
import time
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Row

from llmops.domain.runs import CellResult, Node, NodeKind, Run, broken_node
from llmops.domain.serial import members

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=members).encode


def dumps(value: object) -> str:
    """Any domain object as JSON in ASCII, so that a lone surrogate in a model's output cannot make the row unwritable.

    Raises:
        ValueError: it holds NaN or an infinity.
    """
    return _encode(value)


def dump_result(result: CellResult) -> str:
    """As `dumps` of a cell's result, whose numbers are finite, in a third of the time where there is nothing to escape."""
    try:
        text = orjson.dumps(result, default=members)
    except TypeError:  # a lone surrogate, or an integer of more than 64 bits
        return dumps(result)
    return text.decode() if text.isascii() else dumps(result)


def loads(text: str) -> Any:  # noqa: ANN401 -- any JSON value
    """What `dumps` or `dump_result` wrote; an integer of more than 64 bits comes back as the nearest float.

    Raises:
        ValueError: it is not valid JSON.
    """
    try:
        return orjson.loads(text)
    except ValueError:  # a lone surrogate may be the reason
        return json.loads(text)


def node_rows(nodes: Iterable[Node]) -> list[dict[str, Any]]:
    """Rows of `nodes`, used just now; in order, so that two processes never wait for each other in a ring."""
    now = int(time.time())
    return [
        {"key": node.key, "kind": node.kind, "value": dumps(node.value), "run": node.run, "used": now}
        for node in sorted(nodes, key=lambda node: node.key)
    ]


def node_of(key: str, kind: NodeKind, value: str, run: str) -> Node:
    """A row of `nodes`.

    Raises:
        StoreError: its value is not valid JSON.
    """
    try:
        return Node(key, kind, loads(value), run)
    except ValueError as error:
        raise broken_node(key, kind, error) from error


def run_of(row: Row[Any]) -> Run:
    """A row of `runs`."""
    data = dict(row._mapping)
    data["snapshot"] = loads(data["snapshot"])
    return Run(**{key: value for key, value in data.items() if key != "number"})
