"""`llmops cache`: what is kept for reuse is written to a file, read from one, and checked."""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import KEY_BYTES
from llmops.domain.models import Completion
from llmops.domain.ports import Cache
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.runs import NODE_KINDS, Node
from llmops.domain.scores import Failure, Score, Unmeasured
from llmops.domain.serial import completion_from_json, hit_from_json, outcome_from_json
from llmops.domain.sweeps import TrialFigures
from llmops.settings.files import shown
from llmops.settings.lines import Row, json_lines

FORMAT = 1
"""Of an exported file: its first line is {"llmops_cache": 1}."""
IMPORTED = "imported"
"""In place of the run that made a node, which this store may not know."""
MAX_PROBLEMS = 20
NODES_PER_WRITE = 500

_KEY = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}")
_FIELDS = {"key", "kind", "value"}
_AMOUNTS = (
    "latency_s",
    "ttft_s",
    "attempts",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
)


@record
class Imported:
    """What an import brought."""

    new: int
    known: int
    """Nodes that the store had already, which stay as they are."""


@record
class Verified:
    """What a check of every node has found."""

    nodes: int
    broken: tuple[str, ...]
    """Their keys."""
    reasons: tuple[str, ...]
    """One for each of them."""


def exported(store: Cache) -> Iterator[str]:
    """Every node as a line of JSON, behind a first line with the format."""
    yield json.dumps({"llmops_cache": FORMAT}) + "\n"
    for key, kind, value in store.nodes():
        yield f'{{"key": {json.dumps(key)}, "kind": {json.dumps(kind)}, "value": {value}}}\n'


def import_nodes(store: Cache, path: Path, root: Path) -> Imported:
    """Take the nodes of a file that `exported` made; of a file with a problem none is taken.

    Raises:
        InvalidFiles: with the first problems of the file.
        StoreError: the store cannot be written.
    """
    problems = list(islice((each for each in _read(path, root) if isinstance(each, Problem)), MAX_PROBLEMS))
    if problems:
        raise InvalidFiles(problems)
    nodes = (each for each in _read(path, root) if isinstance(each, Node))
    new = known = 0
    while some := list(islice(nodes, NODES_PER_WRITE)):
        added = store.add(list({node.key: node for node in some}.values()))
        new += added
        known += len(some) - added
    return Imported(new, known)


def verify(store: Cache) -> Verified:
    """Read every node as a run would."""
    count = 0
    broken: dict[str, str] = {}
    for key, kind, text in store.nodes():
        count += 1
        try:
            reason = fault({"key": key, "kind": kind, "value": json.loads(text)})
        except (ValueError, RecursionError) as error:
            reason = f"is not valid JSON: {error}"
        if reason:
            broken[key] = reason
    return Verified(count, tuple(broken), tuple(broken.values()))


def _read(path: Path, root: Path) -> Iterator[Node | Problem]:
    file = shown(path, root)
    rows = json_lines(path, root)
    first = next(iter(rows), None)
    if not isinstance(first, Row) or first.value != {"llmops_cache": FORMAT}:
        hint = "Write one: llmops cache export FILE"
        yield Problem(file, f'does not begin with {{"llmops_cache": {FORMAT}}}.', line=1, hint=hint)
        return
    yield from _nodes(rows, file)


def _nodes(rows: Iterable[Row | Problem], file: str) -> Iterator[Node | Problem]:
    for row in rows:
        if isinstance(row, Problem):
            yield row
        elif reason := fault(row.value):
            yield Problem(file, f"{reason}.", line=row.line)
        else:
            yield Node(row.value["key"], row.value["kind"], row.value["value"], IMPORTED)


def fault(node: Any) -> str:  # noqa: ANN401 -- any JSON value
    """What is wrong with a node as JSON; empty when it can be used."""
    if not isinstance(node, dict) or set(node) != _FIELDS:
        return f"is not an object with {', '.join(sorted(_FIELDS))}"
    if not isinstance(node["key"], str) or not _KEY.fullmatch(node["key"]):
        return f"`key` is not {2 * KEY_BYTES} hexadecimal digits"
    if node["kind"] not in NODE_KINDS:
        return f"`kind` is none of {', '.join(NODE_KINDS)}"
    try:
        _check(node["kind"], node["value"])
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return f"`value` is no {node['kind']}: {_told(error)}"
    return ""


def _told(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{type(error).__name__}: {error}"
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return f"`{place}`: {first['msg']}" if place else first["msg"]


def _check(kind: str, value: Any) -> None:  # noqa: ANN401 -- any JSON value
    """Raises when a value is not what a run reads: the right fields, each of the right type."""
    if kind == "evaluate":
        outcome_from_json(value)
        shape = {"scored": Score, "failed": Failure, "unmeasured": Unmeasured}[value["status"]]
        _typed(shape, {name: each for name, each in value.items() if name != "status"})
        return
    if kind == "sweep":
        _typed(TrialFigures, value)
        return
    if kind == "batch":
        if not isinstance(value["upload"], str):
            raise TypeError("`upload` is no text")
        return
    read, shape = (hit_from_json, Hit) if kind == "retrieve" else (completion_from_json, Completion)
    each = [value] if kind == "generate" else value
    if not isinstance(each, list):
        raise TypeError("a list was expected")
    for item in each:
        read(item)
        checked = _typed(shape, item)
        if isinstance(checked, Completion):
            _check_amounts(checked)


def _check_amounts(answer: Completion) -> None:
    """Raises when an answer took or cost less than nothing."""
    found = [(name, getattr(part, name, None)) for part in (answer, answer.usage, *answer.route) for name in _AMOUNTS]
    for name, amount in found:
        if amount is not None and amount < 0:
            raise ValueError(f"`{name}` is {amount}, expected 0 or more")


def _typed(shape: type, value: Any) -> Any:  # noqa: ANN401 -- any JSON value
    """A value as the type that it has to be: a number in quotes is text here, too."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")  # no lone surrogates in UTF-8
    return _adapter(shape).validate_json(text, strict=True)


@cache
def _adapter(shape: type) -> TypeAdapter[Any]:
    return TypeAdapter(shape)
