"""PDF as Markdown, by pypdf: the text layer, each page under a heading with its number."""

import io
import logging

from llmops.rag.markdown import plain_line

MAX_PAGES = 5000


def pdf_to_markdown(data: bytes) -> str:
    """The text of a document.

    Raises:
        ValueError: it is encrypted, damaged, too long or has no text.
    """
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Unreadable("is encrypted with a password; save it without one")
        if len(reader.pages) > MAX_PAGES:
            raise _Unreadable(f"has {len(reader.pages)} pages; at most {MAX_PAGES} are read, so split it")
        pages = [page.extract_text() for page in reader.pages]
    except _Unreadable:
        raise
    except DependencyError:
        raise ValueError("is encrypted; save it without encryption") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    # A damaged file leads pypdf into whatever its own code does not expect.
    except Exception as error:
        raise ValueError(f"cannot be read as PDF: {error or type(error).__name__}") from error
    if not any(page.strip() for page in pages):
        raise ValueError("holds no text; a scanned document needs text recognition (OCR) first")
    return "".join(f"# Page {number}\n\n{_text(page)}\n\n" for number, page in enumerate(pages, start=1) if page.strip())


class _Unreadable(ValueError):
    """A file that we refuse, apart from what pypdf raises."""


def _text(page: str) -> str:
    return "\n".join(plain_line(line.rstrip()) for line in page.splitlines()).strip()
