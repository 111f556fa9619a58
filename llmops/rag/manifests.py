"""Which generation of an index is live, and what it was made of: enough to see without Chroma what has changed."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, Store
from llmops.domain.records import record
from llmops.rag.chunking import CHUNKING_VERSION
from llmops.settings.indexes import IndexSettings

INDEXING_VERSION = 3


@record
class Entry:
    """One document of a generation."""

    hash: str
    """Content hash of its text."""
    chunks: tuple[str, ...]
    """Ids of its chunks, in order."""


@record
class Manifest:
    """One complete generation of an index; kept in the store, mirrored in the vector store."""

    key: str
    """Content key: corpus, chunker and embedder."""
    generation: int
    """Counts the generations of this index, from 1."""
    embedder: str
    """Identity of the embedder."""
    dimensions: int
    """Length of a vector."""
    documents: Mapping[str, Entry]
    """By document id."""

    @property
    def size(self) -> int:
        """Number of distinct chunks."""
        return len({key for entry in self.documents.values() for key in entry.chunks})

    @property
    def hashes(self) -> dict[str, str]:
        """Content hash by document id, as a corpus' fingerprint."""
        return {name: entry.hash for name, entry in self.documents.items()}

    def facts(self) -> dict[str, str | int]:
        """The manifest without its documents."""
        return {
            "key": self.key,
            "generation": self.generation,
            "embedder": self.embedder,
            "dimensions": self.dimensions,
            "documents": len(self.documents),
            "chunks": self.size,
        }

    def save(self, store: Store, name: str) -> None:
        """Make this the live generation of the index.

        Raises:
            StoreError: the store cannot be written.
        """
        store.set_manifest(name, asdict(self))

    @classmethod
    def load(cls, store: Store, name: str) -> "Manifest | None":
        """The live generation of an index; None when it was never built, or by an llmops with other manifests."""
        data: Any = store.manifest(name)
        try:
            documents = {key: Entry(entry["hash"], tuple(entry["chunks"])) for key, entry in data["documents"].items()}
            return cls(**{**data, "documents": documents})
        except (TypeError, KeyError, AttributeError):
            return None


def index_key(settings: IndexSettings, documents: Mapping[str, str], embedder: str) -> str:
    """The content key of an index: equal documents, chunker and embedder give an equal index.

    Args:
        settings: of the index; where it is stored and how it is asked does not count.
        documents: content hash by document id.
        embedder: its identity.
    """
    inputs = {"documents": dict(documents), "embedder": embedder, **_chunking(settings)}
    return node_key("index", INDEXING_VERSION, inputs)


def _chunking(settings: IndexSettings) -> dict[str, object]:
    return {"chunker": settings.chunker.model_dump(mode="json"), "chunking": CHUNKING_VERSION}


def reusable(old: Manifest | None, settings: IndexSettings, embedder: Embedder) -> Manifest | None:
    """The old generation when its chunks of unchanged documents still hold: the same chunker and embedder."""
    if old is None or old.key != index_key(settings, old.hashes, embedder.identity):
        return None
    return old


@record
class Changes:
    """What a build would do, told without doing it."""

    added: tuple[str, ...]
    """Document ids."""
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    everything: str = ""
    """Why all documents are cut and embedded again; empty when only those above are."""

    @property
    def none(self) -> bool:
        """The index is up to date."""
        return not (self.added or self.changed or self.removed or self.everything)


def plan_changes(old: Manifest | None, settings: IndexSettings, hashes: Mapping[str, str], embedder: Embedder) -> Changes:
    """What `build` would do to bring an index to these documents. Opens neither the corpus nor the vector store.

    Args:
        old: the live generation.
        settings: of the index.
        hashes: content hash by document id, as `fingerprint` gives it.
        embedder: of the settings; it embeds nothing.
    """
    before = old.hashes if old else {}
    added = tuple(sorted(hashes.keys() - before.keys()))
    removed = tuple(sorted(before.keys() - hashes.keys()))
    changed = tuple(sorted(name for name, found in hashes.items() if before.get(name, found) != found))
    everything = ""
    if old is None:
        everything = "it was never built"
    elif old.embedder != embedder.identity:
        everything = "the embedder changed"
    elif reusable(old, settings, embedder) is None:
        everything = "the chunker changed, or how an index is built"
    return Changes(added, changed, removed, everything)
