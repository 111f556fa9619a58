"""From ranked chunks to the hits of a prompt: with their neighbours, and within a number of tokens."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from llmops.domain.ports import Tokenizer
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk, Hit
from llmops.rag.chunking import HEADING_SEPARATOR
from llmops.settings.retrieval import RetrieveSettings


@record
class Candidate:
    """A chunk on its way to be a hit."""

    key: str
    score: float
    """Of the stage that ranked it last."""
    scores: Mapping[str, float]
    """Of each stage that saw it."""


class Packer:
    """Makes hits of candidates."""

    def __init__(self, chunks: Mapping[str, Chunk], settings: RetrieveSettings, tokenizer: Tokenizer) -> None:
        """Args: `chunks` are all of the index, by id."""
        self._chunks = chunks
        self._settings = settings
        self._tokenizer = tokenizer

    def hits(self, ranked: Sequence[Candidate]) -> Iterator[Hit]:
        """At most `k` hits, best first, that together have at most `max_tokens`.

        A chunk that an earlier hit holds is no hit of its own. A hit whose neighbours do not fit stands alone, and the first
        that does not fit alone is the end.
        """
        left = self._settings.max_tokens
        held: set[str] = set()
        given = 0
        for candidate in ranked:
            if given == self._settings.k:
                return
            if candidate.key in held:
                continue
            for keys in self._stretches(candidate.key, held):
                hit = self._hit(candidate, keys)
                size = 0 if left is None else self._tokenizer.count(hit.text)
                if left is None or size <= left:
                    break
            else:
                return
            left = None if left is None else left - size
            held.update(keys)
            given += 1
            yield hit

    def _hit(self, candidate: Candidate, keys: Sequence[str]) -> Hit:
        chunk = self._chunks[candidate.key]
        if len(keys) == 1:
            return hit_of(chunk, candidate.scores)
        return hit_of(joined([self._chunks[key] for key in keys], chunk), candidate.scores)

    def _stretches(self, key: str, held: set[str]) -> Iterator[Sequence[str]]:
        """Ids of a chunk with its neighbours that no other hit holds, in the document's order; then the chunk alone."""
        reach = self._settings.neighbours
        if reach is not None:
            order = self._order[self._chunks[key].document]
            at = order.index(key)
            first = last = at
            while first > max(0, at - reach) and order[first - 1] not in held:
                first -= 1
            while last < min(len(order) - 1, at + reach) and order[last + 1] not in held:
                last += 1
            if first < last:
                yield order[first : last + 1]
        yield [key]

    @cached_property
    def _order(self) -> dict[str, list[str]]:
        """Chunk ids of each document, in the order of their places."""
        found: dict[str, list[str]] = {}
        for key, chunk in sorted(self._chunks.items(), key=lambda item: (item[1].start, item[1].end)):
            found.setdefault(chunk.document, []).append(key)
        return found


def joined(chunks: Sequence[Chunk], centre: Chunk) -> Chunk:
    """Neighbouring chunks as one passage; what they share stands once.

    Args:
        chunks: in the document's order.
        centre: one of them, whose id, headings and heading prefix the passage gets.
    """
    text = _prefix(chunks[0]) if chunks[0].headings != centre.headings else _prefix(centre)
    end, headings = chunks[0].start, chunks[0].headings
    for chunk in chunks:
        passage = chunk.text[len(_prefix(chunk)) :]
        if chunk.start <= end:
            text += passage[end - chunk.start :]
        else:
            # Between two chunks stand blanks, or the heading lines that their prefix repeats.
            text += "\n\n" + (passage if chunk.headings == headings else chunk.text)
        end, headings = max(end, chunk.end), chunk.headings
    under = dict.fromkeys(path for each in chunks for path in (HEADING_SEPARATOR.join(each.headings), *each.also_under))
    others = tuple(path for path in under if path not in ("", HEADING_SEPARATOR.join(centre.headings)))
    return Chunk(centre.id, centre.document, chunks[0].start, end, text, centre.headings, centre.metadata, others)


def _prefix(chunk: Chunk) -> str:
    return chunk.text[: len(chunk.text) - (chunk.end - chunk.start)]


def hit_of(chunk: Chunk, scores: Mapping[str, float] | None = None) -> Hit:
    """The chunk as a hit, with the score of each stage that saw it."""
    heading = HEADING_SEPARATOR.join(chunk.headings)
    return Hit(chunk.text, chunk.document, heading, chunk.start, chunk.end, chunk.id, scores or {}, also_under=chunk.also_under)
