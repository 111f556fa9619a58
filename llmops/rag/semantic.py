"""How much the sentences of a text go on about the same, by their vectors."""

from collections.abc import Sequence

from llmops.domain.ports import Embedder

AROUND = 1
"""Sentences on each side that a sentence is embedded with: alone it may say little."""


def likenesses(text: str, spans: Sequence[tuple[int, int]], embedder: Embedder) -> list[float]:
    """For each sentence how alike it and the next one are, in standard deviations from the mean of the text; 0 for the last.

    Args:
        text: of the document.
        spans: of its sentences, in order.
        embedder: gives the vectors.

    Source: Kamradt's windows of sentences; standardised, as cosines of embedders spread differently.
    """
    windows = [text[spans[max(0, at - AROUND)][0] : spans[min(len(spans) - 1, at + AROUND)][1]] for at in range(len(spans))]
    vectors = embedder.embed(windows)
    cosines = (vectors[:-1] * vectors[1:]).sum(axis=1).astype(float).round(5)
    spread = float(cosines.std()) if len(cosines) else 0.0
    centred = (cosines - cosines.mean()) / spread if spread else 0.0 * cosines
    return [*centred.tolist(), 0.0]
