"""Writing the files that a command line asks for."""

from collections.abc import Iterable
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.settings.files import write_atomic


def write_file(path: Path, text: str | Iterable[str]) -> None:
    """Write a text file whole, its folder included.

    Raises:
        UsageError: it cannot be written; what was there is untouched.
    """
    try:
        write_atomic(path, text)
    except OSError as error:
        hint = "Check that its folder exists and can be written, and that the disk is not full."
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.", hint=hint) from error
