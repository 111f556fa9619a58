"""What of an index lies in files: the chunks of each generation, one folder per generation, readable without Chroma."""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from llmops.domain.errors import RetrievalError
from llmops.domain.retrieval import Chunk
from llmops.settings.files import write_atomic

CHUNKS = "chunks.jsonl"


def generation_folder(folder: Path, key: str) -> Path:
    """Where the generation with this content key lies, below the folder of its index."""
    return folder / key


def has_generation(folder: Path, key: str, size: int) -> bool:
    """Whether all chunks of a generation, `size` of them, can be read."""
    return len(load_chunks(folder, key)) == size


def save_chunks(folder: Path, key: str, chunks: Sequence[Chunk]) -> None:
    """Write the chunks of a generation.

    Raises:
        RetrievalError: the folder is not writable or the disk is full.
    """
    path = generation_folder(folder, key) / CHUNKS
    try:
        write_atomic(path, "".join(f"{json.dumps(asdict(chunk))}\n" for chunk in chunks))
    except OSError as error:
        hint = "Nothing is lost: make room or give access, and run the same command again."
        raise RetrievalError(f"The chunks cannot be written to {str(path)!r}: {error.strerror}.", hint=hint) from error


def load_chunks(folder: Path, key: str) -> list[Chunk]:
    """The chunks of a generation, in the order of the corpus; empty when there is none or its file is damaged."""
    try:
        with (generation_folder(folder, key) / CHUNKS).open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        tuples = ("headings", "also_under")
        return [Chunk(**{**row, **{name: tuple(row.get(name, ())) for name in tuples}}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def drop_generations(folder: Path, keep: Iterable[str]) -> None:
    """Remove the files of generations that nobody reads any more; what cannot be removed stays."""
    kept = set(keep)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)
