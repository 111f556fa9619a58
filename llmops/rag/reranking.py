"""Orders candidates anew: by a cross-encoder, or so that hits do not repeat each other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmops.domain.ports import Reranker
from llmops.domain.retrieval import Chunk
from llmops.rag.packing import Candidate

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


def reranked(
    reranker: Reranker,
    queries: Sequence[str],
    rankings: Sequence[Sequence[Candidate]],
    chunks: Mapping[str, Chunk],
    depth: int,
) -> list[list[Candidate]]:
    """The first `depth` candidates of each query in the order of the reranker; equal scores keep theirs."""
    cut = [ranking[:depth] for ranking in rankings]
    pairs = [(query, chunks[each.key].text) for query, ranking in zip(queries, cut, strict=True) for each in ranking]
    scores = iter(reranker.scores(pairs))
    found = []
    for ranking in cut:
        scored = [(each, next(scores)) for each in ranking]
        ordered = sorted(scored, key=lambda pair: -pair[1])
        found.append([Candidate(each.key, score, {**each.scores, "rerank": round(score, 6)}) for each, score in ordered])
    return found


def diverse(ranked: Sequence[Candidate], vectors: "NDArray[float32]", weight: float) -> list[Candidate]:
    """Candidates in the order of maximal marginal relevance.

    Args:
        ranked: best first.
        vectors: unit vectors of the candidates, one row each.
        weight: of relevance, which is the score scaled to 0 .. 1 over the candidates, against the largest cosine to a
            candidate that was chosen before.

    Source: Carbonell and Goldstein, "The use of MMR ...", SIGIR 1998.
    """
    least, most = min(each.score for each in ranked), max(each.score for each in ranked)
    relevance = [(each.score - least) / (most - least) if most > least else 1.0 for each in ranked]
    near = vectors @ vectors.T
    chosen: list[int] = []
    left = list(range(len(ranked)))
    while left:
        best = max(left, key=lambda i: weight * relevance[i] - (1 - weight) * max((near[i, j] for j in chosen), default=0.0))
        chosen.append(best)
        left.remove(best)
    return [ranked[i] for i in chosen]
