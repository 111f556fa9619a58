"""Joins rankings of the same chunks into one."""

from collections.abc import Sequence

from llmops.domain.records import record
from llmops.settings.indexes import IndexSettings

RRF_K = 60
"""The constant of Cormack, Clarke and Buettcher (2009)."""


@record
class Fusion:
    """How the dense ranking and BM25 are weighed."""

    dense_weight: float = 1.0
    """Against 1 for BM25."""
    k: int = RRF_K
    """Dampens the first ranks: the smaller, the more they count."""


STATIC_FUSIONS = {"weighted": Fusion(dense_weight=0.3), "rrf": Fusion(dense_weight=0.15, k=5)}
"""Equal weights make `static` worse than BM25 alone. Chosen by `benchmarks/retrieval.py --embedder static` on half of the
queries of two public sets, where neither falls below BM25, and not below it on the other half of both."""


def fusion_of(settings: IndexSettings) -> Fusion:
    """The fusion of an index: its `dense_weight`, else what was validated for its embedder."""
    if "dense_weight" not in settings.retrieve.model_fields_set and settings.embedder.kind == "static":
        return STATIC_FUSIONS[settings.retrieve.fuse]
    return Fusion(settings.retrieve.dense_weight)


def relative_score_fusion(rankings: Sequence[Sequence[tuple[str, float]]], weights: Sequence[float]) -> list[tuple[str, float]]:
    """Ids by the weighted sum of their scores, each ranking's scaled to 0 .. 1, best first; equal sums are ordered by id.

    An id that a ranking does not hold gets 0 of it, as its last one does. A ranking of equal scores gives 1 to each.

    Args:
        rankings: ids with scores of each ranking.
        weights: one per ranking.
    """
    found: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        values = [score for _, score in ranking]
        least, span = min(values, default=0.0), max(values, default=0.0) - min(values, default=0.0)
        for key, score in ranking if weight else ():
            found[key] = found.get(key, 0.0) + weight * ((score - least) / span if span else 1.0)
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], *, weights: Sequence[float] | None = None, k: int = RRF_K
) -> list[tuple[str, float]]:
    """Ids by the sum of weight / (k + rank), best first; equal sums are ordered by id.

    Args:
        rankings: ids of each ranking, best first.
        weights: one per ranking, a ranking of weight 0 does not count; default: equal.
        k: dampens the weight of the first ranks.

    Source: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet ...", SIGIR 2009.
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, key in enumerate(ranking if weight else (), start=1):
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
