"""Lint rule about branches that can never be rendered."""

from collections.abc import Iterator

from jinja2 import nodes

from llmops.prompting.findings import Draft
from llmops.prompting.roles import EXPANSION
from llmops.prompting.sandbox import PromptEnvironment
from llmops.prompting.syntax import parse_tree
from llmops.prompting.template import PromptVersion


def trees(version: PromptVersion) -> Iterator[tuple[str, nodes.Template]]:
    """Role and syntax tree of the preamble and of each message."""
    environment = PromptEnvironment({})
    if version.preamble.strip():
        yield "preamble", parse_tree(environment, version.preamble, version.file, version.preamble_line)
    for message in version.messages:
        if message.role != EXPANSION:
            yield message.role, parse_tree(environment, message.source, version.file, message.line)


def unreachable(version: PromptVersion) -> Iterator[Draft]:
    """Conditions that are always or never true, conditions asked twice, and loops over nothing."""
    for _, tree in trees(version):
        # `elif` branches are `If` nodes of their own inside the first one.
        chained = {id(branch) for node in tree.find_all(nodes.If) for branch in node.elif_}
        for node in tree.find_all(nodes.If):
            if id(node) not in chained:
                yield from _dead_branches(node, version)
        for loop in tree.find_all(nodes.For):
            if isinstance(loop.iter, nodes.List | nodes.Tuple) and not loop.iter.items:
                yield Draft("unreachable-branch", "this loop goes over an empty list.", loop.lineno)


def _dead_branches(node: nodes.If, version: PromptVersion) -> Iterator[Draft]:
    seen: list[nodes.Node] = []
    for branch in (node, *node.elif_):
        truth = _truth(branch.test, version)
        if truth is False:
            yield Draft("unreachable-branch", f"this condition is never true{_why(branch.test, version)}.", branch.lineno)
        elif any(branch.test == earlier for earlier in seen):
            yield Draft("unreachable-branch", "this condition was asked before in the same `if`.", branch.lineno)
        if truth is True and (node.else_ or branch is not (node, *node.elif_)[-1]):
            message = f"this condition is always true{_why(branch.test, version)}: what follows in this `if` is never rendered."
            yield Draft("unreachable-branch", message, branch.lineno)
            return
        seen.append(branch.test)


def _truth(test: nodes.Node, version: PromptVersion) -> bool | None:
    """What a condition always is; None when it depends on a value."""
    if isinstance(test, nodes.Const):
        return bool(test.value)
    if isinstance(test, nodes.Not):
        inner = _truth(test.node, version)
        return None if inner is None else not inner
    if isinstance(test, nodes.And | nodes.Or):
        sides = _truth(test.left, version), _truth(test.right, version)
        decisive = isinstance(test, nodes.Or)
        if decisive in sides:
            return decisive
        return None if None in sides else not decisive
    return test.name == "defined" if isinstance(test, nodes.Test) and _asked(test, version) else None


def _asked(test: nodes.Node, version: PromptVersion) -> str | None:
    """The declared variable that `test` asks to be defined or not, which it always is."""
    if isinstance(test, nodes.Test) and test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
        return test.node.name if test.node.name in version.variables else None
    return None


def _why(test: nodes.Node, version: PromptVersion) -> str:
    name = _asked(test.node if isinstance(test, nodes.Not) else test, version)
    return f": `{name}` is declared, so it is always defined (ask `is none`)" if name else ""
