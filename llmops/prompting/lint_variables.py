"""Lint rules about variables: undeclared, unused, unpinned, and text from outside without marks around it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import nodes

from llmops.prompting.findings import Draft
from llmops.prompting.lint_flow import trees
from llmops.prompting.roles import EXPANSION, MessageSource, line_of, pieces
from llmops.prompting.sandbox import PromptEnvironment
from llmops.prompting.syntax import CONTEXTS, SyntaxProblem, parse_tree
from llmops.prompting.template import PromptVersion
from llmops.settings.validation import nearest

_CLOCK = re.compile(r"now|(current_|todays_)?(date|time|datetime)|today|utcnow|timestamp|random|uuid4?|seed")
_HARMLESS_TYPES = frozenset(["integer", "number", "boolean", "image", "messages"])
_FENCES = ("```", '"""', "'''", "~~~", "---", "===", "###", "***", "<<<", ">>>")
_QUOTES = {'"': '"', "'": "'", "`": "`", "[": "]", "(": ")", "{": "}", "«": "»", "“": "”", "‘": "’", "<": ">", "|": "|"}
_HEADING = re.compile(r"^#{1,6}(?:[ \t]|$)", re.MULTILINE)
_TAG = re.compile(r"<(/?)([A-Za-z][\w.:-]*)[^<>]*>")
_BEGIN_END = re.compile(r"\b(BEGIN|START|END)\b")


def undefined(version: PromptVersion) -> Iterator[Draft]:
    """Names that the messages read and the front matter does not declare."""
    for name in sorted(version.used_variables - set(version.variables) - {CONTEXTS}):
        hint = nearest(name, set(version.variables) - version.used_variables)
        declare = f"Declare it in the front matter: variables: {{{name}: {{type: string}}}}"
        yield Draft("undefined-variable", f"`{name}` is not declared.", _line_of(version, name), hint=hint or declare)


def unused(version: PromptVersion) -> Iterator[Draft]:
    """Declared variables that no message reads."""
    for variable in version.variables.values():
        if variable.name not in version.used_variables:
            message = f"`{variable.name}` is declared and not used."
            yield Draft("unused-variable", message, variable.line, hint="Use it, or delete it.")


def unpinned(version: PromptVersion, cases: Sequence[Mapping[str, Any]]) -> Iterator[Draft]:
    """Names of the clock or of chance that neither a default nor every case of the datasets pins."""
    for name in sorted(filter(_CLOCK.fullmatch, version.used_variables)):
        variable = version.variables.get(name)
        pinned = (variable is not None and not variable.required and variable.default is not None) or (
            bool(cases) and all(name in case for case in cases)
        )
        if not pinned:
            hint = "Give it a value in each case of the dataset: two runs on different days cannot be compared otherwise."
            yield Draft("unpinned-input", f"`{name}` changes from run to run.", _line_of(version, name), hint=hint)


def _line_of(version: PromptVersion, name: str) -> int | None:
    for _, tree in trees(version):
        for node in tree.find_all(nodes.Name):
            if node.name == name and node.ctx == "load":
                return node.lineno
    return next((m.line for m in version.messages if m.role == EXPANSION and m.source == name), None)


def undelimited(version: PromptVersion) -> Iterator[Draft]:
    """Values whose end a model cannot see: nothing stands around them, and more text follows or the system speaks."""
    origins = _origins(version)
    environment = PromptEnvironment({})
    for message in version.messages:
        if message.role == EXPANSION:
            continue
        literal, outputs = _flattened(message)
        for at, source, line in outputs:
            names = _untrusted(environment, source, version, origins)
            before, after = literal[:at], literal[at + 1 :]
            alone = not before.strip() and not after.strip()
            exposed = message.role == "system" or CONTEXTS in names or bool(after.strip("\0 \n\t"))
            if names and exposed and not alone and not _delimited(before, after):
                name = "a retrieved passage" if CONTEXTS in names else f"`{sorted(names)[0]}`"
                hint = "Put tags around it, such as <text>{{ text }}</text>, and say that they hold data."
                yield Draft("undelimited-variable", f"{name} has no marks around it.", line, hint=hint)


def _flattened(message: MessageSource) -> tuple[str, list[tuple[int, str, int]]]:
    """The literal text with a NUL for each output, and each output's place there, source and line."""
    parts: list[str] = []
    outputs: list[tuple[int, str, int]] = []
    length = 0
    for piece in pieces(message.source):
        text = message.source[piece.start : piece.end]
        if piece.kind == "output":
            outputs.append((length, text, message.line + line_of(message.source, piece.start) - 1))
            text = "\0"
        elif piece.kind != "text":
            continue
        parts.append(text)
        length += len(text)
    return "".join(parts), outputs


def _origins(version: PromptVersion) -> dict[str, set[str]]:
    """For each name that a loop or `set` binds, the names its value is made of."""
    origins: dict[str, set[str]] = {}
    for _, tree in trees(version):
        for loop in tree.find_all(nodes.For):
            _bind(origins, loop.target, loop.iter)
        for assignment in tree.find_all(nodes.Assign):
            _bind(origins, assignment.target, assignment.node)
    return origins


def _bind(origins: dict[str, set[str]], target: nodes.Node, value: nodes.Node) -> None:
    names = {node.name for node in value.find_all(nodes.Name)} | ({value.name} if isinstance(value, nodes.Name) else set())
    bound = [target.name] if isinstance(target, nodes.Name) else [node.name for node in target.find_all(nodes.Name)]
    for name in bound:
        origins.setdefault(name, set()).update(names)


def _untrusted(
    environment: PromptEnvironment, source: str, version: PromptVersion, origins: Mapping[str, set[str]]
) -> set[str]:
    """Variables that may bring text from outside into an output; none when a macro or a filter marks it."""
    try:
        tree = parse_tree(environment, source, version.file)
    except SyntaxProblem:
        return set()
    if any(isinstance(call.node, nodes.Name) for call in tree.find_all(nodes.Call)):
        return set()  # a macro: what it puts around its argument is its own affair
    if any(used.name in ("tojson", "length", "count") for used in tree.find_all(nodes.Filter)):
        return set()
    found: set[str] = set()
    ahead = {node.name for node in tree.find_all(nodes.Name)}
    seen: set[str] = set()
    while ahead:
        name = ahead.pop()
        seen.add(name)
        ahead |= origins.get(name, set()) - seen
        variable = version.variables.get(name)
        harmless = variable is not None and variable.type in _HARMLESS_TYPES
        if name in version.used_variables and not harmless:
            found.add(name)
    return found


def _delimited(before: str, after: str) -> bool:
    left, right = before.rstrip(" ")[-1:], after.lstrip(" ")[:1]
    if left and _QUOTES.get(left) == right:
        return True
    if any(fence in before and fence in after and before.count(fence) % 2 == 1 for fence in _FENCES):
        return True
    if "<<<" in before and ">>>" in after:
        return True
    if _HEADING.search(before) and _HEADING.match(after.lstrip("\0 \n\t")):
        return True
    begun = _BEGIN_END.findall(before)
    if begun and begun[-1] != "END" and "END" in _BEGIN_END.findall(after)[:1]:
        return True
    return any(f"</{name}>" in after for name in _open_tags(before))


def _open_tags(text: str) -> list[str]:
    names: list[str] = []
    for match in _TAG.finditer(text):
        if not match[1]:
            names.append(match[2])
        elif match[2] in names:
            del names[len(names) - 1 - names[::-1].index(match[2]) :]
    return names
