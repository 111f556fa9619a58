"""Changes single values of a YAML file that people write: comments, order and layout of the rest stay as they are."""

from collections.abc import Mapping
from typing import Any

import yaml

from llmops.domain.errors import InvalidFiles
from llmops.settings.positions import parse_yaml

WIDE = 10_000
"""Columns: a value that is written never wraps."""


def with_values(text: str, file: str, path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """A YAML document with other values under the keys of one of its mappings; keys that it lacks are added.

    Args:
        text: the document.
        file: named in messages.
        path: of the mapping, from the root.
        values: plain data by key.

    Raises:
        InvalidFiles: the document cannot be read, has no mapping there, or the change would touch more than it should, as
            where the mapping is an alias.
    """
    for key, value in values.items():
        data, positions = parse_yaml(text, file)
        changed = _edited(text, path, key, value)
        if changed is None or parse_yaml(changed, file)[0] != _with(data, (*path, key), value):
            raise InvalidFiles(
                [positions.problem(path, "cannot be changed in place.", hint=f"Write it by hand: {key}: {_flow(value)}")]
            )
        text = changed
    return text


def _with(data: Any, path: tuple[str, ...], value: Any) -> Any:  # noqa: ANN401 -- plain data
    """A copy with one value changed; whatever an alias shares with it keeps its own."""
    return {**data, path[0]: _with(data.get(path[0]), path[1:], value)} if path else value


def _edited(text: str, path: tuple[str, ...], key: str, value: Any) -> str | None:  # noqa: ANN401 -- plain data
    """The text with one value changed; None when there is no mapping to change."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for part in path:
        node = _below(node, part)
    if not isinstance(node, yaml.MappingNode) or not node.value:
        return None
    old = _below(node, key)
    if old is not None:
        return text[: old.start_mark.index] + _flow(value) + text[_end(old, text) :]
    if node.flow_style:
        at = _end(node.value[-1][1], text)
        return f"{text[:at]}, {key}: {_flow(value)}{text[at:]}"
    first = node.value[0][0].start_mark
    return f"{text[: first.index]}{key}: {_flow(value)}\n{' ' * first.column}{text[first.index :]}"


def _below(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _end(node: yaml.Node, text: str) -> int:
    """Where the text of a value ends, without the comments and the empty lines that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last, text)
    return node.start_mark.index + len(text[node.start_mark.index : node.end_mark.index].rstrip())


def _flow(value: Any) -> str:  # noqa: ANN401 -- plain data
    """As it is written within a flow collection, which holds in a block one, too."""
    written = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=WIDE)
    return written.strip()[1:-1]
