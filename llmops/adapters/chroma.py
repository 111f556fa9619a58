"""Chroma as the vector store: a folder of the project, or a server."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmops.domain.errors import RetrievalError
from llmops.domain.keys import content_hash
from llmops.domain.retrieval import Chunk
from llmops.settings.project import VectorStoreSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

IDS_PER_CALL = 2000


class ChromaStore:
    """Implements `VectorStore` in one collection per index and embedder: vectors of two embedders never mix."""

    def __init__(self, settings: VectorStoreSettings, root: Path, name: str, embedder: str) -> None:
        self._settings = settings
        self._path = root / settings.path
        self._name = f"{name}-{content_hash(embedder)[:12]}"
        self._embedder = embedder
        self._opened: Any = None

    def upsert(self, chunks: Sequence[Chunk], vectors: "NDArray[float32]") -> None:
        """As the port."""
        for start in range(0, len(chunks), IDS_PER_CALL):
            some = chunks[start : start + IDS_PER_CALL]
            rows = {
                "ids": [chunk.id for chunk in some],
                "embeddings": vectors[start : start + IDS_PER_CALL],
                "metadatas": [{"document": chunk.document, "start": chunk.start, "end": chunk.end} for chunk in some],
            }
            self._asked("upsert", **rows)

    def delete(self, ids: Sequence[str]) -> None:
        """As the port."""
        for start in range(0, len(ids), IDS_PER_CALL):
            self._asked("delete", ids=list(ids[start : start + IDS_PER_CALL]))

    def ids(self) -> set[str]:
        """As the port."""
        return set(self._asked("get", include=[])["ids"])

    def query(self, vectors: "NDArray[float32]", k: int) -> list[list[tuple[str, float]]]:
        """As the port."""
        count = self._asked("count")
        if not count:
            return [[] for _ in vectors]
        found = self._asked("query", query_embeddings=vectors, n_results=min(k, count), include=["distances"])
        rows = zip(found["ids"], found["distances"], strict=True)
        return [
            sorted(((key, 1.0 - float(d)) for key, d in zip(ids, distances, strict=True)), key=lambda hit: (-hit[1], hit[0]))
            for ids, distances in rows
        ]

    def _asked(self, method: str, **arguments: Any) -> Any:  # noqa: ANN401 -- Chroma's own types
        """Call a method of the collection, its errors translated."""
        try:
            return getattr(self._collection(), method)(**arguments)
        except RetrievalError:
            raise
        # Chroma raises its own, SQLite's, Rust's and httpx's errors, with no base of their own but Exception.
        except Exception as error:
            raise self._translated(error) from error

    def _collection(self) -> Any:  # noqa: ANN401 -- Chroma's own type
        if self._opened is None:
            self._opened = self._client().get_or_create_collection(
                self._name,
                configuration={"hnsw": {"space": "cosine"}},
                metadata={"embedder": self._embedder},
                embedding_function=None,
            )
        return self._opened

    def _client(self) -> Any:  # noqa: ANN401 -- Chroma's own type
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
        return chromadb.HttpClient(url.hostname or "127.0.0.1", port, ssl=secure, settings=quiet)

    def _translated(self, error: Exception) -> RetrievalError:
        told = " ".join(str(error).split())[:200]
        if self._settings.url is not None:
            hint = "Start it (chroma run --path FOLDER), or remove `url` to use a folder."
            return RetrievalError(f"The Chroma server {self._settings.url} failed: {told}.", hint=hint)
        hint = f"Move {str(self._path)!r} away and build anew: llmops rag index"
        return RetrievalError(f"The Chroma folder {str(self._path)!r} cannot be used: {told}.", hint=hint)
