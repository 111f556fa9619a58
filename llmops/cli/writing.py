"""Writing the files that a command line asks for."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.settings.files import is_file_or_new, write_output


def write_file(path: Path, text: str | Iterable[str]) -> None:
    """Write a text file whole, its folder included; a pipe or a device is written as it is.

    Raises:
        UsageError: it cannot be written; what was there is untouched.
    """
    with told_when_unwritable(path):
        write_output(path, text)


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
