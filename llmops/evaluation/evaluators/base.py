"""What an evaluator is made of: the services it may ask, its kind, and how its value is judged."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Discriminator, Field, Tag

from llmops.domain.amounts import amount
from llmops.domain.cases import Case
from llmops.domain.errors import MissingCredential, RunIncomplete, UsageError
from llmops.domain.keys import canonical
from llmops.domain.ports import NO_LABELS, Evaluator
from llmops.domain.prompts import Image
from llmops.domain.records import record
from llmops.domain.reports import Direction
from llmops.domain.runs import EvaluatorResult
from llmops.domain.scores import Detection, DetectionRequest, Failure, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.field import identity_of_field, measure_field
from llmops.evaluation.judging.asking import AskJudge, AskModel
from llmops.prompting.template import PromptVersion
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.suite import EvaluatorSpec
from llmops.settings.validation import Strict

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class AskDetector(Protocol):
    """A detector that joins the requests of concurrent cells into batches."""

    @property
    def identity(self) -> str:
        """Changes whenever the same request could get another finding."""
        ...

    async def __call__(self, request: DetectionRequest) -> Detection:
        """The finding on one text."""
        ...


class FindDetector(Protocol):
    """From a kind and a backend to a detector."""

    def __call__(self, kind: str, backend: str, labels: Mapping[str, str] = NO_LABELS) -> AskDetector:
        """The detector.

        Args:
            kind: what it looks for: `hallucination`, `toxicity` or `pii`.
            backend: as an evaluator names it, such as `embedded`.
            labels: what the labels of a local model mean, where it does not tell.
        """
        ...


class AskEmbedder(Protocol):
    """An embedder that joins the texts of concurrent cells into batches."""

    @property
    def identity(self) -> str:
        """Changes whenever the same text could get another vector."""
        ...

    async def __call__(self, text: str) -> "NDArray[float32]":
        """A unit vector, shape (dimensions,), float32."""
        ...


@record
class Services:
    """What an evaluator may ask the outside for."""

    root: Path
    """The project's root."""
    detect: "FindDetector"
    embed: Callable[[EmbedderSettings], AskEmbedder]
    judge: Callable[[str], AskJudge]
    """From a model's name to that model as a judge."""
    ask: Callable[[str], AskModel]
    """From a target's name to that model, for evaluators that ask it again."""
    prompt: Callable[[str], PromptVersion]
    """From a reference such as `answer@production` to a prompt of the project."""


class WrongOption(UsageError):
    """An option that is well formed but cannot be used, such as a file that does not exist."""

    def __init__(self, key: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


Bounds = tuple[float, float]
"""Smallest and largest value that a figure can take."""
ANY: Bounds = (-inf, inf)
COUNT: Bounds = (0.0, inf)
SHARE: Bounds = (0.0, 1.0)


def closed(reach: Bounds) -> Bounds | None:
    """Bounds with two finite ends; None: one is open."""
    return reach if all(map(isfinite, reach)) else None


@record
class Figures:
    """What a score of an evaluator holds, as far as its options tell."""

    value: Bounds = ANY
    parts: Mapping[str, Bounds] | None = field(default_factory=dict)
    """By name; None: they depend on what is not known before a run, such as the labels of a local model."""
    lower_is_better: bool = False
    """An option says so; see `Kind.lower_is_better`."""

    def reach(self, part: str | None = None) -> Bounds:
        """Of the value or of a part; an end without a bound, or without a known one, is infinite."""
        return self.value if part is None else (self.parts or {}).get(part, ANY)


Part = Literal["answer", "question", "passages", "places", "case"]
"""What evaluators read: the answer, the question of the case, the texts of the hits, where they stand, the whole case."""
EVERYTHING: frozenset[Part] = frozenset(("answer", "passages", "case"))


@record
class Kind:
    """One kind of evaluator."""

    name: str
    summary: str
    """One line, shown by the documentation and by `llmops schema`."""
    options: type[Strict]
    build: Callable[[Any, Services], Evaluator]
    """From validated options to an evaluator; raises `WrongOption`."""
    check: Callable[[Any, Path], object] | None = None
    """Looks at the files that options name, from the project's root, without running anything; raises `WrongOption`."""
    min: float | None = None
    """A case's value passes from here, unless the suite sets a limit."""
    max: float | None = None
    """A case's value passes up to here, unless the suite sets a limit."""
    verdict: str | None = None
    """Part of the score (0 or 1) that decides when neither the suite nor the kind sets a limit."""
    cached: bool = False
    """Outcomes are worth storing; otherwise they are cheaper to compute than to look up."""
    reads: frozenset[Part] = EVERYTHING
    """What an outcome depends on, besides the fields of the case that options name."""
    lower_is_better: bool = False
    unit: str = ""
    figures: Figures | Callable[[Any], Figures] = Figures()
    """What its scores hold, or how validated options tell that."""
    fields: tuple[str, ...] = ()
    """Options whose value, when it is a text, names a field of the case."""

    def figures_of(self, options: Strict) -> Figures:
        """What the scores of an evaluator with these options hold."""
        return self.figures(options) if callable(self.figures) else self.figures

    def fields_of(self, options: Strict) -> dict[str, str]:
        """By option: the field of the case that it names."""
        named = {option: getattr(options, option) for option in self.fields}
        return {option: name for option, name in named.items() if isinstance(name, str)}


@record
class BuiltEvaluator:
    """An evaluator of a suite with what the suite says about it."""

    spec: EvaluatorSpec
    kind: Kind
    evaluator: Evaluator
    figures: Figures = Figures()
    fields: tuple[str, ...] = ()
    """Fields of the case that its options name."""

    @property
    def identity(self) -> str:
        """Changes whenever the same answer could get another outcome."""
        pointer = self.spec.common.of
        return self.evaluator.identity if pointer is None else identity_of_field(self.evaluator.identity, pointer)

    async def measure(self, sample: Sample) -> Outcome:
        """The outcome of an answer, or of the field of it that the suite names."""
        pointer = self.spec.common.of
        return await (self.evaluator.evaluate(sample) if pointer is None else measure_field(self.evaluator, pointer, sample))

    @property
    def lower_is_better(self) -> bool:
        """Whether the value is."""
        return better_when_lower(self.kind, self.figures, "mean")

    @property
    def limits(self) -> tuple[float | None, float | None]:
        """Least and greatest value that pass: the suite's if it sets any, else the kind's."""
        common = self.spec.common
        if common.min is None and common.max is None:
            return self.kind.min, self.kind.max
        return common.min, common.max

    def judge(self, outcome: Outcome) -> EvaluatorResult:
        """The outcome with the threshold applied; a failure and an unmeasured case have no verdict to turn around."""
        if isinstance(outcome, Failure):
            return EvaluatorResult("failed", reason=outcome.reason, judging=outcome.judging)
        if isinstance(outcome, Unmeasured):
            return EvaluatorResult("unmeasured", reason=outcome.reason, judging=outcome.judging)
        passed = self._passes(outcome)
        verdict = None if passed is None else passed is not self.spec.common.negate
        reason = outcome.reason or (self._missed(outcome.value) if verdict is False else "")
        return EvaluatorResult("scored", outcome.value, verdict, reason, outcome.spans, outcome.parts, outcome.judging)

    def _passes(self, score: Score) -> bool | None:
        low, high = self.limits
        if low is not None or high is not None:
            return (low is None or score.value >= low) and (high is None or score.value <= high)
        if self.kind.verdict is not None and self.kind.verdict in score.parts:
            return score.parts[self.kind.verdict] == 1
        return None

    def _missed(self, value: float) -> str:
        """Why a value does not pass its limits; nothing without limits."""
        sides = zip(self.limits, (("below", "min"), ("above", "max")), strict=True)
        limits = [(limit, *words) for limit, words in sides if limit is not None]
        if not self.spec.common.negate:
            limits = [each for each in limits if (value < each[0] if each[1] == "below" else value > each[0])]
        told = [(side, key, *told_apart(value, limit, self.kind.unit)) for limit, side, key in limits]
        if not told:
            return ""
        beyond = " or ".join(f"{side} {key} {limit}" for side, key, _, limit in told)
        return f"{told[0][2]} is {'not ' if self.spec.common.negate else ''}{beyond}"


async def measured(built: BuiltEvaluator, sample: Sample) -> Outcome:
    """An evaluator's outcome; what it raises is its failure on this case, except what ends the run."""
    try:
        outcome = await built.measure(sample)
    except (MissingCredential, RunIncomplete):
        raise
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}")
    if isinstance(outcome, Score) and not all(map(isfinite, (outcome.value, *outcome.parts.values()))):
        return Failure("its value is not a finite number", outcome.judging)
    return outcome


def told_apart(value: float, limit: float, unit: str) -> tuple[str, str]:
    """Two amounts with their unit, in full where three digits would make them look the same."""
    short = amount(value, unit), amount(limit, unit)
    return short if value == limit or short[0] != short[1] else (f"{value!r} {unit}".strip(), f"{limit!r} {unit}".strip())


def better_when_lower(kind: Kind, figures: Figures, aggregate: str) -> bool:
    """Whether a figure is better the lower it is; shares of passed cases never are."""
    return aggregate not in ("pass_rate", kind.verdict) and (kind.lower_is_better or figures.lower_is_better)


def direction(known: tuple[Kind, Figures] | None, aggregate: str) -> Direction:
    """Which way a figure of an evaluator is better; neither where it has a unit of its own, such as seconds."""
    if known is None or aggregate == "pass_rate":
        return "higher is better"
    if known[0].unit:
        return "neither"
    return "lower is better" if better_when_lower(*known, aggregate) else "higher is better"


def outside(limit: float, what: str, bounds: Bounds) -> tuple[str, str | None] | None:
    """Why a limit says nothing, and what may have been meant; None: some values pass it and others do not.

    Args:
        limit: as the user wrote it.
        what: has the limit, as messages call it.
        bounds: of that.
    """
    low, high = bounds
    if low <= limit <= high:
        return None
    percent = f"Did you mean {limit / 100:g}?" if bounds == SHARE and 2 <= limit <= 100 else None
    return f"{limit:g} is no limit: {what} lies {within(bounds)}.", percent


def within(bounds: Bounds) -> str:
    """Bounds in words."""
    low, high = bounds
    return f"within {low:g} and {high:g}" if high < inf else f"at {low:g} or above"


def figures_by_name(evaluators: Iterable[BuiltEvaluator]) -> Mapping[str, Figures]:
    """What is known of the figures of each name; nothing where evaluators of single cases share a name and not the figures."""
    found: dict[str, Figures] = {}
    for built in evaluators:
        name = built.spec.name
        found[name] = built.figures if found.get(name, built.figures) == built.figures else Figures()
    return found


def shape(value: object) -> str:
    """Tells a list from a single value, so that a wrong option is told once, as what it was meant to be."""
    return "list" if isinstance(value, list) else "single"


FieldName = Annotated[str, Tag("single")]
"""Names a field of the case, where a list would be literal."""
Texts = Annotated[FieldName | Annotated[list[str], Field(min_length=1), Tag("list")], Discriminator(shape)]
"""A field of the case, or a list of literal texts."""


def identity(kind: str, version: int, options: Strict, *parts: str) -> str:
    """The identity of an evaluator.

    Args:
        kind: its name.
        version: raised by hand when its code would give another outcome for the same answer.
        options: its own options.
        parts: identities of what it asks, and hashes of files it reads.
    """
    return canonical([kind, version, options.model_dump(mode="json"), *parts])


def read_field(case: Case, name: str) -> Any:  # noqa: ANN401 -- a dataset may hold any JSON value
    """A field of the case, or `Unmeasured` with the reason when the case does not have it, or an image in its place."""
    try:
        value = case.field(name)
    except KeyError:
        return Unmeasured(f"the case has no `{name}`")
    if isinstance(value, Image):
        return Unmeasured(f"the case's `{name}` is the image {value.name}")
    return Unmeasured(f"the case's `{name}` is empty") if value is None or value in ((), [], {}) else value
