"""Documents from rows: of a JSONL or CSV file with named fields, or of a BEIR folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.retrieval import Document
from llmops.settings.files import shown
from llmops.settings.indexes import CorpusSettings
from llmops.settings.lines import Row, csv_rows, json_lines


def row_documents(settings: CorpusSettings, root: Path) -> Iterator[Document | Problem]:
    """A document for each row, or what is wrong with it. Of a JSONL file memory holds one line.

    Raises:
        InvalidFiles: the file cannot be read.
    """
    if settings.csv is not None:
        path, rows = root / settings.csv, csv_rows(root / settings.csv, root)
    else:
        path = root / settings.beir / "corpus.jsonl" if settings.beir is not None else root / str(settings.jsonl)
        if settings.beir is not None and not path.is_file():
            raise InvalidFiles([Problem(shown(path, root), "no such file.", hint="A BEIR folder holds corpus.jsonl.")])
        rows = json_lines(path, root)
    file = shown(path, root)
    for row in rows:
        yield row if isinstance(row, Problem) else _document(settings, row, file)


def _document(settings: CorpusSettings, row: Row, file: str) -> Document | Problem:
    fields: Any = row.value
    if not isinstance(fields, dict):
        return Problem(file, f"holds {type(fields).__name__}; an object was expected.", line=row.line)
    id_field, text_field = beir_id(fields), "text"
    if settings.beir is None:
        id_field, text_field = settings.id, settings.text
    key, text = fields.get(id_field), fields.get(text_field)
    if not isinstance(key, str | int) or isinstance(key, bool) or key == "":
        return Problem(file, f"has no id in the field {id_field!r}.", line=row.line, hint=_fields(fields))
    if not isinstance(text, str):
        return Problem(file, f"has no text in the field {text_field!r}.", line=row.line, hint=_fields(fields))
    title = fields.get("title") if settings.beir is not None else None
    titled = isinstance(title, str) and title.strip() and not text.startswith(title)
    whole = f"{title}\n\n{text}" if titled else text
    whole = whole.replace("\r\n", "\n").replace("\r", "\n")
    if not whole.strip():
        return Problem(file, "holds an empty text.", line=row.line)
    kept = {name: fields[name] for name in settings.metadata if isinstance(fields.get(name), str | int)}
    return Document(str(key), whole, kept)


def beir_id(fields: dict[str, Any]) -> str:
    """The field of a BEIR line that holds its id; some copies call it `id`."""
    return "id" if "_id" not in fields and "id" in fields else "_id"


def _fields(fields: dict[str, Any]) -> str:
    return f"Its fields are {', '.join(repr(name)[:40] for name in list(fields)[:12]) or 'none'}."
