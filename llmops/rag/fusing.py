"""Joins rankings of the same chunks into one."""

from collections.abc import Sequence

RRF_K = 60
"""The constant of Cormack, Clarke and Buettcher (2009)."""


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], *, weights: Sequence[float] | None = None, k: int = RRF_K
) -> list[tuple[str, float]]:
    """Ids by the sum of weight / (k + rank), best first; equal sums are ordered by id.

    Args:
        rankings: ids of each ranking, best first.
        weights: one per ranking; default: equal.
        k: dampens the weight of the first ranks.

    Source: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet ...", SIGIR 2009.
    """
    scores: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
