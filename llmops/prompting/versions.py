"""Committing prompt versions, moving labels, and proving that nothing was edited afterwards."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.prompts import Bump
from llmops.domain.records import record
from llmops.prompting.ledger import LABELS, Action, Entry, Ledger, Unmerged, chain_problems, write_ledger
from llmops.prompting.registry import LATEST, PROMPTS, VERSIONS, WORKING_COPY, EditedVersion, Registry
from llmops.prompting.semver import BUMPS, FIRST, SemVer, needed_bump
from llmops.prompting.template import PromptVersion
from llmops.settings.files import shown, write_atomic
from llmops.settings.validation import nearest

LOCK_TIMEOUT_S = 20


@record
class Change:
    """Who changes the registry, why, when, and on what evidence."""

    by: str
    reason: str
    at: str | None = None
    """ISO 8601, UTC; None: now."""
    run: str | None = None
    """The run that is the evidence for moving a label."""
    forced: bool = False
    """A label moves without the evidence that it asks for."""

    @property
    def time(self) -> str:
        """`at`, or the present."""
        return self.at or datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@record
class Committed:
    """A new version."""

    version: str
    bump: Bump | None
    """None for the first version."""
    hash: str


@contextmanager
def _locked(registry: Registry, name: str) -> Iterator[None]:
    """One writer per prompt; the lock is outside of `prompts/`, so that git never sees it."""
    from filelock import FileLock, Timeout

    folder = registry.root / ".llmops" / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder / f"prompt-{name}.lock"), timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise UsageError(f"another process is changing the prompt {name!r}.", hint="Try again when it is done.") from None
    except OSError as error:
        file = shown(Path(error.filename or folder), registry.root)
        hint = "Check that its folder can be written, and that the disk is not full."
        raise UsageError(f"{file} cannot be written: {error.strerror or error}.", hint=hint) from error


def next_version(registry: Registry, name: str, bump: Bump | None = None) -> tuple[str, Bump | None]:
    """The version that a commit of the working copy would make, and which part it raises.

    Args:
        registry: of the project.
        name: of the prompt.
        bump: at least this part.

    Raises:
        UsageError: nothing changed since the newest version, or `bump` is smaller than the change.
    """
    known = registry.versions(name)
    working = registry.working_copy(name)
    if not known:
        return str(FIRST), None
    newest = registry.version(name, known[-1])
    needed = needed_bump(newest, working)
    if needed is None:
        raise UsageError(
            f"the working copy of {name!r} is the same as version {known[-1]}.", hint="There is nothing to commit."
        )
    if bump is not None and BUMPS.index(bump) < BUMPS.index(needed):
        hint = "A larger one may be asked for, a smaller one not: callers rely on it."
        raise UsageError(f"this change to {name!r} is {needed}; `--bump {bump}` is smaller.", hint=hint)
    number = SemVer.parse(known[-1])
    chosen = bump or needed
    return str((number or FIRST).raised(chosen)), chosen


def commit(registry: Registry, name: str, change: Change, bump: Bump | None = None) -> Committed:
    """Make the working copy the next version, and record it.

    Raises:
        UsageError: nothing to commit, `bump` too small, or the folder is not writable; no version is recorded then.
        InvalidFiles: the working copy cannot be parsed.
    """
    folder = registry.folder(name)
    with _locked(registry, name):
        # Of this process's past nothing is trusted: another one may have committed while this one waited.
        fresh = Registry(registry.root)
        ledger = fresh.ledger(name)
        working = fresh.working_copy(name)
        _drop_unrecorded(fresh, name, ledger, working)
        version, chosen = next_version(fresh, name, bump)
        known = fresh.versions(name)
        for shared, text in working.shared.items():
            write_atomic(folder / VERSIONS / f"{version}.shared" / shared, f"{text}\n")
        write_atomic(folder / VERSIONS / f"{version}.j2", f"{working.text}\n")
        came_from = known[-1] if known else None
        entry = Entry("commit", version, change.time, change.by, change.reason, working.hash, came_from=came_from)
        write_ledger(folder, ledger.with_entry(entry))
    return Committed(version, chosen, working.hash)


def _drop_unrecorded(registry: Registry, name: str, ledger: Ledger, working: PromptVersion) -> None:
    """Take away a version file that a killed commit of this same text left without a record."""
    known = registry.versions(name)
    if known and known[-1] not in ledger.committed:
        left = registry.version(name, known[-1])
        if left.hash != working.hash:
            raise InvalidFiles([_unrecorded(name, known[-1])])
        (registry.root / left.file).unlink()


def _unrecorded(name: str, version: str) -> Problem:
    """A version file that a commit left which was cut short, or the other side of a merge."""
    hint = (
        f"Put its text into {PROMPTS}/{name}/{WORKING_COPY} if you want it, delete this file, "
        f"and commit: llmops prompt commit {name} -m MESSAGE"
    )
    path = f"{PROMPTS}/{name}/{VERSIONS}/{version}.j2"
    return Problem(path, f"version {version} is not recorded in the history.", hint=hint)


def move_label(registry: Registry, name: str, version: str, label: str, change: Change) -> Entry:
    """Point a label at a version. Whether it may move is decided by the caller.

    Args:
        registry: of the project.
        name: of the prompt.
        version: a committed version.
        label: its name.
        change: who moves it, why, and on what evidence.

    Returns:
        What was written; without a hash when nothing was, because the label stands there already on the same evidence.

    Raises:
        UsageError: no such version, or a name that cannot be a label.
        InvalidFiles: the version was edited after it was committed.
    """
    _check_label(label)
    return _move(registry, name, label, "label", lambda ledger: version, change)


def rollback(registry: Registry, name: str, label: str, change: Change) -> Entry:
    """Point a label at the version it had before; a second rollback goes one further back.

    Raises:
        UsageError: there is no label of this name, or nothing before its version.
    """

    def before(ledger: Ledger) -> str:
        now, path = _pointed_at(ledger, name, label), ledger.path_of(label)
        if len(path) < 2:
            raise UsageError(f"{label!r} of {name!r} has had no version before {now}.")
        return path[-2]

    return _move(registry, name, label, "rollback", before, change)


def unlabel(registry: Registry, name: str, label: str, change: Change) -> Entry:
    """Take a label away; the history keeps that it was there. Whether it may go is decided by the caller.

    Raises:
        UsageError: there is no label of this name.
    """
    return _move(registry, name, label, "unlabel", lambda ledger: _pointed_at(ledger, name, label), change)


def _pointed_at(ledger: Ledger, name: str, label: str) -> str:
    if label not in ledger.labels:
        raise UsageError(f"the prompt {name!r} has no label {label!r}.", hint=nearest(label, ledger.labels))
    return ledger.labels[label]


def _move(registry: Registry, name: str, label: str, action: Action, choose: Callable[[Ledger], str], change: Change) -> Entry:
    """Write a move of a label to the version that `choose` takes from the history, which nobody else changes meanwhile.

    Returns:
        The entry; it has no hash when nothing was written, because the label stands there already on the same evidence.
    """
    folder = registry.folder(name)
    with _locked(registry, name):
        fresh = Registry(registry.root)
        ledger = fresh.ledger(name)
        version = choose(ledger)
        if action != "unlabel":
            fresh.version(name, version)
            if version not in ledger.committed:
                raise InvalidFiles([_unrecorded(name, version)])
        entry = Entry(
            action,
            version,
            change.time,
            change.by,
            change.reason,
            ledger.committed.get(version, ""),
            label=label,
            came_from=ledger.labels.get(label),
            run=change.run,
            forced=change.forced,
        )
        last = ledger.last_move(label)
        if action == "label" and last and (entry.came_from, last.run, last.forced) == (version, entry.run, entry.forced):
            return entry
        moved = ledger.with_entry(entry)
        write_ledger(folder, moved)
    return moved.history[-1]


def _check_label(label: str) -> None:
    if label == LATEST:
        hint = "Choose another name, such as `production`."
        raise UsageError(f"{label!r} cannot be a label: it always names the newest version.", hint=hint)
    if SemVer.parse(label) or not label.isascii() or not label.replace("-", "a").replace("_", "a").isalnum():
        raise UsageError(f"{label!r} cannot be a label.", hint="Use letters, digits, `-` and `_`, such as `production`.")


def verify(registry: Registry, name: str) -> list[Problem]:
    """What was edited since it was written: history, labels, version files. Every hash is computed anew."""
    file = f"{PROMPTS}/{name}/{LABELS}"
    fresh = Registry(registry.root)
    try:
        ledger = fresh.ledger(name)
    except InvalidFiles as error:
        return list(error.problems)
    problems = chain_problems(ledger, file)
    known = fresh.versions(name)
    for version in known:
        problems += _version_problems(fresh, name, version, ledger.committed)
    for version in ledger.committed:
        if version not in known:
            path = f"{PROMPTS}/{name}/{VERSIONS}/{version}.j2"
            hint = f"Restore it from git: git checkout HEAD -- {path}"
            problems.append(Problem(path, f"version {version} was committed and its file is gone.", hint=hint))
    return problems


def _version_problems(registry: Registry, name: str, version: str, committed: Mapping[str, str]) -> list[Problem]:
    if version not in committed:
        return [_unrecorded(name, version)]
    try:
        registry.version(name, version)
    except (EditedVersion, Unmerged) as error:
        return [*error.problems]
    except InvalidFiles as error:
        hint = f"Versions are immutable. Restore it: git checkout HEAD -- {PROMPTS}/{name}/{VERSIONS}"
        path = f"{PROMPTS}/{name}/{VERSIONS}/{version}.j2"
        return [Problem(path, f"version {version} was edited after it was committed.", hint=hint), *error.problems]
    return []


def check(registry: Registry, name: str) -> list[Problem]:
    """What `verify` finds, and a working copy that is not the newest version. For CI."""
    problems = verify(registry, name)
    file = f"{PROMPTS}/{name}/{WORKING_COPY}"
    fresh = Registry(registry.root)
    try:
        working = fresh.working_copy(name)
    except InvalidFiles as error:
        return [*problems, *error.problems]
    hint = f"llmops prompt commit {name} -m MESSAGE"
    known = fresh.versions(name)
    if not known:
        return [*problems, Problem(file, "has never been committed as a version.", hint=hint)]
    try:
        newest = fresh.version(name, known[-1])
    except InvalidFiles:
        return problems
    if newest.hash != working.hash:
        problems.append(Problem(file, f"differs from its newest version {known[-1]}.", hint=hint))
    return problems
