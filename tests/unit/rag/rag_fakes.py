"""Small stand-ins for the ports of the RAG package: deterministic, counting what they are asked."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmops.domain.keys import content_hash
from llmops.domain.ports import Tokenizer
from llmops.domain.retrieval import Chunk
from llmops.rag.searching import vectors_lost

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class WordTokenizer:
    """Words and single marks, as the first step of WordPiece; a long word is cut into parts of six letters."""

    def count(self, text: str) -> int:
        return len(self.offsets(text))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w{1,6}|[^\w\s]", text)]


class FakeEmbedder:
    """A bag of hashed words, scaled to length 1."""

    dimensions = 64
    max_tokens = 256
    costly = True

    def __init__(self, identity: str = "fake@1") -> None:
        self.identity = identity
        self.tokenizer: Tokenizer = WordTokenizer()
        self.texts: list[str] = []
        """Everything that was embedded, in order."""

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        self.texts += texts
        return self.embed_queries(texts)

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        import numpy as np

        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, int(content_hash(word)[:8], 16) % self.dimensions] += 1
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return vectors


class FakeVectors:
    """Vectors in a dictionary, searched exactly."""

    def __init__(self) -> None:
        self.rows: dict[str, NDArray[float32]] = {}
        self.facts: dict[str, str | int] = {}
        self.calls = 0
        self.others_dropped = False

    def upsert(self, chunks: Sequence[Chunk], vectors: "NDArray[float32]") -> None:
        self.calls += 1
        self.rows.update({chunk.vector_id: vector for chunk, vector in zip(chunks, vectors, strict=True)})

    def delete(self, ids: Sequence[str]) -> None:
        self.calls += 1
        for key in ids:
            self.rows.pop(key, None)

    def ids(self) -> set[str]:
        self.calls += 1
        return set(self.rows)

    def vectors(self, ids: Sequence[str]) -> "NDArray[float32]":
        import numpy as np

        self.calls += 1
        lost = sum(key not in self.rows for key in ids)
        if lost:
            raise vectors_lost(lost, len(ids))
        return np.stack([self.rows[key] for key in ids])

    def query(self, vectors: "NDArray[float32]", k: int) -> list[list[tuple[str, float]]]:
        self.calls += 1
        ranked = []
        for vector in vectors:
            found = [(key, float(vector @ row)) for key, row in self.rows.items()]
            ranked.append(sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k])
        return ranked

    def describe(self, facts: Mapping[str, str | int]) -> None:
        self.facts = dict(facts)

    def drop_others(self) -> None:
        self.others_dropped = True

    def drop(self) -> None:
        self.calls += 1
        self.rows.clear()


class Silent:
    """Implements `Progress`, keeping what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def started(self, what: str, total: int) -> None:
        self.told.append(f"{what}: {total}")

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        self.told.append(str(done))

    def finished(self) -> None:
        self.told.append("finished")

    def note(self, text: str) -> None:
        self.told.append(text)
