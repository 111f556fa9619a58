from collections.abc import Sequence

import numpy as np

from llmops.domain.retrieval import Chunk
from llmops.rag.packing import Candidate
from llmops.rag.reranking import diverse, reranked

CHUNKS = {key: Chunk(key, "d", 0, len(text), text) for key, text in {"a": "aaa", "b": "b", "c": "cc"}.items()}
RANKED = [Candidate("a", 3.0, {"fused": 3.0}), Candidate("b", 2.0, {}), Candidate("c", 1.0, {})]


class Shortest:
    """Implements `Reranker`."""

    identity = "shortest"

    def __init__(self) -> None:
        self.pairs: list[tuple[str, str]] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.pairs += pairs
        return [-float(len(text)) for _, text in pairs]


def test_the_reranker_reads_the_first_candidates_of_each_query_and_the_rest_is_dropped() -> None:
    model = Shortest()
    first, second = reranked(model, ["q1", "q2"], [RANKED, RANKED[:1]], CHUNKS, 2)
    assert [each.key for each in first] == ["b", "a"]
    assert first[1].scores == {"fused": 3.0, "rerank": -3.0}
    assert [each.key for each in second] == ["a"]
    assert model.pairs == [("q1", "aaa"), ("q1", "b"), ("q2", "aaa")]


def test_mmr_prefers_what_is_new_to_what_repeats() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert [each.key for each in diverse(RANKED, vectors, 0.5)] == ["a", "c", "b"]
    assert [each.key for each in diverse(RANKED, vectors, 1.0)] == ["a", "b", "c"]
