"""Cuts documents into chunks that fit the embedder, each with its exact span and heading path."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmops.domain.errors import UsageError
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder, Tokenizer
from llmops.domain.retrieval import Chunk, Document
from llmops.scoring.sentences import split_sentences
from llmops.settings.project import ChunkerSettings

CHUNKING_VERSION = 1
SPECIAL_TOKENS = 2
"""[CLS] and [SEP], which an encoder adds to each text."""
MAX_PREFIX_SHARE = 0.4
"""A heading path longer than this share of the budget is shortened from its outer end."""

_heading = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_fence = re.compile(r"^\s{0,3}(```+|~~~+)")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document under one heading."""

    start: int
    end: int
    headings: tuple[str, ...]


class Chunker:
    """Cuts documents as the settings say, counting as the embedder does."""

    def __init__(self, settings: ChunkerSettings, embedder: Embedder) -> None:
        """Check that a chunk can be embedded whole.

        Raises:
            UsageError: `max_tokens` is above the embedder's window, or leaves no room for text.
        """
        if settings.max_tokens > embedder.max_tokens:
            found = (
                f"`chunker.max_tokens` {settings.max_tokens} is above the embedder's window of {embedder.max_tokens} tokens."
            )
            raise UsageError(found, hint="A longer chunk would lose its end without a word; lower `max_tokens`.")
        self._settings = settings
        self._tokenizer: Tokenizer = embedder.tokenizer

    def chunks(self, document: Document) -> list[Chunk]:
        """The chunks of one document, in order."""
        found: list[Chunk] = []
        for section in self._sections(document.text):
            prefix = self._prefix(section.headings)
            room = self._settings.max_tokens - SPECIAL_TOKENS - self._tokenizer.count(prefix)
            for start, end in self._pieces(document.text, section, max(1, room)):
                text = prefix + document.text[start:end]
                content = {"document": document.id, "start": start, "end": end, "text": text}
                key = node_key("chunk", CHUNKING_VERSION, content)
                found.append(Chunk(key, document.id, start, end, text, section.headings))
        return found

    def _sections(self, text: str) -> list[Section]:
        if self._settings.kind == "markdown":
            return list(markdown_sections(text))
        return [Section(0, len(text), ())]

    def _prefix(self, headings: Sequence[str]) -> str:
        if not self._settings.heading_prefix or not headings:
            return ""
        limit = int(self._settings.max_tokens * MAX_PREFIX_SHARE)
        for first in range(len(headings)):
            prefix = f"{' > '.join(headings[first:])}\n\n"
            if self._tokenizer.count(prefix) <= limit:
                return prefix
        return ""

    def _pieces(self, text: str, section: Section, room: int) -> Iterator[tuple[int, int]]:
        """Spans of at most `room` tokens, cut between sentences where possible, with the overlap of the settings."""
        units = self._units(text, section, room)
        overlap = min(self._settings.overlap, room // 2)
        first = 0
        while first < len(units):
            last = first
            total = units[first][2]
            while last + 1 < len(units) and total + units[last + 1][2] <= room:
                last += 1
                total += units[last][2]
            # The counts of parts can differ by a token or two from the count of the whole.
            while last > first and self._tokenizer.count(text[units[first][0] : units[last][1]]) > room:
                last -= 1
            yield units[first][0], units[last][1]
            if last + 1 == len(units):
                return
            back = last + 1
            shared = 0
            while back - 1 > first and shared + units[back - 1][2] <= overlap:
                back -= 1
                shared += units[back][2]
            first = back

    def _units(self, text: str, section: Section, room: int) -> list[tuple[int, int, int]]:
        """Sentences (or words) of a section with their spans and token counts, none longer than `room`."""
        body = text[section.start : section.end]
        if self._settings.kind == "tokens":
            spans = [(s, e) for s, e in self._tokenizer.offsets(body) if e > s]
        else:
            spans = [(s.start, s.end) for s in split_sentences(body)]
        units: list[tuple[int, int, int]] = []
        for start, end in spans:
            count = self._tokenizer.count(body[start:end])
            if count <= room:
                units.append((section.start + start, section.start + end, count))
            else:
                units += self._split(body, start, end, section.start, room)
        return units

    def _split(self, body: str, start: int, end: int, base: int, room: int) -> list[tuple[int, int, int]]:
        """A sentence that is longer than a chunk, cut at tokens."""
        offsets = [(s, e) for s, e in self._tokenizer.offsets(body[start:end]) if e > s]
        parts: list[tuple[int, int, int]] = []
        step = max(1, room - SPECIAL_TOKENS)
        for at in range(0, len(offsets), step):
            some = offsets[at : at + step]
            parts.append((base + start + some[0][0], base + start + some[-1][1], len(some)))
        return parts


def markdown_sections(text: str) -> Iterator[Section]:
    """The parts of a Markdown text between its ATX headings; headings inside code fences do not count."""
    path: list[tuple[int, str]] = []
    start = at = 0
    fence: str | None = None
    for line in text.splitlines(keepends=True):
        opened = _fence.match(line)
        if opened and (fence is None or opened[1].startswith(fence)):
            fence = None if fence is not None else opened[1]
        heading = _heading.match(line.rstrip("\r\n")) if fence is None else None
        if heading:
            if text[start:at].strip():
                yield Section(start, at, tuple(title for _, title in path))
            level = len(heading[1])
            path = [*(entry for entry in path if entry[0] < level), (level, heading[2])]
            start = at + len(line)
        at += len(line)
    if text[start:].strip():
        yield Section(start, len(text), tuple(title for _, title in path))
