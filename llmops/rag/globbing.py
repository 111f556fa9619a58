"""Finds the files of a corpus by glob: in a stable order, inside the root, and without following links to folders."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmops.domain.records import record

_wild = re.compile(r"[*?\[]")
_LEADS_OUT = "is a link that leads out of the project and is left out."


@record
class Match:
    """A file that a pattern names."""

    name: str
    """Path from the root, with `/` on every system."""
    problem: str | None = None
    """Why it cannot be read; None when nothing speaks against it."""


def matching_files(patterns: Sequence[str], exclude: Sequence[str], root: Path) -> list[Match]:
    """The files that a pattern names and none of `exclude` does, by name, each once.

    `*` and `?` stay within one folder, `**` spans any number of them, also none. A name that starts with a dot is found
    only by a pattern that spells its dot. A pattern that names nothing, a link to a folder and a file whose real place is
    outside the root are matches with a problem.
    """
    base = root.resolve()
    left_out = [path_regex(pattern) for pattern in exclude]
    found: dict[str, Match] = {}
    for pattern in patterns:
        count = len(found)
        hits = 0
        for match in _matches(pattern, base):
            if any(regex.fullmatch(match.name) for regex in left_out):
                continue
            hits += 1
            found.setdefault(match.name, match)
        if not hits and len(found) == count:
            found.setdefault(pattern, Match(pattern, _why_nothing(pattern, base)))
    return [found[name] for name in sorted(found)]


def _why_nothing(pattern: str, base: Path) -> str:
    if (base / pattern).is_dir():
        return f"is a folder; its files are `{pattern.rstrip('/')}/**/*.md`, for example."
    return "matches no file." if _wild.search(pattern) else "no file has this name."


def _matches(pattern: str, base: Path) -> Iterator[Match]:
    parts = _parts(pattern)
    fixed = 0
    while fixed < len(parts) - 1 and not _wild.search(parts[fixed]):
        fixed += 1
    regex = path_regex(pattern)
    start = "/".join(parts[:fixed])
    if not _is_inside(base / start, base):
        yield Match(start, _LEADS_OUT)
        return
    depth = None if "**" in parts else len(parts)
    for name, linked in _walk(base, start, depth, _dotted(parts)):
        if regex.fullmatch(name) or (linked and regex.fullmatch(f"{name}/{parts[-1]}")):
            problem = _problem(name, base, linked)
            if problem is not None or (base / name).is_file():
                yield Match(name, problem)


def _walk(base: Path, start: str, depth: int | None, dotted: bool) -> Iterator[tuple[str, bool]]:
    """Names of files below the folder `start`, and of links to folders with True."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(base / folder))
        except OSError:
            continue
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") and not dotted:
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield name, entry.is_symlink() and (base / name).is_dir()
            elif depth is None or name.count("/") + 1 < depth:
                waiting.append(name)


def _problem(name: str, base: Path, linked: bool) -> str | None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "has a name that is not UTF-8 and is left out."
    if linked:
        return "is a link to a folder; links to folders are not followed."
    path = base / name
    if not path.is_symlink():
        return None
    try:
        path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "is a link that leads nowhere."
    return None if _is_inside(path, base) else _LEADS_OUT


def _is_inside(path: Path, base: Path) -> bool:
    try:
        return path.resolve().is_relative_to(base)
    except (OSError, RuntimeError):  # links in a circle hold no file
        return True


def _parts(pattern: str) -> list[str]:
    parts = [part for part in pattern.replace("\\", "/").split("/") if part not in ("", ".")]
    parts = [part for at, part in enumerate(parts) if part != "**" or at == 0 or parts[at - 1] != "**"]
    return [*parts, "*"] if parts and parts[-1] == "**" else parts


def _dotted(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def path_regex(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression over the whole path from the root."""
    parts = _parts(pattern)
    text = ""
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        text += "(?:[^/]+/)*" if part == "**" else _segment(part) + ("" if last else "/")
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        # A class such as `[z-a]` names nothing.
        return re.compile(re.escape(pattern))


def _segment(part: str) -> str:
    """One path segment: `*`, `?` and character classes; everything else stands for itself."""
    text = ""
    for token in re.finditer(r"\*+|\?|\[(!?)(\]?[^\]/]*)\]|.", part, re.DOTALL):
        if token[0].startswith("*"):
            text += "[^/]*"
        elif token[0] == "?":
            text += "[^/]"
        elif token[2] is not None:
            body = token[2].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^").replace("]", "\\]")
            text += f"[{'^' if token[1] else ''}{body}]"
        else:
            text += re.escape(token[0])
    return text
