"""`labels.yaml` of a prompt: where its labels point, and the history of commits and moves, chained by hashes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import canonical, content_hash
from llmops.domain.records import record
from llmops.settings.files import read_text, shown, write_atomic
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.validation import Strict, validated

LABELS = "labels.yaml"
Action = Literal["commit", "label", "rollback", "unlabel"]
_MARKS = ("<<<<<<< ", "=======", ">>>>>>> ")
"""What git writes around the two sides of a conflict."""


class Unmerged(InvalidFiles):
    """A file in which a merge left its marks."""


@record
class Entry:
    """One line of the history. Never changed once written."""

    action: Action
    version: str
    """The version that was committed, or that the label points at from now on, or did until it was taken away."""
    at: str
    """ISO 8601, UTC."""
    by: str
    reason: str
    prompt_hash: str
    """Content hash of `version`."""
    label: str | None = None
    came_from: str | None = None
    """The version that the label pointed at before; for a commit the version before it."""
    run: str | None = None
    """The run that is the evidence."""
    forced: bool = False
    """Moved without the evidence that a protected label asks for."""
    previous: str = ""
    """`hash` of the entry before; empty for the first."""
    hash: str = ""

    def sealed(self, previous: str) -> "Entry":
        """This entry as the successor of the one whose hash is `previous`."""
        body = {**asdict(self), "previous": previous}
        return Entry(**{**body, "hash": _seal(body)})

    @property
    def intact(self) -> bool:
        """Whether the content still fits the hash."""
        return self.hash == _seal(asdict(self))


def _seal(body: Mapping[str, Any]) -> str:
    return content_hash(canonical({key: value for key, value in body.items() if key != "hash"}))


@record
class Ledger:
    """The content of `labels.yaml`."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """Version by label."""
    history: tuple[Entry, ...] = ()
    """Oldest first."""
    lines: tuple[int | None, ...] = ()
    """Line of each entry in the file."""

    @property
    def committed(self) -> dict[str, str]:
        """Content hash by version, as recorded when it was committed."""
        return {entry.version: entry.prompt_hash for entry in self.history if entry.action == "commit"}

    def with_entry(self, entry: Entry) -> "Ledger":
        """This ledger and one more entry; a label that the entry moves points at its version."""
        sealed = entry.sealed(self.history[-1].hash if self.history else "")
        labels = dict(self.labels)
        if sealed.action == "unlabel":
            labels.pop(sealed.label or "", None)
        elif sealed.label is not None:
            labels[sealed.label] = sealed.version
        return Ledger(labels, (*self.history, sealed))

    def path_of(self, label: str) -> list[str]:
        """The versions that a label went through, oldest first, each move that changed nothing left out.

        A rollback takes off what came after the version that it went back to; a label that was taken away begins anew.
        """
        path: list[str] = []
        for entry in self.history:
            if entry.label != label:
                continue
            if entry.action == "unlabel":
                path.clear()
            elif entry.action == "rollback":
                while len(path) > 1 and path[-1] != entry.version:
                    path.pop()
            elif path[-1:] != [entry.version]:
                path.append(entry.version)
        return path

    def last_move(self, label: str) -> Entry | None:
        """The newest entry about a label."""
        return next((entry for entry in reversed(self.history) if entry.label == label), None)


class _Entry(Strict):
    action: Action
    version: str
    at: str
    by: str
    reason: str
    prompt_hash: str
    label: str | None = None
    came_from: str | None = None
    run: str | None = None
    forced: bool = False
    previous: str = ""
    hash: str


class _Labels(Strict):
    labels: dict[str, str] = Field(default_factory=dict)
    history: list[_Entry] = Field(default_factory=list)


def read_ledger(folder: Path, root: Path) -> Ledger:
    """The ledger of a prompt; empty when it has none.

    Raises:
        InvalidFiles: unreadable, or a merge left its marks in it.
    """
    model, positions = _parse(_text(folder, root), shown(folder / LABELS, root))
    entries = tuple(Entry(**entry.model_dump()) for entry in model.history)
    return Ledger(model.labels, entries, tuple(positions.of(("history", n))[0] for n in range(len(entries))))


def read_labels(folder: Path, root: Path) -> Mapping[str, str]:
    """The labels alone, without reading the history: `labels` stands first in the file."""
    head = _text(folder, root).partition("\nhistory:")[0]
    if head.strip() in ("labels: {}", ""):
        return {}
    return _parse(head, shown(folder / LABELS, root))[0].labels


def _text(folder: Path, root: Path) -> str:
    """The text of a prompt's `labels.yaml`; empty when it has none."""
    path = folder / LABELS
    if not path.exists():
        return ""
    text = read_text(path, root)
    refuse_marks(text, shown(path, root), keep_one_side(folder.name))
    return text


def _parse(text: str, file: str) -> tuple[_Labels, Positions]:
    data, positions = parse_yaml(text, file)
    return validated(_Labels, {} if data is None else data, positions), positions


def refuse_marks(text: str, file: str, hint: str) -> None:
    """Refuse a file in which a merge left its marks.

    Raises:
        Unmerged: with the line of the first mark.
    """
    if all(f"\n{mark}" in f"\n{text}" for mark in _MARKS):
        line = f"\n{text}".partition(f"\n{_MARKS[0]}")[0].count("\n") + 1
        raise Unmerged([Problem(file, "the merge of two branches is not resolved.", line=line, hint=hint)])


def keep_one_side(name: str) -> str:
    """What to do about a merge of two histories, whose hashes cannot be mixed."""
    return (
        f"Keep one side whole: git checkout --ours -- prompts/{name}/labels.yaml prompts/{name}/versions; put the text "
        f"of the other side into prompts/{name}/prompt.j2 and commit it as a version of its own: "
        f"llmops prompt commit {name} -m MESSAGE. Labels that only the other side moved are moved again."
    )


def write_ledger(folder: Path, ledger: Ledger) -> None:
    """Write `labels.yaml` whole."""
    labels = dict(sorted(ledger.labels.items()))
    entries = [{key: value for key, value in asdict(entry).items() if _worth_writing(key, value)} for entry in ledger.history]
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 1_000_000}
    text = yaml.safe_dump({"labels": labels}, **options) + yaml.safe_dump({"history": entries}, **options)
    write_atomic(folder / LABELS, text)


def _worth_writing(key: str, value: object) -> bool:
    return key in ("previous", "hash", "reason") or value not in (None, False, "")


def chain_problems(ledger: Ledger, file: str) -> list[Problem]:
    """Where the history is not what was written: an edited, removed, inserted or reordered entry.

    A cut at the very end leaves a chain that is whole; the labels and version files that it named then have no entry.
    """
    problems: list[Problem] = []
    before = ""
    for index, entry in enumerate(ledger.history):
        line = ledger.lines[index] if index < len(ledger.lines) else None
        hint = f"Restore it from git: git log -p -- {file}"
        if not entry.intact:
            problems.append(Problem(file, f"entry {index + 1} of the history was edited.", line=line, hint=hint))
        elif entry.previous != before:
            message = f"entry {index + 1} of the history does not follow the one above it."
            problems.append(Problem(file, message, line=line, hint=_fork_hint(ledger.history, index) or hint))
        before = entry.hash
    problems += _label_problems(ledger, file)
    return problems


def _fork_hint(history: Sequence[Entry], index: int) -> str | None:
    if any(entry.previous == history[index].previous for entry in history[:index]):
        return "Two branches appended to it: keep the entries of one, and commit the other's text again."
    return None


def _label_problems(ledger: Ledger, file: str) -> list[Problem]:
    problems = []
    for label in sorted({*ledger.labels, *(entry.label for entry in ledger.history if entry.label)}):
        path = ledger.path_of(label)
        found, expected = ledger.labels.get(label), path[-1] if path else None
        if found != expected:
            message = f"`{label}` points at {found}, but its history ends at {expected}."
            hint = f"Labels move by commands alone. {f'Write `{label}: {expected}` again.' if expected else 'Take it out.'}"
            problems.append(Problem(file, message, key=f"labels.{label}", hint=hint))
    return problems
