"""The prompts of a project: their files, and what a reference such as `answer@production` names."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.prompting.template import PromptVersion, parse_prompt
from llmops.settings.files import read_text
from llmops.settings.validation import nearest

PROMPTS = "prompts"
SHARED = "_shared"
WORKING_COPY = "prompt.j2"
MAX_BYTES = 4 * 1024 * 1024
"""Largest prompt file that is read."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


class SharedFiles(Mapping[str, str]):
    """The files of `prompts/_shared/`, read when they are asked for."""

    def __init__(self, root: Path) -> None:
        """Args: `root`, the project's folder."""
        self._root = root
        self._folder = root / PROMPTS / SHARED
        self._texts: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._texts:
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


class Registry:
    """Finds prompts below `prompts/`. Nothing is read before it is asked for."""

    def __init__(self, root: Path) -> None:
        """Args: `root`, the project's folder, which holds `prompts/`."""
        self.root = root
        self.shared = SharedFiles(root)
        self._working: dict[str, PromptVersion] = {}

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
        if not _NAME.match(name):
            raise UsageError(f"{name!r} is not a prompt name: lower-case letters, digits, `-` and `_` are.")
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
        if name not in self._working:
            path = self.folder(name) / WORKING_COPY
            file = f"{PROMPTS}/{name}/{WORKING_COPY}"
            if not path.is_file():
                raise InvalidFiles([Problem(file, "no such file.", hint=f"The working copy of a prompt is `{file}`.")])
            text = read_text(path, self.root, max_bytes=MAX_BYTES)
            self._working[name] = parse_prompt(text, file=file, shared=self.shared, name=name)
        return self._working[name]
