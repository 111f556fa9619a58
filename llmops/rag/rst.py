"""Gives a reStructuredText document Markdown headings; all other lines stay as they are, so it still reads as it was."""

import re
from collections.abc import Iterator

from llmops.rag.markdown import plain_line

_adornment = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*")
MIN_ADORNMENT = 4
"""Characters of a line under a title that is longer; docutils takes a shorter one for text."""


def rst_to_markdown(text: str) -> str:
    """The text with `# Title` for each section title, deeper ones by the order in which their adornments first appear."""
    return "".join(f"{line}\n" for line in _lines(text.rstrip("\n").split("\n")))


def _lines(lines: list[str]) -> Iterator[str]:
    levels: list[tuple[str, bool]] = []
    at = 0
    while at < len(lines):
        over = _is_title(lines, at + 1) and _drawn(lines[at]) == _drawn(lines[at + 2])
        first = at + 1 if over else at
        if (over or (at == 0 or not lines[at - 1].strip())) and _is_title(lines, first):
            style = (_drawn(lines[first + 1]), over)
            if style not in levels:
                levels.append(style)
            yield f"{'#' * min(6, levels.index(style) + 1)} {lines[first].strip()}"
            at = first + 2
        else:
            yield plain_line(lines[at])
            at += 1


def _is_title(lines: list[str], at: int) -> bool:
    """Whether the line is a title whose adornment stands on the next line."""
    if at < 0 or at + 1 >= len(lines) or not lines[at].strip() or _drawn(lines[at]):
        return False
    under = lines[at + 1].rstrip()
    return bool(_drawn(under)) and len(under) >= min(len(lines[at].strip()), MIN_ADORNMENT)


def _drawn(line: str) -> str:
    """The character that a line repeats; empty for a line of text."""
    match = _adornment.fullmatch(line)
    return match[1] if match else ""
