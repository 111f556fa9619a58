"""Reads a corpus: files by glob, a BEIR folder, or the rows of a JSONL or CSV file."""

from collections.abc import Iterator
from pathlib import Path

from llmops.domain.errors import InvalidFiles, MissingExtra, Problem
from llmops.domain.keys import canonical, content_hash
from llmops.domain.ports import DocumentReader
from llmops.domain.records import record
from llmops.domain.retrieval import Document
from llmops.rag.globbing import Match, matching_files
from llmops.rag.rows import row_documents
from llmops.settings.files import decode, read_bytes
from llmops.settings.indexes import CorpusSettings

MAX_CHARACTERS = 16 * 1024 * 1024
"""Of the text of one document."""
MAX_NAMED = 5
"""Files that a message names."""
MAX_PROBLEMS = 200
"""Problems that are listed one by one; a wrong field name would otherwise give one per line of the file."""


@record
class Corpus:
    """The documents that could be read, and what was wrong with the others."""

    documents: tuple[Document, ...]
    """In the order of their ids."""
    problems: tuple[Problem, ...]
    """One per file or line that was left out; the rest is indexed all the same."""


class PlainText:
    """Implements `DocumentReader` for text in UTF-8."""

    def text(self, name: str, data: bytes) -> str:
        """As the port."""
        return decode(data, name)


PLAIN = PlainText()


def load_corpus(settings: CorpusSettings, root: Path, reader: DocumentReader = PLAIN) -> Corpus:
    """All documents of a corpus.

    Args:
        settings: of the index.
        root: the project's root, which relative paths start at and globs stay inside.
        reader: turns the bytes of a file into text.

    Raises:
        InvalidFiles: there is no document at all, or the file of its rows cannot be read.
        MissingExtra: names the files that need it.
    """
    problems: list[Problem] = []
    documents = {document.id: document for document in _documents(settings, root, problems, reader)}
    return Corpus(tuple(documents[key] for key in sorted(documents)), tuple(problems))


def fingerprint(corpus: Corpus) -> dict[str, str]:
    """Content hash of each document, by id."""
    return {document.id: _hash(document) for document in corpus.documents}


def _hash(document: Document) -> str:
    return content_hash(f"{document.text}\n{canonical(document.metadata)}" if document.metadata else document.text)


def _documents(settings: CorpusSettings, root: Path, problems: list[Problem], reader: DocumentReader) -> Iterator[Document]:
    """Documents with distinct ids; what is wrong with the others is added to `problems`."""
    seen: set[str] = set()
    left_out = 0
    for found in _files(settings, root, reader) if settings.paths is not None else row_documents(settings, root):
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
    return ", ".join(settings.paths or ()) or settings.beir or settings.jsonl or settings.csv or ""


def _files(settings: CorpusSettings, root: Path, reader: DocumentReader) -> Iterator[Document | Problem]:
    """Files below the root, in the order of their paths."""
    lacking: list[str] = []
    extra = ""
    for match in matching_files(settings.paths or (), settings.exclude, root):
        try:
            yield _file(match, root, reader)
        except MissingExtra as error:
            lacking.append(match.name)
            extra = error.extra
    if lacking:
        more = f" and {len(lacking) - MAX_NAMED} more" if len(lacking) > MAX_NAMED else ""
        raise MissingExtra(f"Reading {', '.join(map(repr, lacking[:MAX_NAMED]))}{more}", extra)


def _file(match: Match, root: Path, reader: DocumentReader) -> Document | Problem:
    if match.problem is not None:
        return Problem(match.name, match.problem)
    try:
        text = reader.text(match.name, read_bytes(root / match.name, root))
    except InvalidFiles as error:
        return error.problems[0]
    if len(text) > MAX_CHARACTERS:
        return Problem(match.name, f"holds more than {MAX_CHARACTERS // 2**20} million characters; split it, or leave it out.")
    return Document(match.name, text) if text.strip() else Problem(match.name, "is empty and is left out.")
