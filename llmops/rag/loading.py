"""Reads a corpus: text files by glob, a BEIR folder, or a JSONL file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import canonical, content_hash
from llmops.domain.retrieval import Document
from llmops.rag.globbing import Match, matching_files
from llmops.settings.files import decode, read_text, shown
from llmops.settings.project import CorpusSettings

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_PROBLEMS = 200
"""Problems that are listed one by one; a wrong field name would otherwise give one per line of the file."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents that could be read, and what was wrong with the others."""

    documents: tuple[Document, ...]
    """In the order of their ids."""
    problems: tuple[Problem, ...]
    """One per file or line that was left out; the rest is indexed all the same."""


def load_corpus(settings: CorpusSettings, root: Path) -> Corpus:
    """All documents of a corpus.

    Args:
        settings: of the index.
        root: the project's root, which relative paths start at and globs stay inside.

    Raises:
        InvalidFiles: there is no document at all, or the JSONL file cannot be read.
    """
    problems: list[Problem] = []
    documents = {document.id: document for document in _documents(settings, root, problems)}
    return Corpus(tuple(documents[key] for key in sorted(documents)), tuple(problems))


def fingerprint(corpus: Corpus) -> dict[str, str]:
    """Content hash of each document, by id."""
    return {document.id: _hash(document) for document in corpus.documents}


def _hash(document: Document) -> str:
    return content_hash(f"{document.text}\n{canonical(document.metadata)}" if document.metadata else document.text)


def corpus_fingerprint(settings: CorpusSettings, root: Path) -> dict[str, str]:
    """As `fingerprint(load_corpus(...))`, with one document in memory at a time.

    Raises:
        InvalidFiles: as `load_corpus`.
    """
    hashes = {document.id: _hash(document) for document in _documents(settings, root, [])}
    return dict(sorted(hashes.items()))


def _documents(settings: CorpusSettings, root: Path, problems: list[Problem]) -> Iterator[Document]:
    """Documents with distinct ids; what is wrong with the others is added to `problems`."""
    seen: set[str] = set()
    left_out = 0
    for found in _files(settings, root) if settings.paths is not None else _lines(settings, root):
        if isinstance(found, Document) and found.id not in seen:
            seen.add(found.id)
            yield found
            continue
        left_out += 1
        if left_out <= MAX_PROBLEMS:
            twice = f"the document id {found.id!r} stands twice; the first is kept." if isinstance(found, Document) else ""
            problems.append(found if isinstance(found, Problem) else Problem(_source(settings), twice))
    if left_out > MAX_PROBLEMS:
        problems.append(Problem(_source(settings), f"{left_out - MAX_PROBLEMS} further problems are not listed."))
    if not seen:
        empty = Problem("llmops.yaml", f"the corpus {_source(settings)!r} holds no readable document.", key="corpus")
        raise InvalidFiles([empty, *problems])


def _source(settings: CorpusSettings) -> str:
    return ", ".join(settings.paths or ()) or settings.beir or settings.jsonl or ""


def _files(settings: CorpusSettings, root: Path) -> Iterator[Document | Problem]:
    """Text files below the root, in the order of their paths."""
    for match in matching_files(settings.paths or (), settings.exclude, root):
        yield _file(match, root)


def _file(match: Match, root: Path) -> Document | Problem:
    if match.problem is not None:
        return Problem(match.name, match.problem)
    try:
        text = read_text(root / match.name, root, max_bytes=MAX_DOCUMENT_BYTES)
    except InvalidFiles as error:
        return error.problems[0]
    return Document(match.name, text) if text.strip() else Problem(match.name, "is empty and is left out.")


def _lines(settings: CorpusSettings, root: Path) -> Iterator[Document | Problem]:
    """Documents of a JSONL file, one line at a time: the file may be larger than memory."""
    path = root / settings.beir / "corpus.jsonl" if settings.beir is not None else root / str(settings.jsonl)
    file = shown(path, root)
    try:
        with path.open("rb") as stream:
            _refuse_utf16(stream.peek(2)[:2], file)
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _line(settings, line.removeprefix(b"\xef\xbb\xbf"), file, number)
    except OSError as error:
        hint = "A BEIR folder holds corpus.jsonl." if settings.beir is not None else None
        raise InvalidFiles([Problem(file, f"cannot be read: {error.strerror}.", hint=hint)]) from error


def _refuse_utf16(start: bytes, file: str) -> None:
    decode(start if start in (b"\xff\xfe", b"\xfe\xff") else b"", file)


def _line(settings: CorpusSettings, line: bytes, file: str, number: int) -> Document | Problem:
    if len(line) > MAX_DOCUMENT_BYTES:
        return Problem(file, f"is longer than {MAX_DOCUMENT_BYTES // 2**20} MiB.", line=number)
    try:
        row: Any = json.loads(line.decode("utf-8"))
    except json.JSONDecodeError as error:
        return Problem(file, f"is not valid JSON: {error.msg}.", line=number, column=error.colno)
    except (UnicodeDecodeError, RecursionError):
        return Problem(file, "is not JSON in UTF-8.", line=number)
    if not isinstance(row, dict):
        return Problem(file, f"holds {type(row).__name__}; an object was expected.", line=number)
    id_field, text_field = beir_id(row), "text"
    if settings.beir is None:
        id_field, text_field = settings.id, settings.text
    key, text = row.get(id_field), row.get(text_field)
    if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
        return Problem(file, f"has no id in the field {id_field!r}.", line=number, hint=_fields(row))
    if not isinstance(text, str):
        return Problem(file, f"has no text in the field {text_field!r}.", line=number, hint=_fields(row))
    title = row.get("title") if settings.beir is not None else None
    titled = isinstance(title, str) and title.strip() and not text.startswith(title)
    whole = f"{title}\n\n{text}" if titled else text
    whole = whole.replace("\r\n", "\n").replace("\r", "\n")
    if not whole.strip():
        return Problem(file, "holds an empty text.", line=number)
    return Document(str(key), whole, {name: row[name] for name in settings.metadata if isinstance(row.get(name), str | int)})


def beir_id(row: dict[str, Any]) -> str:
    """The field of a BEIR line that holds its id; some copies call it `id`."""
    return "id" if "_id" not in row and "id" in row else "_id"


def _fields(row: dict[str, Any]) -> str:
    return f"Its fields are {', '.join(repr(name)[:40] for name in list(row)[:12]) or 'none'}."
