"""Queries and relevance judgements of a BEIR folder (Thakur et al. 2021): queries.jsonl and qrels/*.tsv."""

from collections.abc import Iterator
from pathlib import Path

from llmops.domain.errors import InvalidFiles, Problem
from llmops.rag.rows import beir_id
from llmops.settings.files import read_text, shown
from llmops.settings.lines import json_lines

MAX_PROBLEMS = 20
Judgements = dict[str, dict[str, int]]
"""Grade by document, by query; 0 is not relevant."""


def read_queries(folder: Path, root: Path) -> dict[str, str]:
    """Text by query id, in the file's order.

    Raises:
        InvalidFiles: the file is missing, or holds bad lines.
    """
    path = folder / "queries.jsonl"
    file = shown(path, root)
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for row in json_lines(path, root):
        if isinstance(row, Problem):
            problems.append(row)
        elif (
            not isinstance(row.value, dict) or not isinstance(row.value.get("text"), str) or beir_id(row.value) not in row.value
        ):
            problems.append(Problem(file, 'is not {"_id": "...", "text": "..."}.', line=row.line))
        else:
            found[str(row.value[beir_id(row.value)])] = row.value["text"]
    _refuse(problems)
    return found


def read_judgements(folder: Path, root: Path) -> Judgements:
    """The judgements of `qrels/test.tsv`, else of all files in `qrels/`, else of `qrels.jsonl`.

    Raises:
        InvalidFiles: there are none, or a line is no judgement.
    """
    if (folder / "qrels.jsonl").is_file():
        rows = _from_lines(folder / "qrels.jsonl", root)
    else:
        files = sorted((folder / "qrels").glob("*.tsv"))
        chosen = [path for path in files if path.stem == "test"] or files
        if not chosen:
            hint = "A BEIR folder holds corpus.jsonl, queries.jsonl and qrels/test.tsv."
            problem = "holds no relevance judgements." if folder.is_dir() else "no such folder."
            raise InvalidFiles([Problem(shown(folder, root), problem, hint=hint)])
        rows = (row for path in chosen for row in _from_table(path, root))
    found: Judgements = {}
    problems: list[Problem] = []
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
        else:
            query, document, grade = row
            found.setdefault(query, {})[document] = grade
    _refuse(problems)
    return found


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidFiles(problems[:MAX_PROBLEMS])


def _from_lines(path: Path, root: Path) -> Iterator[tuple[str, str, int] | Problem]:
    for row in json_lines(path, root):
        if isinstance(row, Problem):
            yield row
            continue
        try:
            value = row.value
            yield str(value["query_id"]), str(value["doc_id"]), int(value["relevance"])
        except (KeyError, TypeError, ValueError):
            yield Problem(shown(path, root), "is not a judgement with query_id, doc_id and relevance.", line=row.line)


def _from_table(path: Path, root: Path) -> Iterator[tuple[str, str, int] | Problem]:
    """`query-id`, `corpus-id` and `score` after a line of headings; TREC's four columns are read, too."""
    for number, line in enumerate(read_text(path, root).splitlines(), start=1):
        parts = line.split("\t") if "\t" in line else line.split()
        if not parts or (number == 1 and not parts[-1].lstrip("-").isdigit()):
            continue
        if len(parts) not in (3, 4) or not parts[-1].lstrip("-").isdigit():
            yield Problem(shown(path, root), "is not `query-id<TAB>corpus-id<TAB>score`.", line=number)
            continue
        yield parts[0], parts[-2], int(parts[-1])
