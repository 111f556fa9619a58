"""A corpus of every format, from files to citations; what cannot be read is told and stops nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, llmops, write
from document_files import docx, encrypted_pdf, pdf

SETTINGS = """\
models: {small: {id: embedded/reader-small}}
indexes:
  all: {corpus: {paths: ["files/**"]}, embedder: {kind: static}}
"""
FILES: dict[str, bytes] = {
    "bees.html": b"<h1>Bees</h1><h2>Dance</h2><p>A dance tells where nectar is.<script>alert('nectar')</script>",
    "bread.docx": docx(("Heading1", "Bread"), ("Heading2", "Oven"), "Bake the loaf at 230 degrees."),
    "tides.pdf": pdf(["Contents"], ["The moon lifts the sea twice a day."]),
    "glass.rst": b"Glass\n=====\n\nSand\n----\n\nSand melts at 1700 degrees.\n",
    "wool.txt": "Les moutons donnent la laine \u00e0 l'automne, apr\u00e8s la tonte.".encode("cp1252"),
    "ropes.py": b"def splice():\n    return 'hemp fibres are twisted into strands'\n",
}
BAD: dict[str, tuple[bytes, str]] = {
    "locked.pdf": (encrypted_pdf(["secret"]), "is encrypted with a password"),
    "torn.docx": (docx("torn")[:200], "is no DOCX file, or a damaged one"),
    "scan.pdf": (pdf([]), "holds no text"),
    "empty.html": (b"<script>nothing to read</script>", "is empty"),
    "old.zip": (b"PK\x03\x04", "is an archive"),
    "wave.png": (b"\x89PNG\r\n\x1a\n\x00\x00", "is a binary file"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, {"llmops.yaml": SETTINGS})
    (tmp_path / "files").mkdir()
    for name, data in FILES.items():
        (tmp_path / "files" / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("query", "source", "heading"),
    [
        ("where is the nectar", "files/bees.html", "Bees > Dance"),
        ("at how many degrees to bake a loaf", "files/bread.docx", "Bread > Oven"),
        ("what lifts the sea", "files/tides.pdf", "Page 2"),
        ("melting sand", "files/glass.rst", "Glass > Sand"),
        ("la laine des moutons", "files/wool.txt", ""),
        ("hemp fibres", "files/ropes.py", ""),
    ],
)
def test_every_format_is_found_under_its_heading(folder: Path, query: str, source: str, heading: str) -> None:
    hit, *_ = json.loads(llmops(folder, "rag", "query", query, "--json").stdout)
    assert (hit["source"], hit["heading"]) == (source, heading)
    (chunk,) = (
        each
        for each in json.loads(llmops(folder, "rag", "show", source, "--json").stdout)["chunks"]
        if each["id"] == hit["chunk"]
    )
    assert (chunk["start"], chunk["end"]) == (hit["start"], hit["end"])


def test_what_cannot_be_read_is_counted_and_stops_nothing(folder: Path) -> None:
    for name, (data, _) in BAD.items():
        (folder / "files" / name).write_bytes(data)
    done = llmops(folder, "rag", "index")
    assert done.returncode == 0, done.stderr
    assert f"all: {len(FILES)} documents, 7 chunks, {len(BAD)} left out" in done.stdout
    for name, (_, message) in BAD.items():
        assert f"left out: files/{name}: {message}" in done.stderr
    assert llmops(folder, "rag", "status").stdout.count("left out: ") == len(BAD)


def test_a_second_run_converts_nothing(folder: Path) -> None:
    assert llmops(folder, "rag", "index").returncode == 0
    kept = sorted((folder / ".llmops/documents").iterdir())
    assert len(kept) == 3
    changed = [path.stat().st_mtime_ns for path in kept]
    assert "0 changed" in llmops(folder, "rag", "index").stdout
    assert [path.stat().st_mtime_ns for path in kept] == changed


def test_a_missing_extra_names_the_files_that_need_it(folder: Path) -> None:
    script = "import sys; sys.modules['pypdf'] = sys.modules['selectolax'] = None\nfrom llmops.cli.main import main; main()"
    command = [sys.executable, "-c", script, "rag", "index"]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Reading 'files/bees.html', 'files/bread.docx', 'files/tides.pdf' needs the `documents` extra." in done.stderr
    assert 'pip install "llmops[documents]"' in done.stderr
    assert "Traceback" not in done.stderr
