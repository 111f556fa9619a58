"""One or several judges on one answer, and the one outcome that comes of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from statistics import fmean, median
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from llmops.domain.errors import UsageError
from llmops.domain.records import record
from llmops.domain.scores import Failure, JudgeUse, Outcome, Score, Span, Unmeasured
from llmops.evaluation.endpoints import together
from llmops.evaluation.evaluators.base import Services, WrongOption, shape
from llmops.evaluation.judging.asking import AskJudge, JudgeFailed
from llmops.evaluation.judging.prompts import check_fits, shipped
from llmops.evaluation.judging.replies import Check, Read
from llmops.prompting.template import PromptVersion
from llmops.settings.suite import EvaluatorSpec
from llmops.settings.validation import Strict

BY_JUDGE = "judge:"
"""Opens the names of the parts that hold each judge's own value."""

JUDGE = "judge:"
"""Opens the name of a detector's backend that is a model of llmops.yaml."""

JudgeName = Annotated[str, Field(min_length=1), Tag("single")]
JudgeNames = Annotated[list[str], Field(min_length=1), Tag("list")]
Combine = Literal["majority", "mean"]


class JudgeOptions(Strict):
    """What every judged evaluator takes."""

    judge: Annotated[JudgeName | JudgeNames, Discriminator(shape)]
    """A model of llmops.yaml, or several."""
    combine: Combine = "majority"
    """Of several judges: the middle value (for yes and no: the majority), or the mean."""
    prompt: str | None = None
    """A prompt of the project that stands in for the package's own."""


@record
class Grade:
    """What one judge makes of one answer."""

    value: float | None
    """None: there is nothing to judge; `reason` says why."""
    reason: str = ""
    spans: tuple[Span, ...] = ()
    parts: Mapping[str, float] = field(default_factory=dict)


class Grading:
    """One judge at work on one answer; adds up what its calls take."""

    def __init__(self, judge: AskJudge) -> None:
        self._judge = judge
        self.use = JudgeUse()

    async def ask(
        self, prompt: PromptVersion, vars: Mapping[str, Any], shape: type[Read], check: Check[Read] | None = None
    ) -> Read:
        """One reply of the judge.

        Raises:
            JudgeFailed: as the judge does.
        """
        try:
            judged = await self._judge(prompt, vars, shape, check)
        except JudgeFailed as error:
            self.use += error.use
            raise
        self.use += judged.use
        return judged.value


@record
class Panel:
    """Judges that grade independently of each other."""

    judges: tuple[AskJudge, ...]
    combine: Combine = "majority"

    @property
    def identity(self) -> str:
        """All judges."""
        return "\n".join(judge.identity for judge in self.judges)

    async def outcome(self, grade: Callable[[Grading], Awaitable[Grade]]) -> Outcome:
        """The judges' grades as one outcome; if one judge fails, so does the panel."""
        gradings = [Grading(judge) for judge in self.judges]
        found = await together(_caught(grade, grading) for grading in gradings)
        use = sum((grading.use for grading in gradings), JudgeUse())
        failed = [each.reason for each in found if isinstance(each, JudgeFailed)]
        if failed:
            return Failure("; ".join(failed), use)
        grades = [each for each in found if isinstance(each, Grade)]
        return self._joined(grades, use)

    def _joined(self, grades: Sequence[Grade], use: JudgeUse) -> Outcome:
        values = {judge.name: grade.value for judge, grade in zip(self.judges, grades, strict=True) if grade.value is not None}
        if not values:
            return Unmeasured(grades[0].reason, use)
        value = (median if self.combine == "majority" else fmean)(values.values())
        spokesman = min((g for g in grades if g.value is not None), key=lambda grade: abs((grade.value or 0.0) - value))
        names = {name for grade in grades for name in grade.parts}
        parts = {name: fmean(g.parts[name] for g in grades if name in g.parts) for name in sorted(names)}
        reason = spokesman.reason
        if len(self.judges) > 1:
            parts |= {f"{BY_JUDGE}{name}": each for name, each in values.items()}
            split = ", ".join(f"{name} {each:.3g}" for name, each in values.items())
            reason = f"{reason} ({split})" if len(set(values.values())) > 1 else reason
        return Score(value, reason, spokesman.spans, parts, use)


async def _caught(grade: Callable[[Grading], Awaitable[Grade]], grading: Grading) -> Grade | JudgeFailed:
    try:
        return await grade(grading)
    except JudgeFailed as error:
        return error


def judges_named(spec: EvaluatorSpec) -> list[str]:
    """The models that an entry of a suite wants as judges, right or wrong; none for an evaluator that asks none."""
    named: list[str] = []
    for option, prefix in (("judge", ""), ("backend", JUDGE)):
        value = spec.options.get(option, [])
        entries = value if isinstance(value, list) else [value]
        named += [each.removeprefix(prefix) for each in entries if isinstance(each, str) and each.startswith(prefix)]
    return named


def build_panel(names: str | Sequence[str], combine: Combine, services: Services, *, key: str = "judge") -> Panel:
    """The judges that an evaluator's options name.

    Raises:
        WrongOption: a name that is no model, or one that cannot judge; `key` is the option that holds it.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    if len(set(wanted)) < len(wanted):
        raise WrongOption(key, "names the same judge twice; its verdicts would only be counted twice.")
    try:
        return Panel(tuple(services.judge(name) for name in wanted), combine)
    except UsageError as error:
        raise WrongOption(key, error.message, hint=error.hint) from None


def chosen_prompt(reference: str | None, name: str, services: Services) -> PromptVersion:
    """The prompt of the project that options name, else ours of this name.

    Raises:
        WrongOption: it does not exist, or needs values that it will not get.
    """
    ours = shipped(name)
    if reference is None:
        return ours
    try:
        prompt = services.prompt(reference)
        check_fits(prompt, ours)
    except UsageError as error:
        raise WrongOption("prompt", error.message, hint=error.hint) from None
    return prompt
