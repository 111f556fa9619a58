"""Cuts documents into chunks that fit the embedder, each with its exact span and heading path."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from llmops.domain.errors import UsageError
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, Tokenizer
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk, Document
from llmops.rag.code import code_lines
from llmops.rag.fitting import fitted
from llmops.rag.markdown import markdown_sections
from llmops.rag.outlines import Outline
from llmops.rag.semantic import likenesses
from llmops.rag.splitting import Piece, TokenMap, paragraphs, sentences
from llmops.settings.indexes import ChunkerSettings

CHUNKING_VERSION = 7
CHUNK_VERSION = 2
"""Part of a chunk's id: a chunk that is cut as before keeps its id, and its vector."""
SPECIAL_TOKENS = 2
"""[CLS] and [SEP], which an encoder adds to each text."""
MAX_PREFIX_SHARE = 0.4
"""A heading path longer than this share of the budget is shortened from its outer end."""
HEADING_SEPARATOR = " > "
END_COSTS: dict[str, dict[str, float]] = {
    "markdown": {"token": 0.2, "sentence": 0.05, "block": 0.0},
    "recursive": {"token": 0.2, "sentence": 0.05, "block": 0.0},
    "sentences": {"token": 0.2, "sentence": 0.0, "block": 0.0},
    "semantic": {"token": 0.2, "sentence": 0.0, "block": 0.0},
    "code": {"token": 0.7, "sentence": 0.5, "block": 0.0},
}
"""Of a chunk that ends within a sentence, with one, or with a paragraph or block of code, as `fitted` counts it."""
LIKENESS_COST = 0.1
"""Of a semantic chunk that ends where its text goes on about the same, for each standard deviation above the mean."""
RUNS = 16
"""Of a chunk: a sentence that is longer than a chunk is cut between so many runs of tokens to a chunk."""


class ChunkerMisfit(UsageError):
    """A chunker whose chunks its embedder cannot read whole."""


@record
class _Body:
    """What of a section is cut, and what stands in front of each of its chunks."""

    start: int
    end: int
    headings: tuple[str, ...]
    prefix: str


class Chunker:
    """Cuts documents as the settings say, counting as the embedder does.

    - `markdown` cuts at headings, then between paragraphs, else between sentences.
    - `recursive` cuts between paragraphs, else between sentences.
    - `sentences` cuts between sentences and does not look at paragraphs.
    - `tokens` cuts windows of equal length.
    - `semantic` cuts between sentences, where neighbouring ones differ most in what they are about.
    - `code` cuts between blocks of source code, else between lines.

    All but `tokens` make the chunks of a section as few and as even as these places allow. All keep the heading path of a
    chunk's first character, which `markdown` alone puts in front of the text, and those of the sections that it reaches
    into. A sentence that is longer than a chunk is cut
    between tokens. Together the spans hold all of a document but blank space and the heading lines that stand in a prefix.
    """

    def __init__(self, settings: ChunkerSettings, embedder: Embedder) -> None:
        """Check that a chunk can be embedded whole.

        Raises:
            ChunkerMisfit: `max_tokens` is above the embedder's window, or leaves no room for text.
        """
        if settings.max_tokens > embedder.max_tokens:
            found = (
                f"`chunker.max_tokens` {settings.max_tokens} is above the embedder's window of {embedder.max_tokens} tokens."
            )
            hint = f"A longer chunk would lose its end; set it to {embedder.max_tokens} or less."
            raise ChunkerMisfit(found, hint=hint)
        if settings.max_tokens <= SPECIAL_TOKENS:
            found = f"`chunker.max_tokens` {settings.max_tokens} leaves no room for text: {SPECIAL_TOKENS} are special tokens."
            raise ChunkerMisfit(found, hint="Set it to 32 or more.")
        self._settings = settings
        self._embedder = embedder
        self._tokenizer: Tokenizer = embedder.tokenizer
        self._room = settings.max_tokens - SPECIAL_TOKENS

    def chunks(self, document: Document) -> list[Chunk]:
        """The chunks of one document, in order."""
        found: list[Chunk] = []
        outline = Outline(document, self._settings.kind)
        for body in self._bodies(document.text):
            room = self._room - (self._tokenizer.count(body.prefix) if body.prefix else 0)
            for start, end in self._spans(document.text, body, room):
                text = body.prefix + document.text[start:end]
                content = {"document": document.id, "start": start, "end": end, "text": text}
                key = node_key("chunk", CHUNK_VERSION, content)
                first, *others = outline.reached(start, end)
                headings = body.headings if self._settings.kind == "markdown" else first
                also = dict.fromkeys(HEADING_SEPARATOR.join(path) for path in (first, *others) if path != headings[: len(path)])
                found.append(Chunk(key, document.id, start, end, text, headings, document.metadata, tuple(also)))
        return found

    def _bodies(self, text: str) -> Iterator[_Body]:
        if self._settings.kind != "markdown":
            yield _Body(0, len(text), (), "")
            return
        sections = list(markdown_sections(text))
        begin: int | None = None
        for section, following in zip_longest(sections, sections[1:]):
            prefix = self._prefix(section.headings)
            start = section.body if prefix else section.start
            if not text[section.body : section.end].strip():
                if following is not None and len(following.headings) > len(section.headings):
                    # A heading of subsections alone: their prefix holds it, or it goes with the first of them.
                    begin = section.start if begin is None and not prefix else begin
                    continue
                prefix, start = self._prefix(section.headings[:-1]), section.start
            yield _Body(start if begin is None else begin, section.end, section.headings, prefix)
            begin = None

    def _prefix(self, headings: Sequence[str]) -> str:
        """The heading path, from the outermost heading that leaves enough room for text."""
        if not self._settings.heading_prefix:
            return ""
        limit = min(int(self._settings.max_tokens * MAX_PREFIX_SHARE), self._room - 1)
        for first in range(len(headings)):
            prefix = f"{HEADING_SEPARATOR.join(headings[first:])}\n\n"
            if len(prefix) <= limit * 40 and self._tokenizer.count(prefix) <= limit:
                return prefix
        return ""

    def _spans(self, text: str, body: _Body, room: int) -> Iterator[tuple[int, int]]:
        """Spans of at most `room` tokens, by the count of the tokenizer for the whole chunk."""
        tokens = TokenMap(self._tokenizer, text, body.start, body.end)
        waiting = list(self._planned(text, body, tokens, room))[::-1]
        while waiting:
            start, end = waiting.pop()
            if self._tokenizer.count(body.prefix + text[start:end]) <= self._room:
                yield start, end
                continue
            # A tokenizer may count more tokens for a part than it did within the whole text.
            parts = list(_windows(tokens.pieces(start, end), max(1, tokens.count(start, end) // 2), 0))
            if len(parts) == 1:
                middle = start + (end - start) // 2
                parts = [(start, middle), (middle, end)] if end - start > 1 else []
            waiting.extend(reversed(parts))

    def _planned(self, text: str, body: _Body, tokens: TokenMap, room: int) -> Iterator[tuple[int, int]]:
        """Spans of at most `room` tokens, by their count within the whole text."""
        overlap = min(self._settings.overlap, room // 2)
        if self._settings.kind == "tokens":
            return _windows(tokens.pieces(body.start, body.end), room, overlap)
        pieces = self._pieces(text, body, tokens, room)
        costs = [END_COSTS[self._settings.kind][piece.ends] for piece in pieces]
        if self._settings.kind == "semantic" and sum(piece.tokens for piece in pieces) > room:
            likeness = likenesses(text, [(piece.start, piece.end) for piece in pieces], self._embedder)
            costs = [cost + LIKENESS_COST * like for cost, like in zip(costs, likeness, strict=True)]
        return fitted(pieces, room, overlap, costs)

    def _pieces(self, text: str, body: _Body, tokens: TokenMap, room: int) -> list[Piece]:
        """What a chunk is made of, each of at most `room` tokens."""
        found: list[Piece] = []
        if self._settings.kind == "code":
            for start, end, last in code_lines(text, body.start, body.end):
                found += self._fitting(start, end, tokens, room)
                found[-1] = replace(found[-1], ends="block" if last else "sentence")
            return found
        for block_start, block_end in paragraphs(text, body.start, body.end):
            for start, end in sentences(text, block_start, block_end):
                found += self._fitting(start, end, tokens, room)
                found[-1] = replace(found[-1], ends="sentence")
            found[-1] = replace(found[-1], ends="block")
        return found

    def _fitting(self, start: int, end: int, tokens: TokenMap, room: int) -> list[Piece]:
        count = tokens.count(start, end)
        return [Piece(start, end, count)] if count <= room else tokens.pieces(start, end, max(1, room // RUNS))


def _windows(pieces: Sequence[Piece], room: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Spans of `room` pieces of one token, the next one starting `overlap` before the end of the last."""
    for first in range(0, max(1, len(pieces) - overlap), room - overlap):
        if pieces:
            yield pieces[first].start, pieces[min(first + room, len(pieces)) - 1].end
