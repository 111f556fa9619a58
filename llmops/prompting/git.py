"""Files of the project as they stood at a git revision."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.settings.files import decode

TIMEOUT_S = 30
_REVISION = re.compile(r"[^\s\x00-\x1f:?*\[\\-][^\s\x00-\x1f:?*\[\\]*\Z")


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, env=environment)
    except FileNotFoundError:
        raise UsageError("git is not installed, and a git revision was asked for.") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git did not answer within {TIMEOUT_S} s: git {' '.join(arguments)}") from None


def author_name(root: Path) -> str:
    """Who works here: git's `user.name`, else the name of the account."""
    try:
        configured = _git(root, "config", "--get", "user.name").stdout.decode("utf-8", "replace").strip()
    except UsageError:
        configured = ""
    return configured or next((os.environ[key] for key in ("USER", "USERNAME", "LOGNAME") if os.environ.get(key)), "unknown")


def folder_in_repository(root: Path) -> str:
    """Where the project's folder stands in its repository, such as `apps/shop/`; empty at its top, and without git."""
    try:
        found = _git(root, "rev-parse", "--show-prefix")
    except UsageError:
        return ""
    return found.stdout.decode("utf-8", "replace").rstrip("\n") if found.returncode == 0 else ""


def commit_of(root: Path, revision: str) -> str:
    """The full id of the commit that a revision names.

    Raises:
        UsageError: not a revision, or not one that this repository has.
    """
    if not _REVISION.match(revision) or ".." in revision or len(revision) > 200:
        raise UsageError(f"{revision!r} is not a git revision.", hint="Such as `main`, `HEAD~1`, `v1.2` or a commit id.")
    inside = _git(root, "rev-parse", "--is-inside-work-tree")
    if inside.stdout.strip() != b"true":
        said = inside.stderr.decode("utf-8", "replace").strip()
        raise UsageError(f"the revision {revision!r} was asked for, and git finds no repository here.", hint=said or None)
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode != 0:
        raise UsageError(f"this repository has no revision {revision!r}.", hint=_deepen(root) or "Is it fetched?")
    return found.stdout.decode().strip()


def merge_base(root: Path, revision: str) -> str:
    """The commit at which HEAD and a revision parted.

    Raises:
        UsageError: no such revision, or no common commit; for a shallow clone with the command that deepens it.
    """
    commit = commit_of(root, revision)
    found = _git(root, "merge-base", "HEAD", commit)
    if found.returncode != 0:
        hint = _deepen(root) or "Their histories have nothing in common."
        raise UsageError(f"HEAD and {revision!r} have no common commit here.", hint=hint)
    return found.stdout.decode().strip()


def _deepen(root: Path) -> str | None:
    """What to type when the clone is shallow."""
    if _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() != b"true":
        return None
    return "This clone is shallow. Deepen it: git fetch --unshallow (in GitHub Actions: `fetch-depth: 0`)."


def file_at(root: Path, commit: str, path: str) -> str | None:
    """Text of a file at a commit, None when it was not there.

    Args:
        root: the project's folder, somewhere inside the repository.
        commit: full id.
        path: relative to `root`.

    Raises:
        InvalidFiles: it is not UTF-8.
    """
    found = _git(root, "cat-file", "blob", f"{commit}:./{path}")
    return decode(found.stdout, f"{path} at {commit[:12]}") if found.returncode == 0 else None


def name_at(root: Path, commit: str, path: str) -> str | None:
    """What a file was called at a commit when git sees that it was renamed since, also when the rename is staged alone.

    Args: as `file_at`.
    """
    folder = PurePosixPath(path).parts[0]
    options = ("--relative", "--find-renames", "--diff-filter=R", "--name-status", "-z")
    found = _git(root, "diff", *options, commit, "--", folder)
    _, *names = found.stdout.decode("utf-8", "replace").split("\0")
    before = dict(zip(names[1::3], names[::3], strict=False)).get(path, "")
    return before if PurePosixPath(before).name == PurePosixPath(path).name else None


class SharedFilesAt(Mapping[str, str]):
    """The files of `prompts/_shared/` at a commit."""

    def __init__(self, root: Path, commit: str, folder: str) -> None:
        """Args: the project's folder, a full commit id, and the shared folder relative to `root`."""
        self._root, self._commit, self._folder = root, commit, folder
        self._texts: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._texts:
            pure = PurePosixPath(name)
            inside = bool(name) and not pure.is_absolute() and ".." not in pure.parts and "\n" not in name
            self._texts[name] = file_at(self._root, self._commit, f"{self._folder}/{pure}") if inside else None
        text = self._texts[name]
        if text is None:
            raise KeyError(name)
        return text

    def __iter__(self) -> Iterator[str]:
        listed = _git(self._root, "ls-tree", "-r", "-z", "--name-only", self._commit, "--", f"{self._folder}/")
        names = listed.stdout.decode("utf-8", "replace").split("\0")
        return iter([name.removeprefix(f"{self._folder}/") for name in names if name])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class NotAtRevision(InvalidFiles):
    """A file that a revision does not have."""


def missing_at(path: str, revision: str) -> NotAtRevision:
    """The error for a file that a revision does not have."""
    return NotAtRevision([Problem(path, f"there was no such file at the revision {revision!r}.")])
