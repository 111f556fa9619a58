"""DOCX as Markdown, by Mammoth: Word's heading styles become headings."""

import io
import zipfile

from llmops.adapters.documents.html import html_to_markdown

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""Of all parts together; a small archive can claim to hold any number."""
_ole = b"\xd0\xcf\x11\xe0"
_styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


def docx_to_markdown(data: bytes) -> str:
    """The text of a document, its footnotes at the end; pictures are left out.

    Raises:
        ValueError: it is no DOCX file, encrypted or damaged.
    """
    import mammoth

    if data.startswith(_ole):
        raise ValueError("is encrypted, or was written by an old Word; save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise ValueError(f"unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MiB")
    except zipfile.BadZipFile:
        raise ValueError("is no DOCX file, or a damaged one") from None
    try:
        found = mammoth.convert_to_html(
            io.BytesIO(data), style_map=_styles, include_embedded_style_map=False, convert_image=lambda _: []
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    # What Mammoth does not expect surfaces as whatever its own code ran into.
    except Exception as error:
        raise ValueError(f"cannot be read as DOCX: {error or type(error).__name__}") from error
    return html_to_markdown(str(found.value))
