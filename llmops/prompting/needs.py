"""What a prompt needs of every case: names that each rendering reads, and names that were meant to be read."""

import re
from collections.abc import Iterator

from jinja2 import nodes

from llmops.prompting.lint_flow import trees
from llmops.prompting.roles import EXPANSION, line_of, pieces
from llmops.prompting.syntax import CONTEXTS
from llmops.prompting.template import PromptVersion

_BRACED = re.compile(r"(?<![\w{}\\])\{ ?([A-Za-z_]\w*) ?\}(?!\})")


def always_read(version: PromptVersion) -> dict[str, int]:
    """Names that no rendering can do without and the front matter does not declare, each with its first line.

    What stands in a branch or in the body of a loop may never be read, and a test or a default may stand in for a name.
    """
    parsed = [tree for _, tree in trees(version)]
    bound = {node.name for tree in parsed for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    wanted = version.used_variables - version.variables.keys() - bound - {CONTEXTS}
    found: dict[str, int] = {}
    for tree in parsed:
        for name in _read(tree):
            if name.name in wanted:
                found.setdefault(name.name, name.lineno)
    return found


def _read(node: nodes.Node | None) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    for child in _surely(node):
        yield from _read(child)


def _surely(node: nodes.Node | None) -> list[nodes.Node | None]:
    """The parts of a node that are read whenever it is rendered."""
    if isinstance(node, nodes.Template):
        return [*node.body]
    if isinstance(node, nodes.Output | nodes.Concat):
        return [*node.nodes]
    if isinstance(node, nodes.For):
        return [node.iter]
    if isinstance(node, nodes.If | nodes.CondExpr):
        return [node.test]
    if isinstance(node, nodes.And | nodes.Or):
        return [node.left]
    if isinstance(node, nodes.BinExpr):
        return [node.left, node.right]
    if isinstance(node, nodes.Compare):
        return [node.expr]
    if isinstance(node, nodes.Filter):
        return [] if node.name in ("default", "d") else [node.node]
    if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.UnaryExpr | nodes.Call):
        return [node.node]
    return []


def in_single_braces(version: PromptVersion) -> dict[str, int]:
    """Names that stand as `{name}` in a prompt that never reads them, each with its first line."""
    found: dict[str, int] = {}
    for message in version.messages:
        for piece in pieces(message.source) if message.role != EXPANSION else ():
            for match in _BRACED.finditer(message.source, piece.start, piece.end) if piece.kind == "text" else ():
                if match[1] not in version.used_variables:
                    found.setdefault(match[1], message.line + line_of(message.source, match.start()) - 1)
    return found
