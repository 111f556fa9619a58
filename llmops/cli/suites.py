"""Suites as a command line names them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from llmops.cli.session import Session
from llmops.domain.errors import UsageError

if TYPE_CHECKING:
    from llmops.settings.suite import Suite


def suites_named(session: Session, names: list[str]) -> "list[Suite]":
    """The suites that a user names, one by one or by their folder, or all of the project."""
    from llmops.settings.suite import load_suite, suite_files

    root = session.project.root
    if names:
        paths = [path for name in names for path in _suites_in(session, name) or [suite_path(session, name)]]
    else:
        paths = suite_files(root)
        if not paths:
            raise UsageError(f"No suite in {str(root / 'evals')!r}.", hint="Write one, or start from a sample: llmops init")
    return [load_suite(path, root) for path in paths]


def _suites_in(session: Session, name: str) -> list[Path]:
    """The suites of a folder of evals/, named as `suite_path` reads a name; none where it names a suite, or nothing."""
    from llmops.settings.suite import suite_files

    root = session.project.root
    inside = (path.resolve() for path in _places(session, name) if path.resolve().is_relative_to((root / "evals").resolve()))
    found = next((path for path in inside if path.exists()), None)
    if found is None or not found.is_dir():
        return []
    return [path for path in suite_files(root) if path.resolve().is_relative_to(found)]


def _places(session: Session, name: str) -> Iterator[Path]:
    """Where a suite or a folder of suites of that name may be, nearest first."""
    from llmops.settings.suite import SUFFIXES

    evals = session.project.root / "evals"
    yield from (
        session.start / name,
        session.project.root / name,
        *(evals / f"{name}{suffix}" for suffix in SUFFIXES),
        evals / name,
    )


def suite_path(session: Session, name: str) -> Path:
    """A suite by its path from here or from the project's root, or by its name in evals/."""
    from llmops.settings.suite import SUFFIXES, suite_files
    from llmops.settings.validation import nearest

    root = session.project.root
    for path in _places(session, name):
        if path.is_file() and path.suffix in SUFFIXES:
            return path
        if path.is_file():
            raise UsageError(f"{name!r} is no suite, which is a YAML file.", hint="Run all suites of evals/: llmops eval")
    files = [path.relative_to(root) for path in suite_files(root)]
    names = (path.relative_to("evals").with_suffix("") for path in files)
    known = (path.as_posix() for path in (files if Path(name).suffix else names))
    raise UsageError(f"No suite file {name!r}.", hint=nearest(name, known))
