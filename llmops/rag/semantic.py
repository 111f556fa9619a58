"""Where the topic of a text changes, by the vectors of its sentences."""

from collections.abc import Sequence

from llmops.domain.ports import Embedder

AROUND = 1
"""Sentences on each side that a sentence is embedded with: alone it may say little."""


def topic_ends(text: str, spans: Sequence[tuple[int, int]], breaks: int, embedder: Embedder) -> set[int]:
    """Positions in `spans` after which the topic changes most.

    Args:
        text: of the document.
        spans: of its sentences, in order.
        breaks: how many positions, at most.
        embedder: gives the vectors.

    Source: Kamradt's breakpoints between neighbouring windows of sentences, with a number of breaks instead of a percentile.
    """
    if breaks < 1 or len(spans) < 2:
        return set()
    windows = [text[spans[max(0, at - AROUND)][0] : spans[min(len(spans) - 1, at + AROUND)][1]] for at in range(len(spans))]
    vectors = embedder.embed(windows)
    likeness = (vectors[:-1] * vectors[1:]).sum(axis=1)
    order = sorted(range(len(spans) - 1), key=lambda at: (round(float(likeness[at]), 5), at))
    return set(order[:breaks])
