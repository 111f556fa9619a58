"""What a configuration of promptfoo says and names, and what of it has no counterpart."""

import re
from collections.abc import Collection, Container, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from llmops.domain.errors import LlmopsError, Problem, UsageError
from llmops.settings.files import read_text, shown
from llmops.settings.positions import parse_yaml
from llmops.workflows.promptfoo.assertions import NO_COUNTERPART, LeftOut

FILE = "file://"
DATA = (".json", ".yaml", ".yml")
"""Suffixes of files that stand for the value that they hold."""
PROGRAMS = "c?js|mjs|ts|py|rb|sh"
"""Suffixes of files that are run."""
_PROGRAM = re.compile(rf"\.(?:{PROGRAMS})(?::\w+)?\Z")

_ENV = re.compile(r"\{\{-?\s*env\.(\w+)\s*-?\}\}")

At = tuple[str | int, ...]
"""A place in the configuration."""


def mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any value of YAML
    """A mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def unused(name: str, taken: Container[str]) -> str:
    """The name, or with the first number that makes it one of its own."""
    return next(each for n in count(1) if (each := name if n == 1 else f"{name}-{n}") not in taken)


def env_name(value: Any) -> str | None:  # noqa: ANN401 -- any value of YAML
    """The environment variable that a text such as `{{ env.NAME }}` stands for."""
    found = _ENV.fullmatch(value.strip()) if isinstance(value, str) else None
    return found[1] if found else None


def _with_env(value: Any, env: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- any value of YAML
    """A value with what the configuration's own `env` says in place of `{{ env.NAME }}`; the environment is not read."""
    if isinstance(value, dict):
        return {key: _with_env(each, env) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_env(each, env) for each in value]
    if not isinstance(value, str) or not env:
        return value
    name = env_name(value)
    return env[name] if name is not None and name in env else _ENV.sub(lambda match: str(env.get(match[1], match[0])), value)


class Source:
    """A configuration, and the files in its folder; no other is read."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            UsageError: it cannot be read, or is no configuration.
        """
        self.folder = path.resolve().parent
        self.file = path.name
        self.left_out: list[Problem] = []
        data, self._positions = parse_yaml(read_text(path, self.folder), path.name, words=True)
        if not isinstance(data, dict) or "prompts" not in data:
            hint = "Name the file that `promptfoo eval` reads, such as promptfooconfig.yaml."
            raise UsageError(f"{path.name} is no configuration of promptfoo: it has no `prompts`.", hint=hint)
        self.config: dict[str, Any] = _with_env(data, mapping(data.get("env")))

    def leave(self, at: Sequence[str | int], why: str) -> None:
        """Note something that is not carried over, and why."""
        problem = self._positions.problem(tuple(at), f"left out: {why}.")
        if problem not in self.left_out:  # a test with lists of values becomes several cases
            self.left_out.append(problem)

    def leave_others(self, given: Mapping[str, Any], known: Collection[str], at: Sequence[str | int]) -> None:
        """Note the keys of a mapping that are not carried over."""
        for key in given:
            if key not in known:
                self.leave((*at, key), f"it {NO_COUNTERPART}")

    def place(self, reference: str) -> Path:
        """The path of `file://...`, which lies below the configuration.

        Raises:
            LeftOut: it lies elsewhere, or is a program.
        """
        path = self.folder / reference.removeprefix(FILE)
        if not path.resolve().is_relative_to(self.folder):
            raise LeftOut(f"{reference!r} lies outside of the configuration's folder")
        if _PROGRAM.search(path.name):
            raise LeftOut(f"{reference!r} is a program")
        return path

    def places(self, reference: str) -> list[Path]:
        """As `place`, of a pattern such as `file://docs/*.txt` all that fit it, in order.

        Raises:
            LeftOut: as `place`, or nothing fits.
        """
        path = self.place(reference)
        if "*" not in reference:
            return [path]
        found = sorted(self.folder.glob(reference.removeprefix(FILE)))
        if not found:
            raise LeftOut(f"no file fits {reference!r}")
        return [self.place(str(each.relative_to(self.folder))) for each in found]

    def loaded(self, value: Any, at: Sequence[str | int]) -> Any:  # noqa: ANN401 -- any value of YAML
        """As `of_file`; None: it cannot be read, which is noted."""
        try:
            return self.of_file(value)
        except LlmopsError as error:
            self.leave(at, error.message.rstrip("."))
            return None

    def data(self, path: Path) -> Any:  # noqa: ANN401 -- any value of YAML
        """What a JSON or YAML file holds."""
        return parse_yaml(read_text(path, self.folder), shown(path, self.folder), words=True)[0]

    def with_files(self, value: Any, at: Sequence[str | int]) -> Any:  # noqa: ANN401 -- any value of YAML
        """A value, each `file://` inside of it as what the file holds; what cannot be read is noted, and None."""
        if isinstance(value, dict):
            return {key: self.with_files(each, (*at, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self.with_files(each, (*at, number)) for number, each in enumerate(value)]
        return self.loaded(value, at)

    def of_file(self, value: Any) -> Any:  # noqa: ANN401 -- any value of YAML
        """A value, or what the file holds that stands for it.

        Raises:
            UsageError: it cannot be read.
        """
        if not isinstance(value, str) or not value.startswith(FILE):
            return value
        path = self.place(value)
        return self.data(path) if path.suffix in DATA else read_text(path, self.folder).removesuffix("\n")

    def referred(self, given: Any) -> Any:  # noqa: ANN401 -- any value of YAML
        """What a `$ref` to another place of the configuration stands for."""
        if not isinstance(given, dict) or not isinstance(given.get("$ref"), str):
            return given
        found: Any = self.config
        for name in given["$ref"].removeprefix("#/").split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        return found
