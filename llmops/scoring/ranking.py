"""Retrieval metrics of one ranking against the places where the answer stands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from llmops.domain.records import record
from llmops.domain.retrieval import Hit

_span = re.compile(r"(?P<path>.+):(?P<start>[0-9]{1,12})-(?P<end>[0-9]{1,12})", re.DOTALL)
_link = re.compile(r"!?\[([^\]\[]{0,200})\]\([^()]{0,300}\)")
_not_in_slug = re.compile(r"[^\w\- ]")


@record
class RelevantUnit:
    """One item of a case's `relevant`."""

    text: str
    """As the case has it."""
    path: str
    slug: str | None = None
    """Anchor of a heading; None: any part of the document."""
    start: int | None = None
    """First character; None: any."""
    end: int | None = None
    """One past the last character."""


def parse_unit(text: str) -> RelevantUnit:
    """`path`, `path#heading` or `path:start-end`.

    Raises:
        ValueError: the span is empty.
    """
    if span := _span.fullmatch(text):
        start, end = int(span["start"]), int(span["end"])
        if start >= end:
            raise ValueError(f"{text!r} is an empty span")
        return RelevantUnit(text, _clean(span["path"]), None, start, end)
    path, mark, anchor = text.rpartition("#")
    return RelevantUnit(text, _clean(path), slug(anchor)) if mark else RelevantUnit(text, _clean(text))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, without punctuation, spaces as hyphens."""
    text = _link.sub(r"\1", heading).strip().lower()
    return _not_in_slug.sub("", text).replace(" ", "-")


@lru_cache(maxsize=65536)
def _slugs(path: str) -> frozenset[str]:
    """The anchors of the headings that a passage stands under, which may hold the ` > ` that joins them."""
    parts = path.split(" > ")
    return frozenset(slug(" > ".join(parts[first:end])) for end in range(len(parts) + 1) for first in range(end))


def covers(hit: Hit, unit: RelevantUnit) -> bool:
    """Does the passage stand, at least in part, where the unit says?"""
    if hit.source == unit.text:
        return True
    if _clean(hit.source) != unit.path:
        return False
    if unit.slug is not None:
        return any(unit.slug in _slugs(path) for path in (hit.heading, *hit.also_under))
    if unit.start is not None and unit.end is not None:
        return hit.start is not None and hit.end is not None and hit.start < unit.end and unit.start < hit.end
    return True


def uncovered(units: Iterable[RelevantUnit], hits: Iterable[Hit]) -> list[RelevantUnit]:
    """The units at which none of the passages stands, each once."""
    standing: dict[str, list[Hit]] = {}
    anchors: dict[str, set[str]] = {}
    for hit in hits:
        for name in {hit.source, _clean(hit.source)}:
            standing.setdefault(name, []).append(hit)
            anchors.setdefault(name, set()).update(*(_slugs(path) for path in (hit.heading, *hit.also_under)))

    def covered(unit: RelevantUnit) -> bool:
        if unit.slug is not None:
            return unit.text in standing or unit.slug in anchors.get(unit.path, ())
        return any(covers(hit, unit) for name in {unit.text, unit.path} for hit in standing.get(name, ()))

    return [unit for unit in dict.fromkeys(units) if not covered(unit)]


def outside(units: Iterable[RelevantUnit], documents: Iterable[str]) -> list[RelevantUnit]:
    """The units that name none of the documents, by their ids, each once."""
    known = {name for document in documents for name in (document, _clean(document))}
    return [unit for unit in dict.fromkeys(units) if unit.text not in known and unit.path not in known]


def _clean(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")


def collapsed(hits: Iterable[Hit], units: Sequence[RelevantUnit]) -> list[tuple[int, ...]]:
    """The ranking with the units that each hit is the first to cover, as indexes into `units`.

    Given passages were not retrieved and are left out. A hit that covers only what a better hit has covered is left out,
    so the hits after it move up; a hit that covers nothing keeps its place, with an empty tuple.
    """
    ranking: list[tuple[int, ...]] = []
    seen: set[int] = set()
    for hit in hits:
        if hit.given:
            continue
        covered = {number for number, unit in enumerate(units) if covers(hit, unit)}
        if covered and covered <= seen:
            continue
        ranking.append(tuple(sorted(covered - seen)))
        seen |= covered
    return ranking


def metric_names(depths: Iterable[int]) -> list[str]:
    """The names of the figures of `ranking_metrics`."""
    return ["mrr", "map", *(f"{name}@{k}" for k in depths for name in ("recall", "precision", "ndcg", "hit"))]


def ranking_metrics(ranking: Sequence[tuple[int, ...]], relevant: int, depths: Sequence[int]) -> dict[str, float]:
    """`recall@k`, `precision@k`, `ndcg@k` and `hit@k` for each depth, `mrr` and `map`, all from 0 to 1.

    recall: share of the relevant units that the first k hits cover. precision: share of k places taken by a hit that
    covers a unit. nDCG (Järvelin and Kekäläinen 2002; gain 1, discount log2(rank + 1)): a hit that is the first to cover
    several units counts as that many places. MRR: 1 / rank of the first hit that covers a unit. MAP: mean of the precision
    at the place of each relevant unit. Computed by ir-measures.

    Args:
        ranking: from `collapsed`.
        relevant: number of relevant units, at least 1.
        depths: the ks, each at least 1.
    """
    return dict(_metrics(tuple(map(len, ranking)), relevant, tuple(depths)))


@lru_cache(maxsize=4096)
def _metrics(covered: tuple[int, ...], relevant: int, depths: tuple[int, ...]) -> dict[str, float]:
    """As `ranking_metrics`, from the number of units that each hit is the first to cover: most rankings are alike."""
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG

    places = [place for count in covered for place in ([True] * count or [False])]
    marks = iter(range(relevant))
    qrels = [ir_measures.Qrel("q", f"u{unit}", 1) for unit in range(relevant)]
    # trec_eval drops a query without hits; one irrelevant hit after all others changes no figure.
    docs = [f"u{next(marks)}" if found else f"n{rank}" for rank, found in enumerate(places)] + ["end"]
    run = [ir_measures.ScoredDoc("q", doc, float(-rank)) for rank, doc in enumerate(docs)]
    reach = {k: sum(max(1, count) for count in covered[:k]) + max(0, k - len(covered)) for k in depths}
    by_unit = ir_measures.calc_aggregate([AP, *(m @ depth for depth in set(reach.values()) for m in (R, nDCG))], qrels, run)

    hit_qrels = [ir_measures.Qrel("q", f"h{rank}", int(count > 0)) for rank, count in enumerate(covered)]
    hit_qrels.append(ir_measures.Qrel("q", "never retrieved", 1))
    hit_run = [ir_measures.ScoredDoc("q", f"h{rank}", float(-rank)) for rank in range(len(covered) + 1)]
    by_hit = ir_measures.calc_aggregate([RR, *(m @ k for k in depths for m in (P, Success))], hit_qrels, hit_run)

    metrics = {"mrr": float(by_hit[RR]), "map": float(by_unit[AP])}
    for k in depths:
        metrics[f"recall@{k}"] = float(by_unit[R @ reach[k]])
        metrics[f"precision@{k}"] = float(by_hit[P @ k])
        metrics[f"ndcg@{k}"] = float(by_unit[nDCG @ reach[k]])
        metrics[f"hit@{k}"] = float(by_hit[Success @ k])
    return metrics


def graded_metrics(documents: Sequence[str], grades: Mapping[str, int], depths: Sequence[int]) -> dict[str, float]:
    """As `ranking_metrics`, for graded judgements of whole documents.

    A document stands where its first passage does. nDCG takes the grades as gains; the others count a grade above 0 as
    relevant. Computed by ir-measures.

    Args:
        documents: of the hits, best first, as often as they occur.
        grades: of the judged documents, at least one above 0.
        depths: the ks, each at least 1.
    """
    import ir_measures
    from ir_measures import AP, RR, P, R, Success, nDCG

    named = {"ndcg": nDCG, "recall": R, "precision": P, "hit": Success}
    measures = {f"{name}@{k}": measure @ k for k in depths for name, measure in named.items()}
    measures |= {"mrr": RR, "map": AP}
    qrels = [ir_measures.Qrel("q", document, grade) for document, grade in grades.items()]
    ranking = [*dict.fromkeys(documents), "end of the ranking"]  # trec_eval drops a query without hits
    run = [ir_measures.ScoredDoc("q", document, float(-rank)) for rank, document in enumerate(ranking)]
    found = ir_measures.calc_aggregate(list(measures.values()), qrels, run)
    return {name: float(found[measure]) for name, measure in measures.items()}
