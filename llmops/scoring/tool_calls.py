"""Which of the tools that should be called an answer calls."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from llmops.domain.answers import CALLS
from llmops.domain.keys import canonical
from llmops.domain.records import record
from llmops.scoring.json_text import NotJson, parse_json

Arguments = Literal["exact", "subset", "ignore"]
"""How the arguments of a call are held against the expected ones."""
MOST = 100
"""Calls of an answer that are read."""


@record
class Call:
    """One call of a tool."""

    name: str
    arguments: Any = None
    """A JSON value; None: none are given, or any will do."""

    def __str__(self) -> str:
        """For people."""
        return self.name if self.arguments is None else f"{self.name}({canonical(self.arguments)})"


def calls_in(answer: str) -> list[Call]:
    """The calls of an answer that is JSON with `tool_calls`, in order; none of any other answer."""
    try:
        found = parse_json(answer)
    except NotJson:
        return []
    calls = found.get(CALLS) if isinstance(found, dict) else None
    return [call for each in calls[:MOST] if (call := call_of(each))] if isinstance(calls, list) else []


def call_of(value: Any) -> Call | None:  # noqa: ANN401 -- any JSON value
    """A call as a name, as `name` and `arguments`, or as OpenAI has it, below `function`; None: it is none of these."""
    if isinstance(value, str):
        return Call(value) if value else None
    value = value.get("function", value) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = value.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):
            arguments = json.loads(arguments)
    return Call(value["name"], arguments)


def pairs(found: Sequence[Call], wanted: Sequence[Call], arguments: Arguments, *, ordered: bool) -> dict[int, int]:
    """The most calls that can be paired, each with one that is wanted: positions in `wanted` by positions in `found`.

    Args:
        found: the calls of an answer.
        wanted: those that should be made.
        arguments: `exact`: as expected; `subset`: what is expected is among them, at any depth; `ignore`: whatever they are.
        ordered: in the same order; else in any.
    """

    def fits(at: int, of: int) -> bool:
        call, other = found[at], wanted[of]
        if call.name != other.name:
            return False
        return (
            arguments == "ignore"
            or other.arguments is None
            or holds(call.arguments, other.arguments, part=arguments == "subset")
        )

    return _in_order(len(found), len(wanted), fits) if ordered else _in_any_order(len(found), len(wanted), fits)


def holds(found: Any, wanted: Any, *, part: bool) -> bool:  # noqa: ANN401 -- any JSON value
    """Whether two JSON values are equal, numbers by value; with `part` mappings may hold more."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        keys = wanted.keys() <= found.keys() if part else wanted.keys() == found.keys()
        return keys and all(holds(found[key], value, part=part) for key, value in wanted.items())
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(holds(a, b, part=part) for a, b in zip(found, wanted, strict=True))
    return isinstance(found, bool) == isinstance(wanted, bool) and found == wanted


def _in_order(found: int, wanted: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """A longest common subsequence."""
    length = [[0] * (wanted + 1) for _ in range(found + 1)]
    for at in reversed(range(found)):
        for of in reversed(range(wanted)):
            met = length[at + 1][of + 1] + 1 if fits(at, of) else 0
            length[at][of] = max(met, length[at + 1][of], length[at][of + 1])
    paired: dict[int, int] = {}
    at = of = 0
    while at < found and of < wanted:
        if fits(at, of) and length[at][of] == length[at + 1][of + 1] + 1:
            paired[at] = of
            at, of = at + 1, of + 1
        elif length[at][of] == length[at + 1][of]:
            at += 1
        else:
            of += 1
    return paired


def _in_any_order(found: int, wanted: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """A matching of most pairs, by augmenting paths (Kuhn 1955)."""
    taken: dict[int, int] = {}

    def take(at: int, tried: set[int]) -> bool:
        for of in range(wanted):
            if of not in tried and fits(at, of):
                tried.add(of)
                if of not in taken or take(taken[of], tried):
                    taken[of] = at
                    return True
        return False

    for at in range(found):
        take(at, set())
    return {at: of for of, at in taken.items()}
