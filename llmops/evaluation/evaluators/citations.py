"""Do the answer's citations point to passages that exist and say it?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Span, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity
from llmops.scoring.citations import citations
from llmops.scoring.refusal import refuses
from llmops.settings.validation import Share, Strict


class CitationsOptions(Strict):
    """Options of `citations`."""

    overlap: Share = 0.5
    """A citation is supported when this share of its sentence's words of substance stands in the passages it cites."""
    required: bool = False
    """An answer that cites nothing has value 0; otherwise it is unmeasured. One that declines is always unmeasured."""


@record
class Citations:
    """Value: share of citations that name a passage which exists and supports the sentence; parts `exists`, `supported`."""

    options: CitationsOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("citations", 3, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Look at each citation, with a span for each that is wrong."""
        output = sample.completion.text
        found = citations(output, sample.hits)
        if not found:
            if refuses(output):
                return Unmeasured("the answer declines, there is nothing to cite")
            return Score(0.0, "cites nothing") if self.options.required else Unmeasured("the answer cites nothing")
        missing = [each for each in found if each.hit is None]
        weak = [each for each in found if each.hit is not None and each.support < self.options.overlap]
        good = len(found) - len(missing) - len(weak)
        spans = [Span(each.start, each.end, "no such passage") for each in missing]
        for each in weak:
            if each.hit is not None:
                hit = sample.hits[each.hit]
                spans.append(Span(each.start, each.end, "not supported", hit.text, hit.source))
        told = [f"[{each.label}] does not exist" for each in missing] + [f"[{each.label}] does not say so" for each in weak]
        reason = "; ".join(told[:3]) + (f"; {len(told) - 3} more" if len(told) > 3 else "")
        parts = {"exists": 1 - len(missing) / len(found), "supported": good / len(found)}
        spans.sort(key=lambda span: span.start)
        return Score(good / len(found), reason or "all citations hold", tuple(spans), parts)


def _build(options: CitationsOptions, services: Services) -> Citations:
    return Citations(options)


KIND = Kind(
    "citations",
    "Do the citations point to passages that exist and say it?",
    CitationsOptions,
    _build,
    min=1.0,
    figures=Figures(SHARE, {"exists": SHARE, "supported": SHARE}),
)
