"""Where to cut a text so that its chunks are few, of nearly equal size, and end where it costs least."""

import math
from collections.abc import Iterator, Sequence

from llmops.rag.splitting import Piece


def fitted(pieces: Sequence[Piece], room: int, overlap: int, costs: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Spans of consecutive pieces, each of at most `room` tokens, that together hold all pieces.

    The total fit of Knuth and Plass ("Breaking paragraphs into lines", 1981), with chunks for lines: a chunk costs the square
    of the share of it that stays empty, and what its last piece costs to end with, and the sum over the text is the least
    there is. The squares make chunks few and even: filling one after the other leaves a small rest at the end.

    Args:
        pieces: in order, each of at most `room` tokens.
        room: tokens of a chunk.
        overlap: tokens before its first piece that a chunk repeats, at most, in whole pieces.
        costs: of a chunk's end after each piece, which may be negative; 1 is what an empty chunk costs.
    """
    shared = _shared(pieces, room, overlap)
    least, begins = [0.0, *[math.inf] * len(pieces)], [0] * (len(pieces) + 1)
    for after in range(1, len(pieces) + 1):
        end = 0.0 if after == len(pieces) else costs[after - 1]
        own = 0
        for first in range(after - 1, -1, -1):
            own += pieces[first].tokens
            if own > room:
                break
            size = own + shared[first][1]
            if size > room:
                continue
            cost = least[first] + (1 - size / room) ** 2 + end
            if cost < least[after]:
                least[after], begins[after] = cost, first
    yield from _spans(pieces, begins, shared)


def _shared(pieces: Sequence[Piece], room: int, overlap: int) -> list[tuple[int, int]]:
    """For each piece the first one that a chunk which begins with it repeats, and the tokens that it repeats."""
    found: list[tuple[int, int]] = []
    for first, piece in enumerate(pieces):
        back, tokens, limit = first, 0, min(overlap, room - piece.tokens)
        while back and tokens + pieces[back - 1].tokens <= limit:
            back -= 1
            tokens += pieces[back].tokens
        found.append((back, tokens))
    return found


def _spans(pieces: Sequence[Piece], begins: Sequence[int], shared: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    ends = [len(pieces)] if pieces else []
    while ends and begins[ends[-1]]:
        ends.append(begins[ends[-1]])
    start = -1
    for after in reversed(ends):
        start = max(start + 1, shared[begins[after]][0])
        yield pieces[start].start, pieces[after - 1].end
