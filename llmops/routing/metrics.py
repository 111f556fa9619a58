"""Figures of routers between a weak and a strong model, as RouteLLM and RouterBench define them.

PGR (0 for the weak model's quality, 1 for the strong one's), APGR and CPT: Ong et al. 2024, "RouteLLM" (arXiv 2406.18665),
section 3. AIQ: Hu et al. 2024, "RouterBench" (arXiv 2403.12031), section 4. A router gives each request a score; requests with
the highest go to the strong model. As the share of those grows from 0 to 1 it draws a curve, from the weak model's quality to
the strong one's.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmops.domain.records import record

if TYPE_CHECKING:
    from llmops.statistics.series import Floats


@record
class Curve:
    """A router's way from the weak model to the strong one; points in order of growing share."""

    share: "Floats"
    """Share of requests that go to the strong model, from 0 to 1."""
    quality: "Floats"
    """Mean quality at each share."""
    cost: "Floats"
    """Mean cost at each share; NaN where it is not known."""


def curve(
    score: "Floats",
    weak: tuple["Floats", "Floats"],
    strong: tuple["Floats", "Floats"],
    weights: "Floats | None" = None,
) -> Curve:
    """The curve of a router. Requests with equal scores move together, so that their order does not matter.

    Args:
        score: of each request; the highest go to the strong model first.
        weak: quality and cost of the weak model's answers, each of shape (requests,).
        strong: of the strong model's.
        weights: of the requests, such as bootstrap counts; None: all 1.
    """
    import numpy as np

    w = np.ones(len(score)) if weights is None else weights
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    total = w.sum()

    def moved(values: "Floats") -> "Floats":
        steps: Floats = np.append(0.0, np.cumsum((w * values)[order])[ends]) / total
        return steps

    shares = moved(np.ones(len(score)))
    start = tuple(float((w * each).sum() / total) for each in weak)
    return Curve(shares, start[0] + moved(strong[0] - weak[0]), start[1] + moved(strong[1] - weak[1]))


def apgr(found: Curve) -> float | None:
    """The mean PGR over all shares of calls; 0.5 for a random router. None when the strong model is no better."""
    return _area(found.share, found)


def apgr_over_cost(found: Curve) -> float | None:
    """The mean PGR over cost, from the weak model's to the strong one's; None as for `apgr`, or without two costs."""
    import numpy as np

    span = found.cost[-1] - found.cost[0]
    if not np.isfinite(span) or span == 0:
        return None
    return _area((found.cost - found.cost[0]) / span, found)


def _area(along: "Floats", found: Curve) -> float | None:
    import numpy as np

    gap = found.quality[-1] - found.quality[0]
    if gap < 1e-12:
        return None
    return float(np.trapezoid((found.quality - found.quality[0]) / gap, along))


def call_performance_threshold(found: Curve, recovered: float) -> float | None:
    """CPT: the least share of calls to the strong model that recovers this share of the gap, from 0 to 1.

    None when the curve never gets there, or when the strong model is no better than the weak one.
    """
    import numpy as np

    gap = found.quality[-1] - found.quality[0]
    if gap < 1e-12:
        return None
    gained = (found.quality - found.quality[0]) / gap
    reached = np.flatnonzero(gained >= recovered - 1e-12)
    if not len(reached):
        return None
    at = int(reached[0])
    if at == 0:
        return float(found.share[0])
    below, above = gained[at - 1], gained[at]
    part = 1.0 if above == below else (recovered - below) / (above - below)
    return float(found.share[at - 1] + part * (found.share[at] - found.share[at - 1]))


def aiq(points: Sequence[tuple[float, float]], cheapest: float, dearest: float) -> float | None:
    """Average improvement in quality: mean height of the non-decreasing convex hull of (cost, quality) points.

    Args:
        points: of one router, each a mean cost and a mean quality.
        cheapest: where the mean begins; left of the first point the hull has that point's height.
        dearest: where it ends.
    """
    import numpy as np

    if not points or dearest <= cheapest:
        return None
    hull = _hull(points)
    costs, heights = np.array([c for c, _ in hull]), np.array([q for _, q in hull])
    grid = np.unique(np.clip(np.concatenate([[cheapest, dearest], costs]), cheapest, dearest))
    return float(np.trapezoid(np.interp(grid, costs, heights), grid) / (dearest - cheapest))


def _hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The upper hull, cut where it would fall: a router may always fall back to a cheaper point."""
    upper: list[tuple[float, float]] = []
    for cost, quality in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if upper and quality <= upper[-1][1]:
            continue
        while len(upper) > 1 and _below(upper[-2], upper[-1], (cost, quality)):
            upper.pop()
        upper.append((cost, quality))
    return upper


def _below(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether `b` lies on or below the line from `a` to `c`."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])
