"""Did retrieval find the passages where the answer stands?"""

from typing import Annotated

from pydantic import Field

from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity
from llmops.scoring.ranking import collapsed, metric_names, parse_unit, ranking_metrics
from llmops.settings.validation import Strict

Depth = Annotated[int, Field(ge=1, le=1000)]


class RetrievalOptions(Strict):
    """Options of `retrieval`."""

    k: Annotated[list[Depth], Field(min_length=1, max_length=10)] = [1, 3, 5]
    """Depths to score at."""


@record
class Retrieval:
    """Value: nDCG at the greatest depth; parts: recall, precision, nDCG and hit rate at each depth, and MRR."""

    options: RetrievalOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("retrieval", 4, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Hold the retrieved hits, in order and without given passages, against the case's `relevant`."""
        relevant = sample.case.relevant
        if relevant is None:
            return Unmeasured("the case does not say what is `relevant`")
        if not relevant:
            return Unmeasured("nothing is relevant")
        try:
            units = [parse_unit(item) for item in dict.fromkeys(relevant)]
        except ValueError as error:
            return Failure(f"the case's `relevant`: {error}")
        ranking = collapsed(sample.hits, units)
        depths = sorted(set(self.options.k))
        parts = ranking_metrics(ranking, len(units), depths)
        found = {unit for hit in ranking[: depths[-1]] for unit in hit}
        missing = [unit.text for number, unit in enumerate(units) if number not in found]
        reason = f"not among the first {depths[-1]}: {', '.join(missing)}" if missing else "all relevant places found"
        return Score(parts[f"ndcg@{depths[-1]}"], reason if ranking else "nothing was retrieved", parts=parts)


def _figures(options: RetrievalOptions) -> Figures:
    return Figures(SHARE, dict.fromkeys(metric_names(options.k), SHARE))


def _build(options: RetrievalOptions, services: Services) -> Retrieval:
    return Retrieval(options)


# Stored, because ir-measures and numpy take longer to import than the rest of a run that has nothing to compute.
KIND = Kind(
    "retrieval",
    "Are the hits the passages where the answer stands?",
    RetrievalOptions,
    _build,
    cached=True,
    reads=frozenset(("places",)),
    figures=_figures,
)
