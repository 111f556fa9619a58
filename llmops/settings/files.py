"""Reading what users wrote, and writing so that a reader sees the old file or the new one, never a part."""

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from llmops.domain.errors import InvalidFiles, Problem

MAX_BYTES = 64 * 1024 * 1024
MAX_LINKS = 40
"""So many links does Linux follow."""
STDIN, STDOUT = Path("/dev/stdin"), Path("-")
"""As a user names it where a file is to be written."""

Content = str | bytes | Iterable[str]
"""What a file shall hold, text as UTF-8."""


def shown(path: Path, root: Path) -> str:
    """`path` as the user would type it from the project root."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return str(path)


def read_text(path: Path, root: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """The text of a UTF-8 file; a byte-order mark is dropped and each line ends in a line feed.

    Raises:
        InvalidFiles: the file is missing, unreadable, too large or not UTF-8.
    """
    return decode(read_bytes(path, root, max_bytes=max_bytes), shown(path, root))


def read_bytes(path: Path, root: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The content of a file.

    Raises:
        InvalidFiles: the file is missing, unreadable or too large.
    """
    file = shown(path, root)
    try:
        if path.stat().st_size > max_bytes:
            raise InvalidFiles([Problem(file, f"is larger than {max_bytes // 2**20} MiB.")])
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidFiles([Problem(file, "no such file.")]) from None
    except IsADirectoryError:
        raise InvalidFiles([Problem(file, "is a folder; a file was expected.")]) from None
    except OSError as error:
        raise InvalidFiles([Problem(file, f"cannot be read: {error.strerror}.")]) from error


def decode(data: bytes, file: str) -> str:
    """As `read_text`, for bytes that are already read."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 OLD > NEW"
        raise InvalidFiles([Problem(file, "is UTF-16; UTF-8 was expected.", hint=hint)])
    if data.startswith(b"\x1f\x8b"):
        raise InvalidFiles([Problem(file, "is compressed; text was expected.", hint=f"Unpack it first: gunzip -k {file}")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} is not UTF-8."
        raise InvalidFiles([Problem(file, found, line=line, hint="Save the file as UTF-8.")]) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InvalidFiles([Problem(file, "holds a NUL character; text was expected.", line=line)])
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_atomic(path: Path, content: Content) -> None:
    """Write a file whole, text as UTF-8: a temporary file beside it, flushed to disk, then renamed over it.

    A link of that name is replaced and not followed: a project that was cloned must not lead out of itself.

    Raises:
        OSError: the folder is not writable or the disk is full; the old file is untouched.
    """
    with _whole_file(path) as file:
        _write(file, content)


def write_output(path: Path, content: Content) -> None:
    """Write what a command line asks for, as `opened_output`.

    Raises:
        OSError: it cannot be written; an old file is untouched.
    """
    with opened_output(path) as file:
        _write(file, content)


@contextmanager
def opened_output(path: Path) -> Iterator[BinaryIO]:
    """What a command line names, to be written: a file whole, a pipe or a device as it is, and where a link leads.

    A reader of a pipe that stops early, as `>(head)` does, has had what it wanted.

    Raises:
        OSError: it cannot be written; an old file is untouched.
    """
    if is_file_or_new(path):
        with _whole_file(path.resolve()) as file:
            yield file
        return
    number = _descriptor(path)
    with suppress(BrokenPipeError), open(path if number is None else os.dup(number), "wb") as file:
        yield file


def folder_or_name(model: str, root: Path) -> str:
    """A model's folder in the project, wherever the command starts; the name of another model as it is."""
    return str(root / model) if model and (root / model).is_dir() else model


def is_file_or_new(path: Path) -> bool:
    """Whether `path` can be written beside itself and renamed: no pipe, no device, and nothing that is open already.

    Raises:
        OSError: it cannot be looked at, such as a link to itself.
    """
    if _descriptor(path) is not None:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _descriptor(path: Path) -> int | None:
    """The number of the open file that is called `path`, such as /dev/stdout, /dev/fd/63, or `-` for stdout.

    Opened by its name, a file would be cut off at its beginning, and a pipe has no name that could be resolved.
    """
    if path == STDOUT:
        return 1
    folders = {os.path.realpath(folder) for folder in ("/dev/fd", "/proc/self/fd")}
    for _ in range(MAX_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in folders:
            return int(path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        error.filename = str(path)  # not of the temporary file, which nobody asked for
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write(file: BinaryIO, content: Content) -> None:
    for piece in (content,) if isinstance(content, str | bytes) else content:
        file.write(piece.encode("utf-8") if isinstance(piece, str) else piece)
