"""Replays policies on recorded requests: what each would have answered, paid and waited, with intervals. No model is asked.

Whatever a policy learns or sets is learned on other folds than the one it is judged on, and folds never split a group.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmops.domain.records import record
from llmops.domain.route_reports import Interval, PolicyReport
from llmops.routing.learning import Features, chosen_settings, cross_predicted, folds_of, parted
from llmops.routing.memory import RouteMemory
from llmops.routing.metrics import Curve, aiq, apgr, apgr_over_cost, call_performance_threshold, curve
from llmops.routing.recorded_routes import RecordedRoute
from llmops.routing.records import Records, untimed
from llmops.statistics.intervals import mean_interval
from llmops.statistics.paired import paired_difference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from llmops.statistics.series import Floats

    Rows = NDArray[Any]
    """Columns of models, or flags, shape (requests,)."""

RESAMPLES = 200
SEED = 20240618
LAMBDAS = 25
"""Points of a learned router's frontier over more than two models."""


@record
class Ends:
    """Between which models a policy with a threshold moves."""

    weak: int
    strong: int
    keep: float
    """Share of the strong model's quality that the threshold has to keep."""


@record
class Served:
    """What a policy did with each request."""

    model: "Rows"
    """Column of the model that answered, shape (requests,)."""
    quality: "Floats"
    cost: "Floats"
    latency: "Floats"


class Replay:
    """One set of records, with what all policies share."""

    def __init__(self, records: Records, ends: Ends) -> None:
        self.records = records
        self.ends = ends
        self.fold = folds_of(records.groups)
        self._untimed = untimed(records).any(axis=1)
        self._served_by: dict[str, Served] = {}

    def policies(
        self, features: Features | None, routes: "Mapping[str, RecordedRoute] | None" = None
    ) -> Iterator[PolicyReport]:
        """Every policy that the records can say something about, the fixed ones first.

        Args:
            features: of the prompts; None leaves the learned router out.
            routes: of the project, by name.
        """
        records, ends = self.records, self.ends
        for column, name in enumerate(records.models):
            yield self._fixed(column, f"always {name}")
        import numpy as np

        yield self._threshold("random", np.random.default_rng(SEED).random(len(records)), note="a mixture by chance")
        yield self._threshold("length", np.array([float(len(prompt)) for prompt in records.prompts]))
        for name, values in records.signals.items():
            yield self._cascade(name, values[:, ends.weak])
        if features is not None:
            yield from self._learned(features)
        for name, route in (routes or {}).items():
            yield self._route(f"route {name}", route)
        yield self._oracle()

    def _fixed(self, column: int, name: str) -> PolicyReport:
        return self._report(name, self._served(self._all(column)))

    def _all(self, column: int) -> "Rows":
        import numpy as np

        return np.full(len(self.records), column)

    def _served(self, model: "Rows") -> Served:
        import numpy as np

        rows = np.arange(len(self.records))
        r = self.records
        return Served(model, r.quality[rows, model], r.cost[rows, model], r.latency[rows, model])

    def _threshold(self, name: str, score: "Floats", *, note: str = "") -> PolicyReport:
        """Requests with the highest scores go to the strong model."""
        import numpy as np

        strong = self._above_threshold(score)
        model = np.where(strong, self.ends.strong, self.ends.weak)
        return self._report(name, self._served(model), score, note)

    def _cascade(self, signal: str, score: "Floats") -> PolicyReport:
        """The weak model is always asked; its answer's signal decides whether the strong one is asked, too."""
        import numpy as np

        name = f"cascade {signal}"
        if np.isnan(score).any():
            missing = int(np.isnan(score).sum())
            return _not_replayable(name, f"not replayable: {missing} answers of the weak model have no signal {signal!r}")
        strong = self._above_threshold(score)
        served = self._served(np.where(strong, self.ends.strong, self.ends.weak))
        extra = np.where(strong, self.records.cost[:, self.ends.weak], 0.0)
        waited = np.where(strong, self.records.latency[:, self.ends.weak], 0.0)
        paid = Served(served.model, served.quality, served.cost + extra, served.latency + waited)
        return self._report(name, paid, score, "charged for both calls where it escalates", cascade=True)

    def _above_threshold(self, score: "Floats") -> "Rows":
        """Who goes to the strong model: in each fold the share that keeps enough quality on the other folds."""
        import numpy as np

        strong = np.zeros(len(score), bool)
        for held in np.unique(self.fold):
            inside = self.fold == held
            outside = ~inside if (~inside).any() else inside
            strong[inside] = score[inside] >= self._cut(score, outside)
        return strong

    def _cut(self, score: "Floats", rows: "Rows") -> float:
        import numpy as np

        r, ends = self.records, self.ends
        weak, strong = r.quality[rows, ends.weak], r.quality[rows, ends.strong]
        values = np.sort(np.unique(score[rows]))[::-1]
        if weak.mean() >= ends.keep * strong.mean():
            return float("inf")
        found = curve(score[rows], (weak, weak), (strong, strong))
        enough = np.flatnonzero(found.quality >= ends.keep * strong.mean())
        return float("-inf") if not len(enough) or enough[0] == 0 else float(values[enough[0] - 1])

    def _learned(self, features: Features) -> Iterator[PolicyReport]:
        """Predicted qualities decide: between both ends, and, over more than two models, against cost."""
        import numpy as np

        r, ends = self.records, self.ends
        if not parted(self.fold):
            yield _not_replayable("learned", "not replayable: all requests are in one fold, and none is left to learn from")
            return
        settings = chosen_settings(features, r.quality, self.fold)
        predicted = cross_predicted(features, r.quality, self.fold, settings)
        gain = predicted[:, ends.strong] - predicted[:, ends.weak]
        yield self._threshold("learned", gain, note=f"{settings.variant}, cross-fitted")
        if len(r.models) > 2:
            best = self._report("learned, all models", self._served(predicted.argmax(axis=1)), note="the best predicted model")
            yield self._with_aiq(best, predicted) if np.isfinite(r.cost).all() else best

    def _with_aiq(self, report: PolicyReport, predicted: "Floats") -> PolicyReport:
        """The area under the frontier that predicted quality minus lambda x cost draws."""
        import numpy as np

        costs = self.records.cost.mean(axis=0)
        points = []
        for weight in np.concatenate([[0.0], np.geomspace(0.01, 100, LAMBDAS)]):
            served = self._served((predicted - weight * costs / costs.max()).argmax(axis=1))
            points.append((float(served.cost.mean()), float(served.quality.mean())))
        return replace(report, aiq=aiq(points, float(costs.min()), float(costs.max())))

    def _route(self, name: str, route: RecordedRoute) -> PolicyReport:
        """A policy as it is configured, fed with what the models had answered."""
        import numpy as np

        r = self.records
        model = np.zeros(len(r), int)
        cost, latency, memory = np.zeros(len(r)), np.zeros(len(r)), RouteMemory()
        for row in range(len(r)):
            steps = route.steps(r, row, memory)
            if isinstance(steps, str):
                return _not_replayable(name, f"not replayable: {steps}")
            model[row] = steps.served
            cost[row] = sum(r.cost[row, each] for each in steps.asked)
            latency[row] = sum(r.latency[row, each] for each in steps.waited)
            memory.note(steps.calls)
        quality = r.quality[np.arange(len(r)), model]
        return self._report(name, Served(model, quality, cost, latency), note="as configured in llmops.yaml")

    def _oracle(self) -> PolicyReport:
        """The cheapest of the best answers: what no router can beat."""
        import numpy as np

        r = self.records
        cost = np.where(np.isnan(r.cost), 0.0, r.cost)
        best = r.quality.max(axis=1, keepdims=True)
        model = np.where(r.quality >= best, cost, np.inf).argmin(axis=1)
        gain = r.quality[:, self.ends.strong] - r.quality[:, self.ends.weak]
        return self._report("oracle", self._served(model), gain, "knows every answer beforehand")

    def _report(
        self, name: str, served: Served, score: "Floats | None" = None, note: str = "", *, cascade: bool = False
    ) -> PolicyReport:
        import numpy as np

        r = self.records
        self._served_by[name] = served
        drawn = None if score is None else self._curve(score, cascade=cascade)
        intervals = dict(self._intervals(served, score))
        known = np.isfinite(served.latency)
        timed = bool(known.any() and (known | self._untimed).all())
        median, late = (float(np.quantile(served.latency[known], q)) if timed else None for q in (0.5, 0.95))
        strong = r.quality[:, self.ends.strong].mean()
        counts = np.bincount(served.model.astype(int), minlength=len(r.models)) / len(r)
        return PolicyReport(
            name,
            float(served.quality.mean()),
            float(1000 * served.cost.mean()) if np.isfinite(served.cost).all() else None,
            median,
            late,
            {model: float(counts[column]) for column, model in enumerate(r.models)},
            float(served.quality.mean() / strong) if strong > 0 else None,
            None if drawn is None else apgr(drawn),
            None if drawn is None else apgr_over_cost(drawn),
            None if drawn is None else call_performance_threshold(drawn, 0.5),
            None if drawn is None else call_performance_threshold(drawn, 0.8),
            None if drawn is None else self._aiq(drawn),
            intervals,
            self._over_random(served, counts),
            note,
        )

    def _aiq(self, drawn: Curve) -> float | None:
        import numpy as np

        if not np.isfinite(drawn.cost).all():
            return None
        points = list(zip(drawn.cost.tolist(), drawn.quality.tolist(), strict=True))
        return aiq(points, min(p[0] for p in points), max(p[0] for p in points))

    def _curve(self, score: "Floats", weights: "Floats | None" = None, *, cascade: bool = False) -> Curve:
        r, ends = self.records, self.ends
        weak, strong = (r.quality[:, ends.weak], r.cost[:, ends.weak]), (r.quality[:, ends.strong], r.cost[:, ends.strong])
        dear = strong[1] + weak[1] if cascade else strong[1]
        return curve(score, weak, (strong[0], dear), weights)

    def _intervals(self, served: Served, score: "Floats | None") -> Iterator[tuple[str, Interval]]:
        import numpy as np

        always = self._served(self._all(self.ends.strong))
        draws = list(self._weights())
        quality = mean_interval(served.quality.tolist(), self.records.groups, bounds=(0.0, 1.0))
        if quality is not None and quality.interval is not None:
            yield "quality", quality.interval
        if np.isfinite(served.cost).all():
            yield "cost", _quantiles([float(1000 * np.average(served.cost, weights=w)) for w in draws])
        if (strong := float(always.quality.mean())) > 0 and (gained := self._gained(always, served)) is not None:
            yield "kept", (max(0.0, 1 + gained[0] / strong), 1 + gained[1] / strong)
        if score is not None:
            found = [area for w in draws if (area := apgr(self._curve(score, w))) is not None]
            if len(found) == len(draws):
                yield "apgr", _quantiles(found)

    def _over_random(self, served: Served, share: "Floats") -> Interval | None:
        """Quality gained over giving each model the same share of the requests by chance."""
        import numpy as np

        expected = self.records.quality @ share
        gained = served.quality - expected
        return _quantiles([float(np.average(gained, weights=w)) for w in self._weights()])

    def against(self, current: str, policies: Sequence[PolicyReport]) -> Iterator[PolicyReport]:
        """The policies with what each gains over one of them, on the same requests."""
        for policy in policies:
            if policy.quality is None or policy.name == current:
                yield policy
                continue
            yield replace(policy, over_current=self._gained(self._served_by[current], self._served_by[policy.name]))

    def _gained(self, before: Served, after: Served) -> Interval | None:
        """Quality that one policy gains over another; a bootstrap would know nothing of a loss that was never seen."""
        same = bool((before.model == after.model).all())
        sides = (before.quality.tolist(), after.quality.tolist())
        found = paired_difference(*sides, clusters=self.records.groups, bounds=(0.0, 1.0), unchanged=same)
        return None if found is None else found.interval

    def _weights(self) -> Iterator["Floats"]:
        """Bootstrap counts of the requests, drawn by group; the same for every policy, so that differences are paired."""
        import numpy as np

        groups, index = np.unique(np.array(self.records.groups), return_inverse=True)
        draw = np.random.default_rng(SEED)
        for _ in range(RESAMPLES):
            counts = np.bincount(draw.integers(0, len(groups), len(groups)), minlength=len(groups))
            yield counts[index].astype(float)


def _quantiles(values: Sequence[float]) -> Interval:
    import numpy as np

    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _not_replayable(name: str, note: str) -> PolicyReport:
    return PolicyReport(name, None, None, None, None, {}, None, None, None, None, None, None, note=note)
