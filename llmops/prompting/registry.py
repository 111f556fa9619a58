"""The prompts of a project: their files, and what a reference such as `answer@production` names."""

import re
from collections.abc import Iterator, Mapping
from os import scandir
from pathlib import Path, PurePosixPath
from unicodedata import normalize

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.records import record
from llmops.prompting.git import SharedFilesAt, commit_of, file_at, merge_base, missing_at, name_at
from llmops.prompting.ledger import Ledger, keep_one_side, read_labels, read_ledger, refuse_marks
from llmops.prompting.semver import SemVer
from llmops.prompting.template import PromptVersion, name_of, parse_prompt
from llmops.settings.files import read_text
from llmops.settings.validation import nearest

PROMPTS = "prompts"
SHARED = "_shared"
WORKING_COPY = "prompt.j2"
VERSIONS = "versions"
LATEST = "latest"
HASH = "sha256:"
"""Opens a content hash in a reference."""
CHOOSE_LINES = "Keep the lines that shall stand, and delete the marks; a mark that is text is indented."
MIN_HASH = 4
MAX_BYTES = 4 * 1024 * 1024
"""Largest prompt file that is read."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


def check_name(name: str) -> None:
    """Refuse what no prompt can be called.

    Raises:
        UsageError: not a prompt's name.
    """
    if not _NAME.match(name):
        hint = "Lower-case letters, digits, `-` and `_` are, with a letter or a digit first."
        folder = name_of(name)
        meant = f"Did you mean `{folder}`?" if "/" in name and _NAME.match(folder) else None
        raise UsageError(f"{name!r} is not a prompt name.", hint=meant or hint)


def name_from(text: str) -> str:
    """A text as a name: without accents, with hyphens for what no name has; empty when nothing is left."""
    plain = normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")


class SharedFiles(Mapping[str, str]):
    """The files of a folder of includes, read when they are asked for."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Args: `root`, the project's folder; `folder`, such as `prompts/_shared` below it."""
        self._root = root
        self._folder = folder
        self._texts: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._texts:
            if name not in self:
                raise KeyError(name)
            self._texts[name] = read_text(self._path(name), self._root, max_bytes=MAX_BYTES)
        return self._texts[name]

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._path(name).is_file()
        except KeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        if not self._folder.is_dir():
            return iter(())
        found = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*"))
        return iter(sorted(name for name in found if name in self))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, name: str) -> Path:
        """The file of a name; symbolic links that lead out of the folder are not followed."""
        pure = PurePosixPath(name)
        if not name or "\\" in name or "\x00" in name or pure.is_absolute() or ".." in pure.parts:
            raise KeyError(name)
        path = self._folder / pure
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise KeyError(name)
        return path


class EditedVersion(InvalidFiles):
    """A version that is not the text that was committed."""


def _edited(found: PromptVersion, recorded: str) -> EditedVersion:
    told = f"version {found.version} was edited after it was committed: its hash is {found.hash[:12]}, not {recorded[:12]}."
    hint = f"Restore it: git checkout HEAD -- {PROMPTS}/{found.name}/{VERSIONS}. See: llmops prompt verify {found.name}"
    return EditedVersion([Problem(found.file, told, hint=hint)])


@record
class Reference:
    """`name` or `name@which`, as users write it."""

    name: str
    which: str = ""
    """A version, a label, `latest`, `sha256:...`, `git:...`, `merge-base:...`; empty: the working copy."""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The parts of a reference.

        Raises:
            UsageError: not a reference.
        """
        name, at, which = text.partition("@")
        if at and not which:
            raise UsageError(f"{text!r} ends in `@`.", hint=f"Write `{name}`, `{name}@1.2.0` or `{name}@production`.")
        return cls(name, which)


class Registry:
    """Finds prompts below `prompts/`. Nothing is read before it is asked for."""

    def __init__(self, root: Path) -> None:
        """Args: `root`, the project's folder, which holds `prompts/`."""
        self.root = root
        self.shared = SharedFiles(root, root / PROMPTS / SHARED)
        self._loaded: dict[tuple[str, str | None], PromptVersion] = {}
        self._committed: dict[str, dict[str, str]] = {}

    def names(self) -> list[str]:
        """All prompts, sorted."""
        folder = self.root / PROMPTS
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if _NAME.match(path.name) and path.is_dir())

    def folder(self, name: str) -> Path:
        """The folder of a prompt.

        Raises:
            UsageError: not a prompt's name, or no such prompt.
        """
        check_name(name)
        folder = self.root / PROMPTS / name
        if not folder.is_dir():
            hint = nearest(name, self.names()) or f"Write one: {PROMPTS}/{name}/{WORKING_COPY}"
            raise UsageError(f"there is no prompt {name!r} in `{PROMPTS}/`.", hint=hint)
        return folder

    def working_copy(self, name: str) -> PromptVersion:
        """The prompt as it stands in `prompt.j2`.

        Raises:
            UsageError: no such prompt.
            InvalidFiles: the file cannot be read or parsed.
        """
        return self._load(name, None, f"{PROMPTS}/{name}/{WORKING_COPY}", self.shared)

    def version(self, name: str, version: str) -> PromptVersion:
        """A committed version.

        Raises:
            UsageError: no such prompt or version.
            EditedVersion: it is not the text that was committed.
            InvalidFiles: the file cannot be read or parsed.
        """
        folder = self.folder(name)
        if version not in (known := self.versions(name)):
            hint = nearest(version, known) or f"Make one: llmops prompt commit {name} -m MESSAGE"
            raise UsageError(f"the prompt {name!r} has no version {version}.", hint=hint)
        shared = SharedFiles(self.root, folder / VERSIONS / f"{version}.shared")
        found = self._load(name, version, f"{PROMPTS}/{name}/{VERSIONS}/{version}.j2", shared)
        recorded = self._recorded(name, version)
        if recorded is not None and recorded != found.hash:
            raise _edited(found, recorded)
        return found

    def versions(self, name: str) -> list[str]:
        """All committed versions, oldest first."""
        try:
            with scandir(self.folder(name) / VERSIONS) as entries:
                names = [entry.name.removesuffix(".j2") for entry in entries if entry.name.endswith(".j2")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        parsed = [(version, name) for name in names if (version := SemVer.parse(name))]
        return [name for _, name in sorted(parsed)]

    def labels(self, name: str) -> Mapping[str, str]:
        """Version by label."""
        return read_labels(self.folder(name), self.root)

    def ledger(self, name: str) -> Ledger:
        """Labels and history."""
        return read_ledger(self.folder(name), self.root)

    def resolve(self, reference: str) -> PromptVersion:
        """The version that a reference names.

        Args:
            reference: `answer` (working copy), `answer@1.2.0`, `answer@production`, `answer@latest`, `answer@sha256:ab12`,
                `answer@git:REV`, `answer@merge-base:REV`.

        Raises:
            UsageError: it names nothing; with the nearest that exists.
            InvalidFiles: the file that it names cannot be parsed.
        """
        parsed = Reference.parse(reference)
        name, which = parsed.name, parsed.which
        if not which:
            return self.working_copy(name)
        kind, colon, rest = which.partition(":")
        if colon and kind in ("git", "merge-base"):
            return self._at_revision(name, kind, rest)
        self.folder(name)
        if which.startswith(HASH):
            return self._by_hash(name, which.removeprefix(HASH))
        if SemVer.parse(which):
            return self.version(name, which)
        if which == LATEST:
            known = self.versions(name)
            if not known:
                hint = f"Make one: llmops prompt commit {name} -m MESSAGE"
                raise UsageError(f"the prompt {name!r} has no committed version.", hint=hint)
            return self.version(name, known[-1])
        labels = self.labels(name)
        if which not in labels:
            close = nearest(which, [*labels, LATEST, *self.versions(name)])
            raise UsageError(f"the prompt {name!r} has no label or version {which!r}.", hint=close)
        return self.version(name, labels[which])

    def _recorded(self, name: str, version: str) -> str | None:
        """The content hash that a version was committed with; None when the history does not have it."""
        if version not in self._committed.get(name, {}):
            self._committed[name] = self.ledger(name).committed
        return self._committed[name].get(version)

    def _by_hash(self, name: str, prefix: str) -> PromptVersion:
        if not re.fullmatch(rf"[0-9a-f]{{{MIN_HASH},32}}", prefix):
            raise UsageError(f"{prefix!r} is not a content hash.", hint=f"Give {MIN_HASH} to 32 hexadecimal digits.")
        found = {version: digest for version, digest in self.ledger(name).committed.items() if digest.startswith(prefix)}
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{version} ({digest[:12]})" for version, digest in found.items())
            raise UsageError(f"{prefix!r} fits several versions of {name!r}: {listed}.", hint="Give more digits.")
        if found:
            return self.version(name, next(iter(found)))
        working = self.working_copy(name)
        if working.hash.startswith(prefix):
            return working
        raise UsageError(
            f"no version of {name!r} has a content hash that begins with {prefix}.", hint=f"llmops prompt log {name}"
        )

    def _at_revision(self, name: str, kind: str, revision: str) -> PromptVersion:
        check_name(name)
        commit = commit_of(self.root, revision) if kind == "git" else merge_base(self.root, revision)
        path = f"{PROMPTS}/{name}/{WORKING_COPY}"
        text = file_at(self.root, commit, path)
        if text is None and (before := name_at(self.root, commit, path)):
            path, text = before, file_at(self.root, commit, before)
        if text is None:
            raise missing_at(path, revision)
        shared = SharedFilesAt(self.root, commit, f"{PROMPTS}/{SHARED}")
        return parse_prompt(text, file=f"{path} at {revision}", shared=shared, name=name)

    def _load(self, name: str, version: str | None, file: str, shared: Mapping[str, str]) -> PromptVersion:
        if (name, version) not in self._loaded:
            self.folder(name)
            path = self.root / file
            if not path.is_file():
                hint = f"The working copy of a prompt is its `{WORKING_COPY}`."
                raise InvalidFiles([Problem(file, "no such file.", hint=hint)])
            if not path.resolve().is_relative_to(self.root.resolve()):
                raise InvalidFiles([Problem(file, "leads out of the project through a link.", hint="Copy the file itself.")])
            text = read_text(path, self.root, max_bytes=MAX_BYTES)
            refuse_marks(text, file, CHOOSE_LINES if version is None else keep_one_side(name))
            self._loaded[name, version] = parse_prompt(text, file=file, shared=shared, name=name, version=version)
        return self._loaded[name, version]
