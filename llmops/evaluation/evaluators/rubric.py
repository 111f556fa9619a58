"""Which level of the user's rubric fits the answer?"""

from typing import Annotated

from pydantic import Field

from llmops.domain.prompts import Image
from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample
from llmops.evaluation.evaluators.base import Figures, Kind, Services, identity
from llmops.evaluation.judging.checklist import material, texts_of
from llmops.evaluation.judging.panel import Grade, Grading, JudgeOptions, Panel, build_panel, chosen_prompt
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import Level
from llmops.prompting.template import PromptVersion
from llmops.settings.validation import Wording


class RubricOptions(JudgeOptions):
    """Options of `rubric`."""

    levels: Annotated[dict[int, Wording], Field(min_length=2)]
    """What an answer of each level is like, by number: a higher number is better."""
    reference: str | None = None
    """Field of the case with a good answer, which the judge sees too."""


@record
class Rubric:
    """Value: the level, as the rubric numbers it."""

    options: RubricOptions
    panel: Panel
    prompt: PromptVersion

    @property
    def identity(self) -> str:
        """The options, the prompt's text and the judges."""
        return identity("rubric", 1, self.options, self.prompt.hash, self.panel.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Ask the judges for a level."""
        levels = dict(sorted(self.options.levels.items()))
        blocks: list[str | Image] = [quoted(f"level {number}", text) for number, text in levels.items()]
        blocks += material(sample, ("question", "passages"))
        if self.options.reference is not None and (good := _reference(sample, self.options.reference)):
            blocks.append(quoted("good answer", good))
        blocks += material(sample, ("answer",))

        def known(reply: Level) -> str | None:
            return None if reply.level in levels else f"names the level {reply.level}, which the rubric does not have"

        async def grade(grading: Grading) -> Grade:
            reply = await grading.ask(self.prompt, {"material": blocks, "levels": list(levels)}, Level, known)
            return Grade(float(reply.level), reply.reason)

        return await self.panel.outcome(grade)


def _reference(sample: Sample, name: str) -> str:
    try:
        value = sample.case.field(name)
    except KeyError:
        return ""
    return "" if value is None else "\n".join(texts_of(value))


def _figures(options: RubricOptions) -> Figures:
    return Figures((float(min(options.levels)), float(max(options.levels))))


def _build(options: RubricOptions, services: Services) -> Rubric:
    panel = build_panel(options.judge, options.combine, services)
    return Rubric(options, panel, chosen_prompt(options.prompt, "rubric", services))


KIND = Kind(
    "rubric",
    "Level of your rubric that fits the answer, by a judge.",
    RubricOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question", "passages")),
    figures=_figures,
    fields=("reference",),
)
