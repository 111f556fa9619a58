"""Writing the files that a command line asks for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.settings.files import write_output


def write_file(path: Path, text: str | Iterable[str]) -> None:
    """Write a text file whole, its folder included; a pipe or a device is written as it is.

    Raises:
        UsageError: it cannot be written; what was there is untouched.
    """
    with told_when_unwritable(path):
        write_output(path, text)


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
