"""Each format becomes text whose headings the chunker finds; what cannot be read says why."""

import io
import json
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from document_files import docx, encrypted_pdf, pdf

from llmops.adapters.documents import reader as module
from llmops.adapters.documents.docx import MAX_UNPACKED_BYTES
from llmops.adapters.documents.html import MAX_NESTING
from llmops.adapters.documents.reader import FileReader
from llmops.domain.errors import InvalidFiles, MissingExtra
from llmops.rag.markdown import markdown_sections


@pytest.fixture
def reader(tmp_path: Path) -> FileReader:
    return FileReader(tmp_path / "documents")


def headings(text: str) -> list[tuple[str, ...]]:
    return [section.headings for section in markdown_sections(text)]


PAGE = """\
<html><head><title>Tides</title><style>p {color: red}</style></head><body><nav>Home</nav>
<p>The <b>moon</b>lit sea.<br>Twice a day.
<h2>Spring <code>tides</code><a class="headerlink" href="#s">\N{PILCROW SIGN}</a></h2>
<p># not a heading</p><p>neither<br>---</p>
<ul><li>one<ul><li>deep</li></ul></li></ul><ol><li>first<li>second</ol>
<table><tr><th>Place<th>Height<tr><td>Brest<td><p>7 m</p></table>
<pre>code
```
# a comment</pre>
<div style="display: none">hidden</div><p hidden>hidden</p><script>alert(1)</script><!-- hidden --><h3></h3><img alt="a wave">
</body></html>"""
AS_TEXT = """\
# Tides

The moonlit sea.
Twice a day.

## Spring tides

\\# not a heading

neither
\\---

- one
  - deep

1. first
2. second

| Place | Height
| Brest | 7 m

````
code
```
# a comment
````

a wave
"""


def test_html_keeps_structure_and_loses_what_nobody_reads(reader: FileReader) -> None:
    text = reader.text("a.html", PAGE.encode())
    assert text == AS_TEXT
    assert headings(text) == [("Tides",), ("Tides", "Spring tides")]


def test_html_with_a_main_element_is_that_element(reader: FileReader) -> None:
    page = "<title>Site</title><div>menu</div><main><h1>Bees</h1><p>They dance.</main><footer>legal</footer>"
    assert reader.text("a.htm", page.encode()) == "# Bees\n\nThey dance.\n"


def test_a_table_that_lays_a_page_out_is_no_table(reader: FileReader) -> None:
    page = "<table><tr><td><h1>Bees</h1>Dance.</td><td><table><tr><td>a<td>b</table></td></tr></table>"
    assert reader.text("a.html", page.encode()) == "# Bees\n\nDance.\n\n| a | b\n"


@pytest.mark.parametrize(
    "data",
    [
        "<p>caf\u00e9 \u20ac".encode(),
        '<meta charset="iso-8859-15"><p>caf\u00e9 \u20ac'.encode("iso-8859-15"),
        "<p>caf\u00e9 \u20ac".encode("utf-16"),
    ],
)
def test_html_is_read_in_the_encoding_it_declares(reader: FileReader, data: bytes) -> None:
    assert reader.text("a.html", data) == "caf\u00e9 \u20ac\n"


def test_docx_headings_are_the_heading_path(reader: FileReader) -> None:
    text = reader.text("a.docx", docx(("Heading1", "Tides"), "The moon & the <sea>.", ("Heading2", "Spring"), "# Full moon."))
    assert text == "# Tides\n\nThe moon & the <sea>.\n\n## Spring\n\n\\# Full moon.\n"


def test_pdf_pages_are_headings(reader: FileReader) -> None:
    text = reader.text("a.pdf", pdf(["The moon", "# lifts (the) sea."], [], ["Twice a day."]))
    assert text == "# Page 1\n\nThe moon\n\\# lifts (the) sea.\n\n# Page 3\n\nTwice a day.\n\n"
    assert headings(text) == [("Page 1",), ("Page 3",)]


RST = """\
==========
Over title
==========

Text.

First
-----
.. code-block:: bash

   # a comment
   echo

Second
------

Deep
~~~~
Hm
--

====  ====
 a     b
====  ====

::

    Title
    =====

------

End
"""


def test_rst_titles_are_headings_and_the_rest_stays(reader: FileReader) -> None:
    text = reader.text("a.rst", RST.encode())
    assert headings(text) == [
        ("Over title",),
        ("Over title", "First"),
        ("Over title", "Second"),
        ("Over title", "Second", "Deep"),
    ]
    assert "   \\# a comment\n   echo\n" in text
    assert "====  ====\n a     b\n" in text
    assert text.endswith("\\------\n\nEnd\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "cp1252", "cp1250", "shift_jis", "koi8-r"])
def test_the_encoding_of_a_text_is_detected(reader: FileReader, encoding: str) -> None:
    texts = {
        "cp1250": "Za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144, Ksi\u0119\u017cyc unosi morze.",
        "shift_jis": "\u6708\u304c\u6d77\u3092\u6301\u3061\u4e0a\u3052\u308b\u3002",
        "koi8-r": "\u041b\u0443\u043d\u0430 \u043f\u043e\u0434\u043d\u0438\u043c\u0430\u0435\u0442 \u043c\u043e\u0440\u0435.",
    }
    text = texts.get(encoding, "Le caf\u00e9 est servi \u00e0 la plage, o\u00f9 la mer d\u00e9ferle.") * 20
    assert reader.text("a.txt", f"{text}\r\nend".encode(encoding)) == f"{text}\nend"


def bomb() -> bytes:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(MAX_UNPACKED_BYTES // 2**20 + 1):
            part.write(bytes(2**20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"PK\x03\x04 and so on", "is an archive"),
        ("a.tar", b"x" * 257 + b"ustar", "is an archive"),
        ("a.md", b"\x89PNG\r\n\x00\x00", "is a binary file"),
        ("a.md", b"\xff\xfea\x00b", "begins as UTF-16"),
        ("a.pdf", b"%PDF-1.4 and nothing", "cannot be read as PDF"),
        ("a.pdf", b"", "cannot be read as PDF"),
        ("a.pdf", pdf([], []), "holds no text; a scanned document needs"),
        ("a.docx", b"no archive", "is no DOCX file"),
        ("a.docx", docx("cut short")[:-100], "is no DOCX file"),
        ("a.docx", b"\xd0\xcf\x11\xe0rest", "is encrypted, or was written by an old Word"),
        ("a.html", b"<div>" * (MAX_NESTING + 1), f"more than {MAX_NESTING} elements"),
    ],
)
def test_what_cannot_be_read_says_why(reader: FileReader, name: str, data: bytes, message: str) -> None:
    with pytest.raises(InvalidFiles, match=message) as caught:
        reader.text(name, data)
    assert caught.value.problems[0].file == name


def test_an_encrypted_pdf_says_so(reader: FileReader) -> None:
    with pytest.raises(InvalidFiles, match=r"a\.pdf: is encrypted with a password; save it without one"):
        reader.text("a.pdf", encrypted_pdf(["secret"]))
    assert "open" in reader.text("b.pdf", encrypted_pdf(["open"], password=""))


def test_an_archive_that_unpacks_without_end_is_refused(reader: FileReader) -> None:
    with pytest.raises(InvalidFiles, match="unpacks to more than 256 MiB"):
        reader.text("a.docx", bomb())


def test_a_document_is_converted_once(reader: FileReader, monkeypatch: pytest.MonkeyPatch) -> None:
    data = docx("The moon.")
    before = reader.text("a.docx", data)
    monkeypatch.setitem(module._converters, ".docx", (("mammoth", "selectolax"), lambda _: "converted again"))
    assert reader.text("moved.docx", data) == before
    assert reader.text("a.docx", docx("The sun.")) == "converted again"


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert FileReader(tmp_path / "file").text("a.docx", docx("The moon.")) == "The moon.\n"


def test_a_missing_extra_is_named(reader: FileReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(module, "find_spec", nothing)
    with pytest.raises(MissingExtra, match=r'pip install "llmops\[documents\]"'):
        reader.text("a.pdf", b"")


def _notebook(*cells: tuple[str, str | list[str]], **other: object) -> bytes:
    shown = [{"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}]
    made = [{"cell_type": kind, "source": source, "outputs": shown} for kind, source in cells]
    return json.dumps({"cells": made, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, **other}).encode()


def test_a_notebook_is_its_text_and_code_without_outputs(reader: FileReader) -> None:
    code = ["# not a heading\n", "print('```')"]
    data = _notebook(("markdown", ["# Lynx\n", "\n", "It hunts."]), ("code", code), ("code", " "), ("raw", "# raw"))
    text = reader.text("a.ipynb", data)
    assert text == "# Lynx\n\nIt hunts.\n\n````python\n# not a heading\nprint('```')\n````\n\n\\# raw\n"
    assert headings(text) == [("Lynx",)]
    assert reader.text("a.ipynb", _notebook(("markdown", "\ud800 and on"))) == "? and on\n"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"# no JSON", "is no notebook"),
        (b"[]", "is no notebook"),
        (b'{"cells": [1], "metadata": {}}', "is no notebook"),
        (b"[" * 100_000, "is no notebook"),
        (_notebook(worksheets=[]), "an old format"),
    ],
)
def test_what_is_no_notebook_is_left_out(reader: FileReader, data: bytes, problem: str) -> None:
    with pytest.raises(InvalidFiles, match=problem):
        reader.text("a.ipynb", data)
