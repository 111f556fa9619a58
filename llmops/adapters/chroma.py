"""Chroma as the vector store: a folder of the project, or a server."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from llmops.domain.errors import RetrievalError
from llmops.domain.keys import content_hash
from llmops.domain.paging import pages
from llmops.domain.retrieval import Chunk
from llmops.rag.searching import ANOTHER_MODEL, vectors_lost
from llmops.settings.indexes import VectorStoreSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

Result = TypeVar("Result")
_refused = re.compile(r"unauthori[sz]ed|forbidden|\b40[13]\b", re.IGNORECASE)
_full = re.compile(r"\(code: (?:13|778|1034|1546)\)|disk is full|\(os error (?:27|28|122)\)")
"""SQLite's codes of a write that failed and the system's: no space, a file or a quota at its limit."""
IDS_PER_CALL = 2000
"""Below the largest batch of every Chroma (5461, from the variables that SQLite takes)."""
_read_only = re.compile(r"\(code: 8\)|\(os error (?:13|30)\)")
"""SQLite's code and the system's of a file that may not be written."""
DATABASE = "chroma.sqlite3"
"""In the folder of every Chroma."""
LAYOUT = 2
"""Of a collection: 1 had a point for each chunk. A collection that once held many equal points stays hard to search."""
HNSW = {"space": "cosine", "ef_construction": 200, "ef_search": 200}
"""Chroma's own 100 and 100 find fewer of the true neighbours; the time is small beside that of embedding the query."""


class ChromaStore:
    """Implements `IndexVectors` in one collection per index and embedder: vectors of two embedders never mix."""

    def __init__(self, settings: VectorStoreSettings, root: Path, name: str, embedder: str) -> None:
        """Remember where; nothing is opened before the first call.

        Args:
            settings: folder or server.
            root: the project's root, where a relative folder starts.
            name: of the index.
            embedder: its identity, part of the collection's name.
        """
        self._settings = settings
        self._path = root / settings.path
        space = settings.namespace
        parts = [str(LAYOUT), embedder, *([space] if space else [])]
        self._name = f"{f'{space}-' if space else ''}{name}-{content_hash(', '.join(parts))[:12]}"
        self._facts: dict[str, str | int] = {"index": f"{space}/{name}" if space else name, "embedder": embedder}
        self._client: Any = None
        self._opened: Any = None

    def upsert(self, chunks: Sequence[Chunk], vectors: "NDArray[float32]") -> None:
        """As the port."""
        for start in range(0, len(chunks), IDS_PER_CALL):
            some = chunks[start : start + IDS_PER_CALL]
            rows: list[dict[str, str | int]] = [
                {"document": chunk.document, "start": chunk.start, "end": chunk.end} for chunk in some
            ]
            self._asked(_upsert([chunk.vector_id for chunk in some], vectors[start : start + IDS_PER_CALL], rows))

    def delete(self, ids: Sequence[str]) -> None:
        """As the port."""
        for some in pages(ids, IDS_PER_CALL):
            self._asked(_delete(list(some)))

    def ids(self) -> set[str]:
        """As the port."""
        return set(self._asked(lambda collection: collection.get(include=[]))["ids"])

    def query(self, vectors: "NDArray[float32]", k: int) -> list[list[tuple[str, float]]]:
        """As the port."""
        if not len(vectors) or k < 1:
            return [[] for _ in vectors]
        found = self._asked(lambda c: c.query(query_embeddings=vectors, n_results=k, include=["distances"]))
        rows = zip(found["ids"], found["distances"], strict=True)
        return [
            sorted(((key, 1.0 - float(d)) for key, d in zip(ids, distances, strict=True)), key=lambda hit: (-hit[1], hit[0]))
            for ids, distances in rows
        ]

    def vectors(self, ids: Sequence[str]) -> "NDArray[float32]":
        """As the port."""
        import numpy as np

        wanted = list(dict.fromkeys(ids))
        rows: dict[str, NDArray[float32]] = {}
        for some in pages(wanted, IDS_PER_CALL):
            rows |= self._asked(_vectors(list(some)))
        lost = sum(key not in rows for key in wanted)
        if lost:
            raise vectors_lost(lost, len(wanted))
        return np.asarray([rows[key] for key in ids], np.float32)

    def is_there(self) -> bool:
        """Whether there can be any vectors: False where the folder holds no database. Opens nothing, and asks no server."""
        return self._settings.url is not None or (self._path / DATABASE).is_file()

    def describe(self, facts: Mapping[str, str | int]) -> None:
        """As `IndexVectors`: the collection's metadata."""
        self._asked(lambda collection: collection.modify(metadata={**self._facts, **facts}))

    def drop_others(self) -> None:
        """As `IndexVectors`: collections of this index under other embedders."""
        self._asked(lambda _: self._drop(keep=self._name))

    def drop(self) -> None:
        """As `IndexVectors`: all collections of this index; a folder that does not exist is not made for it."""
        if self._settings.url is not None or self._path.exists():
            self._asked(lambda _: self._drop(keep=None))
            self._opened = None

    def _drop(self, keep: str | None) -> None:
        for each in self._client.list_collections():
            if each.name != keep and (each.metadata or {}).get("index") == self._facts["index"]:
                self._client.delete_collection(each.name)

    def _asked(self, work: Callable[[Any], Result]) -> Result:
        try:
            return work(self._collection())
        # Chroma raises its own, SQLite's, Rust's and httpx's errors, with no base of their own but Exception.
        except Exception as error:
            self._opened = None
            raise self._translated(error) from error

    def _collection(self) -> Any:  # noqa: ANN401 -- Chroma's own type
        if self._opened is None:
            self._client = self._connected()
            self._opened = self._client.get_or_create_collection(
                self._name, configuration={"hnsw": HNSW}, metadata=self._facts, embedding_function=None
            )
        return self._opened

    def _connected(self) -> Any:  # noqa: ANN401 -- Chroma's own type
        import chromadb
        from chromadb.config import Settings

        logging.getLogger("chromadb").setLevel(logging.CRITICAL)
        quiet = Settings(anonymized_telemetry=False, allow_reset=False)
        if self._settings.url is None:
            self._path.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(str(self._path), settings=quiet)
        url = urlsplit(self._settings.url)
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 8000)
        place = url.netloc if url.port else f"{url.netloc}:{port}"
        # Chroma takes a whole address as it is; of a host alone it knows neither the path nor the brackets of IPv6.
        return chromadb.HttpClient(f"{url.scheme}://{place}{url.path.rstrip('/')}", port, ssl=secure, settings=quiet)

    def _translated(self, error: Exception) -> RetrievalError:
        told = " ".join(str(error).split())[:200] or type(error).__name__
        if "dimension" in told:
            found = f"The Chroma collection {self._name!r} holds other vectors: {told.removesuffix('.')}."
            return RetrievalError(found, hint=ANOTHER_MODEL)
        if self._settings.url is not None:
            hint = "Start it (chroma run --path FOLDER), or remove `url` from the index's `store` to use a folder."
            if _refused.search(told):
                hint = "Set CHROMA_CLIENT_AUTH_PROVIDER and CHROMA_CLIENT_AUTH_CREDENTIALS, which Chroma's client reads."
            return RetrievalError(f"The Chroma server {self._settings.url} failed: {told}.", hint=hint)
        if _full.search(told):
            hint = "Free some space, or lift the limit on the size of files, and run the same command again."
            found = f"The Chroma folder {str(self._path)!r} cannot be written: {told}. The last complete index stays."
            return RetrievalError(found, hint=hint)
        if _read_only.search(told):
            hint = "Chroma writes to a folder that is only read, too: change its permissions, or name a copy in `store:`."
            return RetrievalError(f"The Chroma folder {str(self._path)!r} cannot be written: {told}.", hint=hint)
        hint = f"Move {str(self._path)!r} and .llmops/indexes away and build anew: llmops rag index"
        return RetrievalError(f"The Chroma folder {str(self._path)!r} cannot be used: {told}.", hint=hint)


def _upsert(ids: list[str], vectors: "NDArray[float32]", rows: list[dict[str, str | int]]) -> Callable[[Any], None]:
    return lambda collection: collection.upsert(ids=ids, embeddings=vectors, metadatas=rows)


def _vectors(ids: list[str]) -> "Callable[[Any], dict[str, NDArray[float32]]]":
    def read(collection: Any) -> "dict[str, NDArray[float32]]":  # noqa: ANN401 -- Chroma's own type
        found = collection.get(ids=ids, include=["embeddings"])
        return dict(zip(found["ids"], found["embeddings"], strict=True))

    return read


def _delete(ids: list[str]) -> Callable[[Any], None]:
    return lambda collection: collection.delete(ids=ids)
