"""Reads the files of a corpus by their endings, and keeps what was converted, so that it is converted once."""

import re
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from llmops.adapters.documents.docx import docx_to_markdown
from llmops.adapters.documents.encodings import decoded
from llmops.adapters.documents.html import html_to_markdown
from llmops.adapters.documents.pdf import pdf_to_markdown
from llmops.domain.errors import InvalidFiles, MissingExtra, Problem
from llmops.domain.keys import content_hash, node_key
from llmops.rag.notebooks import notebook_to_markdown
from llmops.rag.rst import rst_to_markdown
from llmops.settings.files import write_atomic

CONVERSION_VERSION = 1
Convert = Callable[[bytes], str]

_charset = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_:.-]{2,30})")


def _html(data: bytes) -> str:
    declared = _charset.search(data[:4096])
    return html_to_markdown(decoded(data, declared[1].decode("ascii") if declared else ""))


_converters: dict[str, tuple[tuple[str, ...], Convert]] = {
    ".html": (("selectolax",), _html),
    ".docx": (("mammoth", "selectolax"), docx_to_markdown),
    ".pdf": (("pypdf",), pdf_to_markdown),
}
_texts: dict[str, Callable[[str], str]] = {".ipynb": notebook_to_markdown, ".rst": rst_to_markdown}
_same = {".htm": ".html", ".xhtml": ".html"}


class FileReader:
    """Implements `DocumentReader`: HTML, DOCX, PDF, notebooks and reStructuredText by their endings, anything else as text."""

    def __init__(self, folder: Path) -> None:
        """Remember where converted texts are kept.

        Args:
            folder: may be removed at any time; what is in it is converted again.
        """
        self._folder = folder

    def text(self, name: str, data: bytes) -> str:
        """As the port."""
        ending = PurePosixPath(name).suffix.lower()
        ending = _same.get(ending, ending)
        try:
            if ending in _converters:
                return self._converted(name, ending, data)
            return _clean(_texts.get(ending, str)(decoded(data)))
        except ValueError as error:
            raise InvalidFiles([Problem(name, f"{str(error)[:300]}.")]) from error

    def _converted(self, name: str, ending: str, data: bytes) -> str:
        packages, convert = _converters[ending]
        if any(find_spec(package) is None for package in packages):
            raise MissingExtra(f"Reading {name!r}", "documents")
        versions = [version(package) for package in packages]
        key = node_key("document", CONVERSION_VERSION, {"ending": ending, "data": content_hash(data), "by": versions})
        kept = self._folder / key
        try:
            return kept.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            text = _clean(convert(data))
        try:
            write_atomic(kept, text)
        except OSError:
            # A full disk or a read-only project costs the next run its time, not this one its answer.
            return text
        return text


def _clean(text: str) -> str:
    """Text that can be written as UTF-8 and read back the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
