"""Datasets: JSONL, JSON, YAML or CSV files of cases, read twice at most and never held whole when they are large JSONL."""

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from llmops.domain.cases import HISTORY, Case
from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.keys import KEY_BYTES, canonical
from llmops.domain.records import record
from llmops.evaluation.case_files import read_files
from llmops.scoring.ranking import parse_unit
from llmops.settings.files import read_text, shown
from llmops.settings.lines import Row, csv_rows, json_lines, json_value
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.project import FILE_NAME
from llmops.settings.suite import Suite
from llmops.settings.validation import Strict, close_to, nearest, validated

MAX_PROBLEMS = 20
"""Problems of one dataset that are told; a wrong export would fill the screen."""
KEPT_BYTES = 16 * 2**20
"""Cases that take no more memory than this, roughly, are kept once they are checked; more are read again."""
STRAY = 'What the prompt reads stands in `vars`, such as {"vars": {"question": "..."}}; other data in `metadata`.'
ID = 'Each case has one of its own, such as {"id": "1"}: results are kept and compared by it.'
DATASETS = "datasets"
"""Where `llmops init` and most projects keep them."""
QUESTION = "question"
"""The variable that a turn of a conversation sets when it is a text."""
TURNS = (
    'A turn is what the user says, or the variables of one: ["Hello", {"question": "...", "tone": "..."}]. '
    f"Messages that were said already, with `role` and `content`, stand in `vars`, as `{HISTORY}`."
)
CASE_BYTES = 1000
"""What a case takes beside its text, roughly."""


class CaseRow(Strict):
    """The shape of one case in a dataset file."""

    id: Annotated[str, Field(min_length=1, max_length=400)]
    vars: dict[str, Any] = Field(default_factory=dict)
    expected: Any = None
    contexts: list[str] = Field(default_factory=list)
    relevant: list[str] | None = None
    output: str | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: dict[str, Any] = Field(default_factory=dict)
    evaluators: list[str | dict[str, Any]] = Field(default_factory=list)
    files: dict[str, str | list[str]] = Field(default_factory=dict)
    turns: list[str | dict[str, Any]] = Field(default_factory=list, max_length=100)


Reader = Callable[[Path, Path], Iterator[Case | Problem]]
"""Reads the file of one format below the project's root."""

_adapter = TypeAdapter(CaseRow)
_FIELDS = tuple(CaseRow.model_fields)
_CONTENT = tuple(name for name in _FIELDS if name != "files")


@record
class Dataset:
    """A checked dataset file."""

    path: str
    """Relative to the project root."""
    size: int
    """Number of cases."""
    content_hash: str
    """Of all cases in order; formatting does not count."""
    own_evaluators: bool
    """Some case brings evaluators of its own."""
    _read: Callable[[], Iterator[Case]]

    def cases(self) -> Iterator[Case]:
        """The cases in the file's order.

        Raises:
            InvalidFiles: the file is read again and is not what was checked.
        """
        return self._read()


def load_dataset(path: Path, root: Path) -> Dataset:
    """Check a dataset file and open it.

    Raises:
        UsageError: it is missing, or its suffix is that of no format.
        InvalidFiles: empty, a malformed line, an unknown field, or an id that stands twice; each problem with its line.
    """
    return _checked(path, root, shown(path, root), reader_of(path, root))


def dataset_of(suite: Suite, root: Path) -> Dataset:
    """As `load_dataset`, of the file that a suite names."""
    return load_dataset(root / suite.settings.dataset, root)


def reader_of(path: Path, root: Path) -> Reader:
    """What reads a dataset file, by its suffix.

    Raises:
        UsageError: the file is missing, or its suffix is that of no format.
    """
    file = shown(path, root)
    readers = {".jsonl": _jsonl, ".ndjson": _jsonl, ".json": _json, ".yaml": _yaml, ".yml": _yaml, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        hint = f"Datasets are {', '.join(readers)} files."
        raise UsageError(f"{file}: has the suffix {path.suffix!r}, which is no dataset format.", hint=hint)
    if path.is_dir() or not path.is_file():
        raise UsageError(f"{file}: no such dataset file.", hint=nearest(file, _datasets_near(path, root, readers)))
    return partial(_with_files, reader)


def _with_files(reader: Reader, path: Path, root: Path) -> Iterator[Case | Problem]:
    """The cases with what their files hold among their variables."""
    for found in reader(path, root):
        if isinstance(found, Problem) or not found.files:
            yield found
            continue
        twice = next((name for name in found.files if name in found.vars), None)
        if twice is not None:
            yield Problem(shown(path, root), f"{twice!r} stands in `vars` too.", line=found.line, key="files")
            continue
        try:
            yield replace(found, vars={**found.vars, **read_files(found.files, path.parent, root)})
        except UsageError as error:
            yield Problem(shown(path, root), error.message, line=found.line, key="files", hint=error.hint)


def _datasets_near(path: Path, root: Path, suffixes: Collection[str]) -> list[str]:
    """Files that may have been meant: beside the one that is missing, and in `datasets/`."""
    found = {each for folder in (path.parent, root / DATASETS) if folder.is_dir() for each in folder.iterdir()}
    return [shown(each, root) for each in found if each.suffix in suffixes and each != root / FILE_NAME]


def _checked(path: Path, root: Path, file: str, reader: Reader) -> Dataset:
    problems: list[Problem] = []
    lines: dict[str, int | None] = {}
    digest = blake2b(digest_size=KEY_BYTES)
    own = False
    kept: list[Case] = []
    size = 0
    state = _state(path.stat())
    for found in reader(path, root):
        if len(problems) == MAX_PROBLEMS:
            problems.append(Problem(file, f"more problems follow; the first {MAX_PROBLEMS} are listed."))
            break
        if isinstance(found, Problem):
            problems.append(found)
            continue
        if found.id in lines:
            where = f" (line {lines[found.id]})" if lines[found.id] else ""
            problems.append(Problem(file, f"the id {found.id!r} stands twice{where}.", line=found.line, key="id"))
        lines[found.id] = found.line
        own |= bool(found.evaluators)
        try:
            text = canonical(case_json(found)).encode("utf-8", "surrogatepass")
        except (ValueError, TypeError, RecursionError):
            problems.append(Problem(file, "holds a value that JSON has not, such as NaN.", line=found.line))
            continue
        digest.update(text + b"\n")
        size += len(text) + CASE_BYTES
        if size <= KEPT_BYTES:
            kept.append(found)
        else:
            kept.clear()
    if not lines and not problems:
        problems.append(Problem(file, "holds no case.", hint='One case per line: {"id": "1", "vars": {"question": "..."}}'))
    if problems:
        raise InvalidFiles(problems)

    again = partial(_read_again, path, root, file, reader, state)
    return Dataset(file, len(lines), digest.hexdigest(), own, lambda: iter(kept) if kept else again())


def _read_again(path: Path, root: Path, file: str, reader: Reader, state: tuple[int, int]) -> Iterator[Case]:
    changed = InvalidFiles([Problem(file, "has changed while it was read.", hint="Run the same command again.")])
    try:
        held = path.open("rb")
    except OSError:
        raise changed from None
    with held:  # what another file of this name holds does not matter once this one is open
        for found in chain(reader(path, root), [None]):  # the end as well: a file that was cut has no more rows
            if _state(os.fstat(held.fileno())) != state or isinstance(found, Problem):
                raise changed
            if found is not None:
                yield found


def _state(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def case_json(case: Case) -> dict[str, Any]:
    """The content of a case as JSON, without its place in the file; what its files hold stands in `vars`."""
    return {name: getattr(case, name) for name in _CONTENT if name != "turns" or case.turns}


def _case(data: Any, line: int | None, problem: Callable[..., Problem]) -> Iterator[Case | Problem]:  # noqa: ANN401
    """A row of any format as a case, or what is wrong with it."""
    if not isinstance(data, dict):
        yield problem('is not an object; a case such as {"id": "1", "vars": {...}} was expected.')
        return
    try:
        row = _adapter.validate_python(data)
    except (ValueError, RecursionError):
        yield from _why_not(data, problem)
        return
    try:
        for place in row.relevant or ():
            parse_unit(place)
    except ValueError as error:
        yield problem(f"{error}.", key="relevant", hint="A span is PATH:START-END, and it ends after its start.")
        return
    case = Case(
        row.id,
        row.vars,
        row.expected,
        tuple(row.contexts),
        None if row.relevant is None else tuple(row.relevant),
        row.output,
        tuple(row.tags),
        row.metadata,
        tuple(row.evaluators),
        row.files,
        tuple({QUESTION: turn} if isinstance(turn, str) else turn for turn in row.turns),
        line,
    )
    wrong = _wrong_turn(case)
    yield problem(wrong, key="turns", hint=TURNS) if wrong else case


def _wrong_turn(case: Case) -> str:
    """Why a case cannot be asked turn by turn; empty when it can."""
    if case.turns and case.output is not None:
        return "an `output` stands beside them: an answer that exists is not asked for."
    if case.turns and case.vars.get(HISTORY) and not case.history:
        return f"the `{HISTORY}` that they go on from is no list of messages, each with the texts `role` and `content`."
    for number, turn in enumerate(case.turns, start=1):
        if HISTORY in turn:
            return f"turn {number} has a `{HISTORY}`, which the turns before it make."
        if replace(case, vars={**case.vars, **turn}).question is None:
            return f"turn {number} has no text variable `{QUESTION}`, which the conversation is made of."
    return ""


def _why_not(data: dict[str, Any], problem: Callable[..., Problem]) -> Iterator[Problem]:
    try:
        validated(CaseRow, data, Positions("", {}))
    except InvalidFiles as error:
        for each in error.problems:
            stray = each.key in data and each.key not in _FIELDS and close_to(each.key, _FIELDS) is None
            lacks_id = each.key == "id" and "id" not in data
            yield problem(each.message, key=each.key, hint=STRAY if stray else ID if lacks_id else each.hint)
    else:
        yield problem("is nested too deeply.")


def _jsonl(path: Path, root: Path) -> Iterator[Case | Problem]:
    yield from _each(json_lines(path, root), shown(path, root), lambda row, _: row.value)


def _each(rows: Iterator[Row | Problem], file: str, data: Callable[[Row, int], Any]) -> Iterator[Case | Problem]:
    """The rows of a file as cases; `data` gives the fields of a row and its number."""
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Problem):
            yield row
            continue

        def problem(message: str, *, key: str | None = None, hint: str | None = None, at: int = row.line) -> Problem:
            return Problem(file, message, line=at, key=key, hint=hint)

        yield from _case(data(row, number), row.line, problem)


def _json(path: Path, root: Path) -> Iterator[Case | Problem]:
    found = json_value(path, root)
    if isinstance(found, Problem):
        yield found
    else:
        yield from _rows(found.value, Positions(shown(path, root), {(): (1, 1)}))


def _yaml(path: Path, root: Path) -> Iterator[Case | Problem]:
    data, positions = parse_yaml(read_text(path, root), shown(path, root))
    yield from _rows(data, positions)


def _rows(data: Any, positions: Positions) -> Iterator[Case | Problem]:  # noqa: ANN401
    at: tuple[str | int, ...] = ()
    if isinstance(data, dict) and "cases" in data:
        data, at = data["cases"], ("cases",)
    if not isinstance(data, list):
        if data is not None:
            yield positions.problem(at, "is not a list; a list of cases was expected.")
        return
    for index, row in enumerate(data):
        place = (*at, index)

        def problem(message: str, *, key: str | None = None, hint: str | None = None, at: Any = place) -> Problem:  # noqa: ANN401
            return positions.problem((*at, key) if key else at, message, hint=hint)

        yield from _case(row, positions.of(place)[0], problem)


def _csv(path: Path, root: Path) -> Iterator[Case | Problem]:
    """Columns named as fields of a case are those, `files.NAME` is a file's path, and the rest are variables."""
    yield from _each(csv_rows(path, root), shown(path, root), lambda row, number: _csv_row(row.value, number))


def _csv_row(row: dict[str, str], number: int) -> dict[str, Any]:
    data: dict[str, Any] = {"id": row.get("id") or str(number), "vars": {}, "files": {}}
    for name, value in row.items():
        if name in ("tags", "contexts", "relevant", "turns"):  # split at `|`
            data[name] = [part.strip() for part in value.split("|") if part.strip()]
        elif name in ("expected", "output"):
            data[name] = value or None
        elif name.startswith("files."):
            data["files"] |= {name.removeprefix("files."): value} if value else {}
        elif name != "id":
            data["vars"][name] = value
    return data
