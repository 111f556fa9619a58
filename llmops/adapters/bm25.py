"""BM25 over the chunks of an index, by bm25s with the stemmer of Snowball."""

from collections.abc import Sequence
from typing import Any

from llmops.domain.retrieval import Chunk


class Bm25Index:
    """Implements `LexicalIndex`; built in memory from the chunks when it is first asked."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._ids = [chunk.id for chunk in chunks]
        self._texts = [chunk.text for chunk in chunks]
        self._built: Any = None
        self._stemmer: Any = None

    def query(self, texts: Sequence[str], k: int) -> list[list[tuple[str, float]]]:
        """As the port; equal scores are ordered by chunk id."""
        import numpy as np

        if self._built is None:
            self._build()
        found: list[list[tuple[str, float]]] = []
        for text in texts:
            tokens = self._tokens([text])[0]
            known = [token for token in tokens if token in self._built.vocab_dict]
            if not known:
                found.append([])
                continue
            scores = self._built.get_scores(known)
            best = np.argsort(-scores, kind="stable")[: k * 4]
            ranked = sorted(
                ((self._ids[i], float(scores[i])) for i in best if scores[i] > 0), key=lambda hit: (-hit[1], hit[0])
            )
            found.append(ranked[:k])
        return found

    def _build(self) -> None:
        import bm25s

        index = bm25s.BM25(method="lucene")
        index.index(self._tokens(self._texts), show_progress=False)
        self._built = index

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        import bm25s
        import Stemmer

        if self._stemmer is None:
            self._stemmer = Stemmer.Stemmer("english")
        tokenized = bm25s.tokenize(list(texts), stopwords="en", stemmer=self._stemmer, return_ids=False, show_progress=False)
        return [list(tokens) for tokens in tokenized]
