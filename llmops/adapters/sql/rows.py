"""Rows of the tables as domain objects, and back."""

import json
from typing import Any

from sqlalchemy import Row

from llmops.domain.runs import Node, NodeKind, Run, broken_node
from llmops.domain.serial import members

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=members).encode


def dumps(value: object) -> str:
    """Any domain object as JSON in ASCII, so that a lone surrogate in a model's output cannot make the row unwritable."""
    return _encode(value)


def node_of(key: str, kind: NodeKind, value: str, run: str) -> Node:
    """A row of `nodes`.

    Raises:
        StoreError: its value is not valid JSON.
    """
    try:
        return Node(key, kind, json.loads(value), run)
    except ValueError as error:
        raise broken_node(key, kind, error) from error


def run_of(row: Row[Any]) -> Run:
    """A row of `runs`."""
    data = dict(row._mapping)
    data["snapshot"] = json.loads(data["snapshot"])
    return Run(**{key: value for key, value in data.items() if key not in ("number", "report")})
