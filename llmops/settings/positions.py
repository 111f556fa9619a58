"""YAML that remembers where each key stands, so that a message can say file:line:column."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from llmops.domain.errors import InvalidFiles, LlmopsError, Problem

Path = tuple[str | int, ...]
"""Keys and list indexes from the document's root."""

MAX_ALIASES = 100
"""More YAML aliases than any sensible file has: a bound on what a few lines can expand to."""


MAX_DEPTH = 200
"""Levels of lists and mappings in each other that are read."""
_DEEP_LINE = re.compile(rf"^(?:[ \t]|[-?:] ){{{MAX_DEPTH // 2},}}", re.MULTILINE)

HINTS = {
    "mapping values are not allowed": "Put a text that holds a colon in quotes, or look at the indentation.",
    "unhashable key": "Put a text that begins with a brace in quotes.",
    "escape": "In single quotes a backslash is a backslash.",
}
"""By a part of what YAML says."""


class Positions:
    """Where each key and item of a YAML document stands."""

    def __init__(self, file: str, places: dict[Path, tuple[int, int]]) -> None:
        self.file = file
        self._places = places

    def of(self, path: Path) -> tuple[int | None, int | None]:
        """Line and column, 1-based, of a path or of its nearest ancestor that the file holds."""
        for length in range(len(path), -1, -1):
            if path[:length] in self._places:
                return self._places[path[:length]]
        return None, None

    def problem(self, path: Path, message: str, *, hint: str | None = None) -> Problem:
        """A problem at a path of this file."""
        line, column = self.of(path)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
        return Problem(self.file, message, line=line, column=column, key=key or None, hint=hint)

    def located(self, path: Path, error: LlmopsError) -> Problem:
        """An error that names no place, as a problem at a path of this file."""
        return self.problem(path, error.message, hint=error.hint)


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Leaves dates as text: a version such as 2026-01-01 is not a date to us."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _WordsLoader(_Loader):
    """Leaves `yes`, `no`, `on` and `off` as text, as YAML 1.2 does."""


_WordsLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if first not in "yYnNoO" or tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str, file: str, *, first_line: int = 1, words: bool = False) -> tuple[Any, Positions]:
    """A YAML document as plain data, and the place of each of its keys.

    Args:
        text: one document.
        file: named in messages.
        first_line: line of the file at which `text` begins (front matter starts at 2).
        words: `yes`, `no`, `on` and `off` are texts, as in the files of other tools.

    Raises:
        InvalidFiles: a syntax error, a duplicate key, a tag that is not plain data, or too many aliases.
    """
    loader = (_WordsLoader if words else _Loader)(text)
    places: dict[Path, tuple[int, int]] = {}
    try:
        if text.count("*") > MAX_ALIASES:
            _refuse_many_aliases(text, file)
        if _may_be_deep(text):
            _refuse_depth(text, file, first_line)
        node = loader.get_single_node()
        if node is None:
            return None, Positions(file, {(): (first_line, 1)})
        _walk(node, (), places, file, first_line, set())
        return loader.construct_document(node), Positions(file, places)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error)
        line = mark.line + first_line if mark else None
        column = mark.column + 1 if mark else None
        hint = _next_step(what, text[mark.index : mark.index + 1] if mark else "")
        raise InvalidFiles([Problem(file, f"is not valid YAML: {what}.", line=line, column=column, hint=hint)]) from error
    except RecursionError:
        raise InvalidFiles([Problem(file, "is nested too deeply.")]) from None
    finally:
        loader.dispose()


def _next_step(what: str, there: str) -> str | None:
    """What usually mends an error of YAML; `there` is the character at which it was found."""
    if "cannot start any token" in what:
        return "Indent by spaces: YAML takes no tabs." if there == "\t" else f"Put a text that begins with {there!r} in quotes."
    return next((hint for part, hint in HINTS.items() if part in what), None)


def _refuse_many_aliases(text: str, file: str) -> None:
    aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader))
    if aliases > MAX_ALIASES:
        raise InvalidFiles([Problem(file, f"has {aliases} YAML aliases; at most {MAX_ALIASES} are read.")])


def _may_be_deep(text: str) -> bool:
    """Whether brackets, or signs and spaces at the start of a line, may nest deeper than is read."""
    return sum(map(text.count, "[{")) > MAX_DEPTH or _DEEP_LINE.search(text) is not None


def _refuse_depth(text: str, file: str, first_line: int) -> None:
    """Refuse what the C library would nest until the process has no stack left; its events come one after another."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + first_line if event.start_mark else None
            raise InvalidFiles([Problem(file, f"is nested deeper than {MAX_DEPTH} levels.", line=line)])


def _walk(
    node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]], file: str, first_line: int, above: set[int]
) -> None:
    """Record the place of `node` and of everything below it; a key's place is the key's, not its value's."""
    if id(node) in above:
        raise InvalidFiles([Problem(file, "has a YAML alias to itself.", line=node.start_mark.line + first_line)])
    places.setdefault(path, (node.start_mark.line + first_line, node.start_mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), places, file, first_line, above | {id(node)})
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name: Hashable = key.value if isinstance(key, yaml.ScalarNode) else str(key.value)
            below = (*path, str(name))
            mark = (key.start_mark.line + first_line, key.start_mark.column + 1)
            if below in places:
                found = f"stands twice; the first is in line {places[below][0]}."
                raise InvalidFiles([Problem(file, found, line=mark[0], column=mark[1], key=str(name))])
            places[below] = mark
            _walk(value, below, places, file, first_line, above | {id(node)})
