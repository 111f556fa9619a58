"""`llmops rag make-dataset`: labelled questions about a corpus, for users who have none."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from llmops.domain.errors import UsageError
from llmops.domain.ports import Progress
from llmops.rag.known_items import known_items
from llmops.rag.loading import Corpus
from llmops.rag.questions import PlacedQuestion, Screen
from llmops.rag.retrieving import Retriever

KNOWN_ITEM = "cloze-style known-item query"


class SearchedIndex(Protocol):
    """An index over its corpus."""

    name: str

    @property
    def corpus(self) -> Corpus:
        """The documents."""
        ...

    def open(self, progress: Progress) -> Retriever:
        """The retriever; the index is built first when it is not up to date."""
        ...


@dataclass(frozen=True, slots=True)
class MadeDataset:
    """Labelled questions and how they were made."""

    index: str
    kind: str
    """What they are, in words."""
    seed: int
    questions: tuple[PlacedQuestion, ...]
    dropped: Mapping[str, int]
    """Questions that did not pass a screen, by what is wrong with them."""

    @property
    def text(self) -> str:
        """The dataset as JSONL."""
        return "".join(f"{json.dumps(self._case(each), ensure_ascii=False)}\n" for each in self.questions)

    def _case(self, each: PlacedQuestion) -> dict[str, Any]:
        tag = "known-item"
        return {
            "id": f"{tag}-{each.key}",
            "vars": {"question": each.question},
            "expected": [each.answer],
            "relevant": [each.relevant],
            "tags": [tag],
            "metadata": {"made_by": "llmops rag make-dataset", "kind": self.kind, "index": self.index, "seed": self.seed},
        }


def make_known_items(index: SearchedIndex, wanted: int, seed: int, progress: Progress) -> MadeDataset:
    """Cloze-style known-item queries about an index's corpus; no model is asked.

    Args:
        index: built when it is not up to date.
        wanted: number of queries, as far as the corpus has them.
        seed: the same one gives the same queries.
        progress: told of each batch.

    Raises:
        UsageError: the corpus has no sentence to make one from.
        RetrievalError: the index cannot be built or read.
    """
    screen = Screen(index.open(progress))
    kept: list[PlacedQuestion] = []
    progress.started("known-item queries", wanted)
    for batch in _batches(known_items(index.corpus.documents, seed), kept, wanted):
        kept += screen.passed(batch)
        progress.advanced(len(kept))
    progress.finished()
    if not kept:
        hint = "It takes sentences of 8 to 30 words that stand in one place only."
        raise UsageError(f"The corpus of {index.name!r} has no sentence to make a query from.", hint=hint)
    return MadeDataset(index.name, KNOWN_ITEM, seed, tuple(kept), dict(screen.dropped))


def _batches(
    drawn: Iterator[PlacedQuestion], kept: list[PlacedQuestion], wanted: int, size: int = 64
) -> Iterator[list[PlacedQuestion]]:
    """As many as are still wanted, again and again, until there are enough or no more."""
    while batch := list(islice(drawn, min(size, wanted - len(kept)))):
        yield batch
