"""stdin, stdout and stderr, whatever they lead to: a reader that stopped reading, a full disk, or nothing at all.

A command whose output is lost still does its work and writes its files; the loss is told by its exit code.
"""

import errno
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any, BinaryIO, cast

from llmops.settings.stdout import Diverted

SIGPIPE = 141
"""What a shell says of a program that was ended by a closed pipe."""
UNWRITABLE = 2
OWN = 70
"""From here on a code tells of an internal error or an interruption, which goes before anything that was printed."""


class Guarded(FileIO):
    """A stream that notes the first error in writing it and drops what comes after that."""

    lost: OSError | None = None
    nowhere = False
    """Whether the stream was closed when the command started."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401 -- any buffer
        """Write, or drop what cannot be written."""
        if self.nowhere and self.lost is None:
            self.lost = OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self.lost is None:
            try:
                return super().write(data)
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes


def guard_streams() -> None:
    """Put streams that cannot fail in place of those of this process; what the user's code prints goes to stderr.

    The number of a closed one is taken first: the next file to be opened would have it otherwise, and be printed into.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 -- as long as the process
    sys.stdout = Diverted(_guarded(sys.stdout))
    sys.stderr = _guarded(sys.stderr)


def lost_output() -> OSError | None:
    """Why what was printed on stdout did not arrive; None when all of it did."""
    raw = _raw(sys.stdout)
    return raw.lost if isinstance(raw, Guarded) else None


def code_with_loss(code: int) -> int:
    """The exit code of a command, given its own: a lost output is no success, and does not hide a verdict or an error.

    Args:
        code: what the command would end with.
    """
    lost = lost_output()
    if lost is None or code >= OWN:
        return code
    return code or SIGPIPE if isinstance(lost, BrokenPipeError) else UNWRITABLE


def _guarded(stream: Any) -> Any:  # noqa: ANN401 -- a stream, or what a test or a notebook put in its place
    if stream is None:
        raw = Guarded(os.open(os.devnull, os.O_WRONLY), "wb")
        raw.nowhere = True
        return TextIOWrapper(BufferedWriter(raw), encoding="utf-8", errors="backslashreplace")
    if type(_raw(stream)) is not FileIO:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        return stream
    stream.flush()
    raw = Guarded(stream.fileno(), "wb", closefd=False)
    return TextIOWrapper(
        cast(BinaryIO, raw) if stream.buffer is _raw(stream) else BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _raw(stream: Any) -> Any:  # noqa: ANN401 -- as above
    """The file under a stream, with a buffer between or, as under PYTHONUNBUFFERED, without."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)
