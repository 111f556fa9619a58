"""The files that a case brings along: a text becomes a value of its prompt's variable, an image a part of the message."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from llmops.domain.errors import InvalidFiles, Refused, UsageError
from llmops.domain.keys import content_hash
from llmops.domain.prompts import Image, Message
from llmops.settings.files import decode, read_bytes, shown

MAX_BYTES = 20 * 2**20
"""Of one file; providers take images of 5 to 50 MB."""
_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif"}
"""Media types by the first bytes of a file."""
BESIDE = "Paths are relative to the folder of the dataset, in which the files lie."
TAKEN = "Files of cases are texts in UTF-8 and images: PNG, JPEG, GIF or WebP."


def read_files(files: Mapping[str, str | list[str]], folder: Path, root: Path) -> dict[str, Any]:
    """The values of variables, by name: of a path what its file holds, of a list of paths a list.

    Args:
        files: paths relative to `folder`, in which they must lie; what is hidden cannot be named, so that a dataset from
            somebody else cannot have a key file sent.
        folder: of the dataset.
        root: of the project, for messages.

    Raises:
        UsageError: a path leads elsewhere, or its file is missing, too large, or neither text nor an image.
    """
    return {
        name: _beside(place, folder, root) if isinstance(place, str) else [_beside(each, folder, root) for each in place]
        for name, place in files.items()
    }


def _beside(place: str, folder: Path, root: Path) -> str | Image:
    path = folder / place
    if any(part.startswith(".") for part in PurePosixPath(place).parts) or not path.resolve().is_relative_to(folder.resolve()):
        where = shown(folder, root)
        raise UsageError(f"names {place!r}; a file in {where}/ was expected, and none that is hidden.", hint=BESIDE)
    return read_file(path, root)


def read_file(path: Path, root: Path) -> str | Image:
    """What a file holds: its text without the last line's end, or an image, whose bytes are read again to be sent.

    Raises:
        UsageError: missing, too large, or neither text in UTF-8 nor an image.
    """
    name = shown(path, root)
    try:
        data = read_bytes(path, root, max_bytes=MAX_BYTES)
        media_type = _media_type(data)
        if media_type is None:
            return decode(data, name).removesuffix("\n")
        return Image(name, str(path.resolve()), media_type, content_hash(data))
    except InvalidFiles as error:
        found = error.problems[0]
        raise UsageError(f"{found.file}: {found.message}", hint=found.hint if found.line is None else TAKEN) from None


def _media_type(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS.items() if data.startswith(start)), None)


def with_images(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Messages whose images hold their bytes, to be sent now.

    Raises:
        Refused: an image is no longer what it was when its dataset was read.
    """
    if not any(message.images for message in messages):
        return messages
    return tuple(replace(message, images=tuple(map(_loaded, message.images))) for message in messages)


def _loaded(image: Image) -> Image:
    changed = f"{image.name} has changed since the dataset was read: run the same command again"
    try:
        data = Path(image.file).read_bytes()
    except OSError:
        raise Refused(changed) from None
    if content_hash(data) != image.digest:
        raise Refused(changed)
    return replace(image, data=data)
