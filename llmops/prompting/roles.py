"""Where a template's messages begin: role lines, found in the source before anything is rendered."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, get_args

from llmops.domain.errors import Problem
from llmops.domain.prompts import Role
from llmops.domain.records import record

ROLES: tuple[str, ...] = get_args(Role)
EXPANSION = "messages"

MAX_CODE = 100_000
"""Characters that a template may have in its outputs and tags together."""
MAX_ROLE_LINES = 10_000

OPENING = re.compile(r"\{[{%#]")
_IN_TAG = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[-+]?[%}]\}", re.DOTALL)
_TAG_NAME = re.compile(r"\{%[-+]?\s*([A-Za-z_]\w*)")
_END_RAW = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
ROLE_LINE = re.compile(rf"^(\\*)({'|'.join(ROLES)}):[ \t]*$", re.MULTILINE)
_EXPANSION_LINE = re.compile(r"^[ \t]*\{\{-?\s*messages\(\s*([A-Za-z_]\w*)\s*\)\s*-?\}\}[ \t]*$", re.MULTILINE)
_SET_BLOCK = re.compile(r"\{%[-+]?\s*set\s+[\w.]+\s*(?:\||[-+]?%\})")
_BLOCKS = frozenset(["if", "for", "macro", "call", "filter", "with", "autoescape", "block"])

Kind = Literal["text", "output", "tag", "comment"]


@record
class Piece:
    """A stretch of source: literal text, `{{ }}`, `{% %}` or `{# #}`."""

    kind: Kind
    start: int
    end: int
    block: tuple[str, int] | None
    """Name and offset of the innermost open block."""


@record
class MessageSource:
    """One message as written."""

    role: str
    """A role, or `messages` for the place of a list of messages, whose variable is then `source`."""
    source: str
    line: int
    """1-based line of the file where `source` begins."""


def line_of(text: str, offset: int) -> int:
    """1-based line of an offset."""
    return text.count("\n", 0, offset) + 1


def pieces(text: str) -> Iterator[Piece]:
    """The pieces of a template in order. A tag without its end runs to the end of the text: Jinja will report it."""
    at, open_blocks = 0, list[tuple[str, int]]()
    while opening := OPENING.search(text, at):
        block = open_blocks[-1] if open_blocks else None
        if opening.start() > at:
            yield Piece("text", at, opening.start(), block)
        start = opening.start()
        at = _end_of_tag(text, start)
        if text[start : start + 2] != "{%":
            yield Piece("output" if text[start + 1] == "{" else "comment", start, at, block)
            continue
        yield Piece("tag", start, at, block)
        match = _TAG_NAME.match(text, start, at)
        name = match[1] if match else ""
        if name == "raw":
            end = _END_RAW.search(text, at)
            yield Piece("text", at, end.start() if end else len(text), ("raw", start))
            if end:
                yield Piece("tag", end.start(), end.end(), ("raw", start))
            at = end.end() if end else len(text)
        elif name in _BLOCKS or (name == "set" and _SET_BLOCK.match(text, start)):
            open_blocks.append((name, start))
        elif open_blocks and name == f"end{open_blocks[-1][0]}":
            open_blocks.pop()
    if at < len(text):
        yield Piece("text", at, len(text), open_blocks[-1] if open_blocks else None)


def _end_of_tag(text: str, start: int) -> int:
    if text[start + 1] == "#":
        end = text.find("#}", start + 2)
        return end + 2 if end >= 0 else len(text)
    closing = "%}" if text[start + 1] == "%" else "}}"
    at = start + 2
    while token := _IN_TAG.search(text, at):
        at = token.end()
        if token[0].endswith(closing) and token[0][0] not in "'\"":
            return at
    return len(text)


def excess(text: str) -> str | None:
    """What of a template is too much to be compiled in a bounded time; None: nothing is."""
    code = roles = 0
    for piece in pieces(text):
        if piece.kind in ("output", "tag"):
            code += piece.end - piece.start
        elif piece.kind == "text":
            roles += sum(1 for _ in ROLE_LINE.finditer(text, piece.start, piece.end))
    if code > MAX_CODE:
        return f"holds {code:,} characters in `{{{{ }}}}` and `{{% %}}`; at most {MAX_CODE:,} are read."
    return f"holds {roles:,} role lines; at most {MAX_ROLE_LINES:,} are read." if roles > MAX_ROLE_LINES else None


def without_own_lines(text: str) -> str:
    """`text` in which a tag or comment that has a line for itself leaves no empty line behind.

    The line break moves into the tag, so that line numbers stay. A tag with `-` or `+` keeps Jinja's own meaning.
    """
    parts: list[str] = []
    at = 0
    for piece in pieces(text):
        if piece.kind not in ("tag", "comment") or piece.start < at:
            continue
        begin = text.rfind("\n", 0, piece.start) + 1
        last = (end := text.find("\n", piece.end)) < 0
        end = len(text) if last else end
        tag = text[piece.start : piece.end]
        alone = begin >= at and not text[begin : piece.start].strip() and not text[piece.end : end].strip()
        if alone and tag[2:3] not in "-+" and tag[-3:-2] not in "-+":
            parts += (text[at:begin], tag[:-2], "" if last else "\n", tag[-2:])
            at = min(end + 1, len(text))
    return "".join((*parts, text[at:]))


def escaped_roles(text: str) -> str:
    """`text` with a backslash in front of each line that would open a message."""
    return ROLE_LINE.sub(lambda match: f"\\{match[0]}", text)


def split_messages(text: str, first_line: int, file: str) -> tuple[str, list[MessageSource], list[Problem]]:
    """A template's text cut at its role lines.

    Args:
        text: the template without its front matter.
        first_line: line of the file at which `text` begins.
        file: named in problems.

    Returns:
        What stands before the first role line, the messages, and what is wrong.
    """
    problems: list[Problem] = []
    cuts: list[tuple[int, int, str, str]] = []
    escapes: list[int] = []
    for piece in pieces(text):
        for start, end, role, source in _openers(text, piece):
            if role == "\\":
                escapes.append(start)
            elif piece.block is not None:
                problems.append(_in_block(text, start, piece.block, first_line, file))
            else:
                cuts.append((start, end, role, source))
    messages: list[MessageSource] = []
    line, counted = first_line, 0
    for index, (_, end, role, source) in enumerate(cuts):
        stop = cuts[index + 1][0] if index + 1 < len(cuts) else len(text)
        body_at = min(end + 1, len(text))
        body = _unescaped(text, body_at, stop, escapes)
        line, counted = line + text.count("\n", counted, end), end
        if role != EXPANSION:
            messages.append(MessageSource(role, body, line + text.count("\n", end, body_at)))
            continue
        messages.append(MessageSource(role, source, line))
        if body.strip():
            stray = body_at + len(body) - len(body.lstrip())
            hint = f"Open the next message with a role line: {', '.join(f'`{r}:`' for r in ROLES)}."
            found = "text follows `{{ messages(...) }}` without a role line."
            problems.append(Problem(file, found, line=first_line + line_of(text, stray) - 1, hint=hint))
    return _unescaped(text, 0, cuts[0][0] if cuts else len(text), escapes), messages, problems


def _openers(text: str, piece: Piece) -> Iterator[tuple[int, int, str, str]]:
    """Role lines, escapes and expansions that begin in `piece`, as (start, end, role, source)."""
    if piece.kind == "text":
        for match in ROLE_LINE.finditer(text, piece.start, piece.end):
            # `^` and `$` of a bounded search match at the bounds too: the line must really begin and end there.
            begins = match.start() == 0 or text[match.start() - 1] == "\n"
            if begins and text[match.end() : match.end() + 1] in ("", "\n"):
                yield match.start(), match.end(), "\\" if match[1] else match[2], ""
    elif piece.kind == "output":
        begin = text.rfind("\n", 0, piece.start) + 1
        expansion = _EXPANSION_LINE.match(text, begin)
        if expansion and expansion.end() >= piece.end:
            yield begin, expansion.end(), EXPANSION, expansion[1]


def _in_block(text: str, start: int, block: tuple[str, int], first_line: int, file: str) -> Problem:
    name, opened = block
    line = first_line + line_of(text, start) - 1
    what = text[start:].partition("\n")[0].strip()
    message = f"`{what}` stands inside the `{{% {name} %}}` of line {first_line + line_of(text, opened) - 1}."
    hint = f"Close the block before it, or write `\\{what}` when it is text."
    return Problem(file, message, line=line, column=1, hint=hint)


def _unescaped(text: str, start: int, stop: int, escapes: list[int]) -> str:
    """`text[start:stop]` without the backslash of each escaped role line."""
    parts, at = [], start
    for escape in escapes[bisect_left(escapes, start) : bisect_left(escapes, stop)]:
        parts.append(text[at:escape])
        at = escape + 1
    return "".join((*parts, text[at:stop]))
