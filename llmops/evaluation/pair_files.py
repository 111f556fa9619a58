"""Paired results from elsewhere: a CSV or JSONL file with `id, metric, baseline, candidate` and an optional `repeat`."""

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem
from llmops.evaluation.comparing import Pairs
from llmops.settings.files import shown
from llmops.settings.lines import JSON_LINES, Row, csv_rows, json_lines
from llmops.settings.validation import nearest

COLUMNS = ("id", "metric", "baseline", "candidate")
MAX_PROBLEMS = 20
LARGEST = 1e100
"""Magnitude up to which sums of third powers can be computed."""
WORDS = {"true": 1.0, "false": 0.0}


def read_pairs(path: Path, root: Path) -> dict[str, Pairs]:
    """The pairs of each metric, in the order of the file. An empty value on one side is a missing one.

    Raises:
        InvalidFiles: each bad line with what is wrong with it.
    """
    file = shown(path, root)
    if path.suffix.lower() not in (".csv", *JSON_LINES):
        raise InvalidFiles([Problem(file, f"has the suffix {path.suffix!r}.", hint="Give a .csv or .jsonl file.")])
    found: dict[str, Pairs] = {}
    numbers: dict[str, int] = {}
    seen: set[tuple[str, str, str]] = set()
    problems: list[Problem] = []
    for row in json_lines(path, root) if path.suffix.lower() in JSON_LINES else csv_rows(path, root):
        wrong = [row] if isinstance(row, Problem) else list(_take(row, file, found, numbers, seen))
        problems += wrong
        if len(problems) >= MAX_PROBLEMS:
            break
    if not found and not problems:
        example = '{"id": "q-1", "metric": "correct", "baseline": 1, "candidate": 0}'
        problems.append(Problem(file, "holds no pair.", hint=f"One line per pair: {example}"))
    if problems:
        raise InvalidFiles(problems)
    return found


def _take(
    row: Row, file: str, found: dict[str, Pairs], numbers: dict[str, int], seen: set[tuple[str, str, str]]
) -> Iterator[Problem]:
    """Add one row, or tell what is wrong with it."""
    value = row.value
    if not isinstance(value, dict):
        yield Problem(file, f"is not an object with {', '.join(COLUMNS)}.", line=row.line)
        return
    missing = [name for name in COLUMNS if name not in value]
    if missing:
        yield Problem(file, "is missing.", line=row.line, key=missing[0], hint=nearest(missing[0], value))
        return
    names = [str(value[key]).strip() if isinstance(value[key], str | int) else "" for key in ("id", "metric")]
    repeat = str(value.get("repeat", ""))
    sides: list[float | None] = []
    for key in ("baseline", "candidate"):
        number = _number(value[key])
        if isinstance(number, str):
            yield Problem(file, number, line=row.line, key=key, hint="Leave it empty, or null, when there is no value.")
        else:
            sides.append(number)
    empty = next((key for key, name in zip(("id", "metric"), names, strict=True) if not name), None)
    if empty is not None:
        yield Problem(file, "is empty.", line=row.line, key=empty)
    if empty is not None or len(sides) < 2:
        return
    cell = (names[0], names[1], repeat)
    if cell in seen:
        hint = "Number the repeats of a case in a column `repeat`."
        yield Problem(file, f"the pair of id {names[0]!r} and metric {names[1]!r} stands twice.", line=row.line, hint=hint)
        return
    seen.add(cell)
    found.setdefault(names[1], Pairs()).add(sides[0], sides[1], numbers.setdefault(names[0], len(numbers)))


def _number(value: Any) -> float | None | str:  # noqa: ANN401 -- a JSON value, or a cell of a CSV file
    """The value, None when there is none, or what is wrong with it."""
    text = value.strip().lower() if isinstance(value, str) else value
    if text is None or text == "":
        return None
    try:
        number = WORDS[text] if text in WORDS else float(text)
    except (TypeError, ValueError, OverflowError):
        return f"{str(value)[:40]!r} is not a number."
    if not isfinite(number):
        return f"{value!r} is not a finite number."
    return number if abs(number) <= LARGEST else f"{value!r} is too large to compute with: at most {LARGEST:g} was expected."
