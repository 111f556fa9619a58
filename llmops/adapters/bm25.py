"""BM25 over the chunks of an index, by bm25s with the stemmer of Snowball."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Sequence, Set
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.domain.keys import content_hash
from llmops.domain.retrieval import Chunk
from llmops.scoring.scripts import UNSPACED

IDENTITY = "bm25s lucene, k1 1.5, b 0.75, english stopwords and stemmer, pairs of unspaced characters"
STAMP = "llmops.json"

_unspaced = re.compile(f"{UNSPACED}{{2,}}")


class Bm25Index:
    """Implements `LexicalIndex`; opened, or built from the chunks, by the first query."""

    def __init__(self, chunks: Sequence[Chunk], folder: Path | None = None) -> None:
        """Remember the chunks; nothing is computed.

        Args:
            chunks: of one generation.
            folder: where the index is kept and mapped into memory from; None: in memory alone. What lies there is used
                only when it was made of these chunks.
        """
        self._ids = [chunk.id for chunk in chunks]
        self._chunks = chunks
        self._folder = folder
        self._index: Any = None
        self._stemmer: Any = None
        # The stemmer keeps state between words.
        self._lock = Lock()

    def query(self, texts: Sequence[str], k: int, among: Set[str] | None = None) -> list[list[tuple[str, float]]]:
        """As the port; equal scores are ordered by chunk id."""
        left_out = [] if among is None else [at for at, key in enumerate(self._ids) if key not in among]
        with self._lock:
            if self._index is None:
                self._index = self._load() or self._built()
            return [self._ranked(tokens, k, left_out) for tokens in self._tokens(texts)]

    def _ranked(self, tokens: Sequence[str], k: int, left_out: Sequence[int]) -> list[tuple[str, float]]:
        import numpy as np

        known = [token for token in tokens if token in self._index.vocab_dict]
        if not known or k < 1:
            return []
        scores = self._index.get_scores(known)
        scores[left_out] = 0.0
        least = np.partition(scores, -k)[-k] if k < len(scores) else 0.0
        best = np.flatnonzero((scores >= least) & (scores > 0))
        ranked = sorted(((self._ids[i], float(scores[i])) for i in best), key=lambda hit: (-hit[1], hit[0]))
        return ranked[:k]

    def _built(self) -> Any:  # noqa: ANN401 -- bm25s ships no types
        import bm25s

        tokens = self._tokens([chunk.text for chunk in self._chunks])
        index = bm25s.BM25(method="lucene")
        # bm25s cannot index texts without a single word; the empty word stands for them, and no query holds it.
        index.index(tokens if any(tokens) else [[""] for _ in tokens], show_progress=False)
        if self._folder is not None:
            self._save(index, self._folder)
        return index

    def _load(self) -> Any:  # noqa: ANN401 -- bm25s ships no types
        import bm25s

        try:
            if self._folder is None or json.loads((self._folder / STAMP).read_text(encoding="utf-8")) != self._stamp():
                return None
            return bm25s.BM25.load(self._folder, mmap=True, allow_pickle=False, show_progress=False)
        except (OSError, ValueError, TypeError, KeyError, EOFError):
            return None

    def _save(self, index: Any, folder: Path) -> None:  # noqa: ANN401 -- bm25s ships no types
        """Write the index whole; where that fails it is built again by the next process."""
        part: Path | None = None
        try:
            part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
            index.save(part, allow_pickle=False, show_progress=False)
            (part / STAMP).write_text(json.dumps(self._stamp()), encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(part, folder)
        except OSError:
            if part is not None:
                shutil.rmtree(part, ignore_errors=True)

    def _stamp(self) -> dict[str, str]:
        return {"identity": IDENTITY, "chunks": content_hash("\n".join(self._ids))}

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        import bm25s
        import Stemmer

        if self._stemmer is None:
            self._stemmer = Stemmer.Stemmer("english")
        whole = [_unspaced.sub(_pairs, text.encode("utf-8", "replace").decode("utf-8")) for text in texts]
        tokenized = bm25s.tokenize(whole, stopwords="en", stemmer=self._stemmer, return_ids=False, show_progress=False)
        return [list(tokens) for tokens in tokenized]


def _pairs(run: re.Match[str]) -> str:
    """Each character with the next one, as words: a whole clause is written without a space, and no query repeats it."""
    characters = run[0]
    return f" {' '.join(characters[at : at + 2] for at in range(len(characters) - 1))} "
