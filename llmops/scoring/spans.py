"""How much of the text where an answer stands a ranking brings, and how much else with it."""

from collections.abc import Iterable, Sequence

from llmops.domain.retrieval import Hit
from llmops.scoring.ranking import RelevantUnit, covers

SPAN_METRICS = ("span_recall", "span_precision", "span_iou")

Place = tuple[str, int, int]
"""Document, first character, one past the last."""


def span_metrics(hits: Sequence[Hit], units: Sequence[RelevantUnit], depths: Sequence[int]) -> dict[str, float]:
    """`span_recall@k`, `span_precision@k` and `span_iou@k` for each depth, from 0 to 1; empty when a unit is no span.

    The token-level measures of Chroma's report "Evaluating Chunking Strategies for Retrieval" (Smith and Troynikov 2024),
    counted in characters of the documents as its code does. Text that several hits repeat counts each time as retrieved
    and once as found, so overlapping chunks lose precision and IoU.

    Args:
        hits: best first; given passages were not retrieved and are left out.
        units: where the answer stands; what they share counts once.
        depths: the ks, each at least 1.
    """
    spans = [(unit.path, unit.start, unit.end) for unit in units if unit.start is not None and unit.end is not None]
    if len(spans) < len(units):
        return {}
    wanted = _length(spans)
    ranked = [hit for hit in hits if not hit.given]
    metrics: dict[str, float] = {}
    for k in depths:
        retrieved = sum((hit.end or 0) - (hit.start or 0) for hit in ranked[:k])
        found = _length(place for hit in ranked[:k] for unit in units if covers(hit, unit) for place in _shared(hit, unit))
        metrics[f"span_recall@{k}"] = found / wanted
        metrics[f"span_precision@{k}"] = found / retrieved if retrieved else 0.0
        metrics[f"span_iou@{k}"] = found / (retrieved + wanted - found)
    return metrics


def _shared(hit: Hit, unit: RelevantUnit) -> list[Place]:
    start, end = max(hit.start or 0, unit.start or 0), min(hit.end or 0, unit.end or 0)
    return [(unit.path, start, end)] if start < end else []


def _length(places: Iterable[Place]) -> int:
    """Characters that are in at least one of the places."""
    total, last = 0, ("", 0)
    for path, start, end in sorted(places):
        reached = last[1] if last[0] == path else 0
        total += max(0, end - max(start, reached))
        last = (path, max(end, reached))
    return total
