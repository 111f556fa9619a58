"""Files of each format that a corpus may hold, made from text."""

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_types = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_links = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="r1" Type="{_office}" Target="word/document.xml"/></Relationships>'
)
_word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(*paragraphs: str | tuple[str, str]) -> bytes:
    """A DOCX file of paragraphs; a pair is a style such as `Heading1` and its text."""
    body = "".join(_paragraph(*(each if isinstance(each, tuple) else ("", each))) for each in paragraphs)
    parts = {
        "[Content_Types].xml": _types,
        "_rels/.rels": _links,
        "word/document.xml": f'<w:document xmlns:w="{_word}"><w:body>{body}</w:body></w:document>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def _paragraph(style: str, text: str) -> str:
    named = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{named}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def pdf(*pages: Sequence[str]) -> bytes:
    """A PDF file; each page is a sequence of lines in Latin letters."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, lines in enumerate(pages):
        shown = " T* ".join(f"({_literal(line)}) Tj" for line in lines)
        drawing = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {resources} /Contents {5 + 2 * at} 0 R >>")
        objects.append(f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream")
    file, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    end = (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    )
    return file + end.encode("latin-1")


def encrypted_pdf(*pages: Sequence[str], password: str = "secret") -> bytes:
    """The same, readable with the password alone."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(PdfReader(io.BytesIO(pdf(*pages))))
    writer.encrypt(password, algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _literal(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
