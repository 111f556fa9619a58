"""Documents, the chunks they are cut into, and the hits of a query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from llmops.domain.keys import content_hash
from llmops.domain.records import record


@record
class Document:
    """One text of a corpus."""

    id: str
    """Path relative to the project root, or the id a dataset gives."""
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@record
class Chunk:
    """A passage of one document, the unit that is embedded and retrieved."""

    id: str
    """Content hash of document id, span and text: equal passages keep their id over rebuilds."""
    document: str
    """`Document.id`."""
    start: int
    """First character in the document's text, 0-based."""
    end: int
    """One past the last character."""
    text: str
    """What is embedded, searched and shown: the heading path, when the chunker prefixes it, and the passage."""
    headings: tuple[str, ...] = ()
    """Heading path, outermost first."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Of its document."""
    also_under: tuple[str, ...] = ()
    """Heading paths, joined by ` > `, of the other sections that it reaches into."""

    @property
    def vector_id(self) -> str:
        """Of its vector in a vector store: equal texts have one vector, which is kept once."""
        return content_hash(self.text)


@record
class Hit:
    """A retrieved chunk, as a template sees it in `contexts`."""

    text: str
    source: str
    """`Document.id`, or `given` for a passage that came with the case."""
    heading: str = ""
    """Heading path joined by ` > `."""
    start: int | None = None
    end: int | None = None
    chunk: str | None = None
    """`Chunk.id`; None for a given passage."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Score of each stage that saw it: `dense` (cosine), `bm25`, `fused`, `rerank`."""
    given: bool = False
    also_under: Sequence[str] = ()
    """Heading paths, as `heading`, of the other sections that it reaches into."""


def given_hits(texts: Iterable[str]) -> tuple[Hit, ...]:
    """The passages that a case brings along."""
    return tuple(Hit(text, source="given", given=True) for text in texts)
