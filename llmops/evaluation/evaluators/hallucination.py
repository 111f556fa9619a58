"""Is the answer supported by the passages that the prompt saw?"""

from dataclasses import replace
from typing import Annotated, Protocol

from pydantic import AfterValidator, Discriminator, Field, Tag

from llmops.domain.records import record
from llmops.domain.scores import DetectionRequest, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import COUNT, SHARE, AskDetector, Figures, Kind, Services, WrongOption, identity, shape
from llmops.evaluation.evaluators.detecting import check_labels, described, is_detector
from llmops.evaluation.judging.claims import ClaimCheck
from llmops.evaluation.judging.panel import JUDGE, Combine, build_panel
from llmops.scoring.citations import without_markers
from llmops.scoring.claimed import claimed
from llmops.scoring.labels import Grounding
from llmops.scoring.reading import terms
from llmops.scoring.refusal import refuses
from llmops.settings.validation import Strict


def _known(backend: str) -> str:
    if is_detector(backend) or backend.startswith(JUDGE):
        return backend
    raise ValueError(f"{backend!r} is not one of the valid values: `embedded`, `local:MODEL` or `judge:MODEL`")


Backend = Annotated[str, AfterValidator(_known), Tag("single")]
Backends = Annotated[list[Annotated[str, AfterValidator(_known)]], Field(min_length=1), Tag("list")]


class HallucinationOptions(Strict):
    """Options of `hallucination`."""

    backend: Annotated[Backend | Backends, Discriminator(shape)] = "embedded"
    """`embedded`, `local:MODEL`, `judge:MODEL`, or a list of judges."""
    labels: dict[str, Grounding] = Field(default={}, exclude=True)
    """What the labels of a local model mean, where its own names do not tell."""
    combine: Combine = "majority"
    """Of several judges: the middle value (for yes and no: the majority), or the mean."""


class Checking(Protocol):
    """Holds an answer against its passages."""

    @property
    def identity(self) -> str:
        """Changes whenever the same request could get another outcome."""
        ...

    async def outcome(self, request: DetectionRequest) -> Outcome:
        """What it finds."""
        ...


@record
class ByDetector:
    """Asks a classifier."""

    detector: AskDetector

    @property
    def identity(self) -> str:
        """The detector's."""
        return self.detector.identity

    async def outcome(self, request: DetectionRequest) -> Outcome:
        """The detector's probability; words such as `no` and `it is` alone are nothing that a passage could hold."""
        text = claimed(request.output, request.input, request.sources)
        if not text.strip() and request.output.strip():
            return Unmeasured("the answer claims nothing: it greets, offers, declines, or names its sources")
        if not terms(without_markers(text.strip())):
            return Unmeasured("the answer has no words that can be looked for in the passages")
        found = await self.detector(replace(request, output=text))
        return Score(found.value, described(request.output, found.spans), found.spans, found.parts)


@record
class Hallucination:
    """Value: probability that the answer says something the passages do not support."""

    options: HallucinationOptions
    checking: Checking

    @property
    def identity(self) -> str:
        """The options and what checks."""
        return identity("hallucination", 4, self.options, self.checking.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Hold the answer against the passages; an answer that declines claims nothing."""
        if not sample.hits:
            return Unmeasured("there are no passages (`contexts`) to hold the answer against")
        output = sample.completion.text
        if refuses(output):
            return Unmeasured("the answer declines, so it claims nothing")
        contexts = tuple(hit.text for hit in sample.hits)
        sources = tuple(hit.source for hit in sample.hits)
        return await self.checking.outcome(DetectionRequest(output, contexts, sources, sample.case.question or ""))


def _figures(options: HallucinationOptions) -> Figures:
    judged = options.backend if isinstance(options.backend, str) else options.backend[0]
    return Figures(SHARE, {"unsupported": SHARE, "claims": COUNT} if judged.startswith(JUDGE) else {})


def _build(options: HallucinationOptions, services: Services) -> Hallucination:
    backends = [options.backend] if isinstance(options.backend, str) else options.backend
    judges = [each.removeprefix(JUDGE) for each in backends if each.startswith(JUDGE)]
    check_labels(options.labels, *backends)
    if not judges and len(backends) == 1:
        return Hallucination(options, ByDetector(services.detect("hallucination", backends[0], options.labels)))
    if len(judges) < len(backends):
        raise WrongOption("backend", "several backends are a panel, and a panel is made of judges: `judge:MODEL`.")
    return Hallucination(options, ClaimCheck(build_panel(judges, options.combine, services, key="backend")))


KIND = Kind(
    "hallucination",
    "Probability that the passages do not support the answer.",
    HallucinationOptions,
    _build,
    max=0.5,
    cached=True,
    reads=frozenset(("answer", "question", "passages")),
    lower_is_better=True,
    figures=_figures,
)
