"""Text in any encoding, and what is no text at all."""

import codecs

_marks = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""UTF-32 before UTF-16, whose little-endian mark it begins with."""
MOST_COMMON = "cp1252"
"""Taken when a text looks as likely in it as in the best; the ties are otherwise broken by the alphabet."""
_archives = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_tar = slice(257, 262)


def decoded(data: bytes, declared: str = "") -> str:
    """The text of a file: by its byte-order mark, else UTF-8, else as declared, else as its bytes look.

    Args:
        data: the content of the file.
        declared: name of the encoding that the file says it is in.

    Raises:
        ValueError: it is an archive, binary, or in no encoding that could be told.
    """
    encoding = next((name for mark, name in _marks.items() if data.startswith(mark)), None)
    if encoding is None:
        _refuse_binary(data)
    for name in (encoding,) if encoding else ("utf-8", declared):
        try:
            return _lines(data.decode(name).removeprefix("\ufeff"))
        except (UnicodeDecodeError, LookupError):
            continue
    if encoding:
        raise ValueError(f"begins as {encoding.upper()} and does not go on as such")
    return _lines(_guessed(data))


def _refuse_binary(data: bytes) -> None:
    if data.startswith(_archives) or data[_tar] == b"ustar":
        raise ValueError("is an archive; unpack what should be indexed")
    if b"\x00" in data:
        raise ValueError("is a binary file")


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes

    found = from_bytes(data, cp_exclusion=["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7"])
    best = found.best()
    if best is None:
        raise ValueError("is in no encoding that could be told; save it as UTF-8")
    ties = (each for each in found if (each.chaos, each.coherence) == (best.chaos, best.coherence))
    return str(next((each for each in ties if each.encoding == MOST_COMMON), best))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
