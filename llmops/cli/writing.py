"""Writing the files that a command line asks for."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.settings.files import Content, is_file_or_new, write_output

SOURCES = (("datasets",), ("evals",), ("prompts",))
"""Folders of a project whose files people write."""
WRITTEN = (".yaml", ".yml", ".j2", ".py", ".toml")
"""Suffixes of such files elsewhere; no report is called so."""


def write_file(path: Path, content: Content) -> None:
    """Write a file whole, text as UTF-8, its folder included; a pipe or a device is written as it is.

    Raises:
        UsageError: it cannot be written; what was there is untouched.
    """
    with told_when_unwritable(path):
        write_output(path, content)


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work is done whose outcome it shall hold.

    Raises:
        UsageError: it is a folder, or its folder could not be made or written to.
    """
    with told_when_unwritable(path):
        if path.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not is_file_or_new(path):
            return
        folder = next(each for each in path.resolve().parents if each.exists())
        code = errno.ENOTDIR if not folder.is_dir() else 0 if os.access(folder, os.W_OK | os.X_OK) else errno.EACCES
        if code:
            raise OSError(code, os.strerror(code))


def check_report(path: Path, root: Path) -> None:
    """As `check_writable`, and refuse to replace what somebody wrote: `--html evals/manual.yaml` meant that suite.

    Args:
        path: of the report.
        root: of the project.

    Raises:
        UsageError: as `check_writable`, or there is a file of the project.
    """
    check_writable(path)
    place, top = path.resolve(), root.resolve()
    inside = place.relative_to(top).parts[:1] if place.is_relative_to(top) else ()
    if place.is_file() and (inside in SOURCES or path.suffix.lower() in WRITTEN):
        found = f"{str(path)!r} is a file of yours, which a report would replace."
        raise UsageError(found, hint="Name a file for the report, such as report.html.")


@contextmanager
def told_when_unwritable(path: Path) -> Iterator[None]:
    """Say of a file that cannot be written why, and what to do.

    Raises:
        UsageError: in place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        hint = "Check that its folder exists and can be written, and that the disk is not full."
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.", hint=hint) from error
