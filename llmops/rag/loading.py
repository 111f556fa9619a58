"""Reads a corpus: text files by glob, a BEIR folder, or a JSONL file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import content_hash
from llmops.domain.retrieval import Document
from llmops.settings.files import read_text, shown
from llmops.settings.project import CorpusSettings

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents that could be read, and what was wrong with the others."""

    documents: tuple[Document, ...]
    """In the order of their ids."""
    problems: tuple[Problem, ...]
    """One per file that was left out; the rest is indexed all the same."""


def load_corpus(settings: CorpusSettings, root: Path) -> Corpus:
    """All documents of a corpus.

    Raises:
        InvalidFiles: there is no document at all, or a JSONL file is malformed.
    """
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    for found in _files(settings, root) if settings.paths is not None else _lines(settings, root):
        if isinstance(found, Problem):
            problems.append(found)
        elif found.id in documents:
            problems.append(Problem(found.id, "the document id stands twice; the first is kept."))
        else:
            documents[found.id] = found
    if not documents:
        source = ", ".join(settings.paths or ()) or settings.beir or settings.jsonl or ""
        found = Problem("llmops.yaml", f"the corpus {source!r} holds no readable document.", key="corpus")
        raise InvalidFiles([found, *problems])
    return Corpus(tuple(documents[key] for key in sorted(documents)), tuple(problems))


def fingerprint(corpus: Corpus) -> dict[str, str]:
    """Content hash of each document, by id."""
    return {document.id: content_hash(document.text) for document in corpus.documents}


def _files(settings: CorpusSettings, root: Path) -> Iterator[Document | Problem]:
    base = root.resolve()
    left_out = {path for pattern in settings.exclude for path in root.glob(pattern)}
    for path in sorted({path for pattern in settings.paths or () for path in root.glob(pattern)} - left_out):
        if not path.is_file():
            continue
        file = path.relative_to(root).as_posix()
        if not path.resolve().is_relative_to(base):
            yield Problem(file, "leads out of the project and is left out.")
            continue
        try:
            text = read_text(path, root, max_bytes=MAX_DOCUMENT_BYTES)
        except InvalidFiles as error:
            yield error.problems[0]
            continue
        yield Document(file, text) if text.strip() else Problem(file, "is empty and is left out.")


def _lines(settings: CorpusSettings, root: Path) -> Iterator[Document | Problem]:
    path = root / settings.beir / "corpus.jsonl" if settings.beir is not None else root / str(settings.jsonl)
    id_field, text_field = ("_id", "text") if settings.beir is not None else (settings.id, settings.text)
    file = shown(path, root)
    for number, line in enumerate(read_text(path, root, max_bytes=2**31).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text = str(row[text_field])
            title = str(row.get("title") or "") if settings.beir is not None else ""
            document = Document(str(row[id_field]), f"{title}\n\n{text}".strip())
        except json.JSONDecodeError as error:
            yield Problem(file, f"is not valid JSON: {error.msg}.", line=number, column=error.colno)
            continue
        except (KeyError, TypeError, AttributeError):
            yield Problem(file, f"has no fields `{id_field}` and `{text_field}`.", line=number)
            continue
        yield document if document.text else Problem(file, "holds an empty text.", line=number)
