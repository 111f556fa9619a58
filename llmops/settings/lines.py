"""What JSON, JSONL and CSV files hold, rows one at a time with the line each stands in; a bad one is a problem, not the end."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.records import record
from llmops.settings.files import decode, read_text, shown

MAX_LINE_BYTES = 32 * 1024 * 1024
JSON_LINES = (".jsonl", ".ndjson")


@record
class Row:
    """One value of a file."""

    line: int
    """1-based."""
    value: Any
    """Any JSON value; of a CSV file a mapping of column to text."""


def json_lines(path: Path, root: Path) -> Iterator[Row | Problem]:
    """The values of a JSONL file; empty lines are skipped. Memory holds one line.

    Raises:
        InvalidFiles: the file cannot be opened, or is no text from its first bytes on.
    """
    file = shown(path, root)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InvalidFiles([Problem(file, f"cannot be read: {(error.strerror or 'unknown').lower()}.")]) from None
    with stream:
        for number, raw in enumerate(stream, start=1):
            if len(raw) > MAX_LINE_BYTES:
                yield Problem(file, f"is longer than {MAX_LINE_BYTES // 2**20} MiB.", line=number)
                continue
            try:
                text = decode(raw, file)
            except InvalidFiles as error:
                (problem,) = error.problems
                if problem.line is None and number == 1:
                    raise
                yield replace(problem, line=number)
                continue
            if text.strip():
                yield _parsed(text, file, number, hint="Each line is one whole JSON object; a list of them is a .json file.")


def json_value(path: Path, root: Path) -> Row | Problem:
    """The value of a JSON file.

    Raises:
        InvalidFiles: the file cannot be read.
    """
    return _parsed(read_text(path, root), shown(path, root), 1, hint="A file with one JSON object per line is a .jsonl file.")


class _NoJson(ValueError):
    """What Python's decoder reads, and other programs would not or in another way."""


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise _NoJson("holds a value that JSON has not, such as NaN.")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise _NoJson(f"names {twice!r} twice in one object.")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=_finite)


def _parsed(text: str, file: str, number: int, *, hint: str) -> Row | Problem:
    """The value of a text that begins in a line; `hint` helps when another value follows it."""
    only = number if "\n" not in text.strip() else None
    try:
        return Row(number, _DECODER.decode(text))
    except _NoJson as error:
        return Problem(file, str(error), line=only)
    except json.JSONDecodeError as error:
        told = f"is not valid JSON: {error.msg}."
        at = min(error.pos, len(text.rstrip()))  # of a text that is cut the end, not the line break behind it
        line, column = number + text.count("\n", 0, at), at - text.rfind("\n", 0, at)
        return Problem(
            file,
            told,
            line=line,
            column=column,
            hint=hint if error.msg == "Extra data" or only and text.strip() in ("[", "{") else None,
        )
    except RecursionError:
        return Problem(file, "is nested too deeply.", line=only)
    except ValueError as error:  # an integer of more digits than Python reads
        return Problem(file, f"is not valid JSON: {error}.", line=only)


def csv_rows(path: Path, root: Path) -> Iterator[Row | Problem]:
    """The rows of a CSV file as mappings of column to text; the first line names the columns.

    Raises:
        InvalidFiles: the file cannot be read.
    """
    file = shown(path, root)
    reader = csv.DictReader(io.StringIO(read_text(path, root)), strict=True)
    names = reader.fieldnames or []
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        yield Problem(file, f"names the column {twice!r} twice.", line=1)
        return
    if len(names) == 1 and (mark := next((each for each in (";", "\t") if each in names[0]), None)):
        shown_mark = "a semicolon" if mark == ";" else "a tab"
        yield Problem(file, f"has one column, and {shown_mark} in its name.", line=1, hint="Separate the columns by commas.")
        return
    try:
        for row in reader:
            if None in row or None in row.values():
                found = f"has another number of columns than the {len(names)} of the first line."
                yield Problem(file, found, line=reader.line_num)
                continue
            yield Row(reader.line_num, row)
    except csv.Error as error:
        yield Problem(file, f"is not valid CSV: {error}.", line=reader.line_num)
