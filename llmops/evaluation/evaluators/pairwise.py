"""Is the answer better than another one? Both orders are asked, because judges favour a place."""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity, read_field
from llmops.evaluation.judging.checklist import material, texts_of
from llmops.evaluation.judging.panel import Grade, Grading, JudgeOptions, Panel, build_panel, chosen_prompt
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import Preference
from llmops.prompting.template import PromptVersion
from llmops.settings.validation import Wording

FORWARD = {"first": 1.0, "tie": 0.5, "second": 0.0}
"""Value of a preference when the answer stands first."""


class PairwiseOptions(JudgeOptions):
    """Options of `pairwise`."""

    against: str = "expected"
    """Field of the case that holds the other answer."""
    wanted: Wording = "more correct first, then more complete, then clearer."
    """What makes an answer better."""


@record
class Pairwise:
    """Value 1 when the answer is preferred in both orders, 0 when the other is, 0.5 else; part `consistent`."""

    options: PairwiseOptions
    panel: Panel
    prompt: PromptVersion

    @property
    def identity(self) -> str:
        """The options, the prompt's text and the judges."""
        return identity("pairwise", 2, self.options, self.prompt.hash, self.panel.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Ask the judges twice, the answers swapped."""
        other = read_field(sample.case, self.options.against)
        if isinstance(other, Unmeasured):
            return other
        mine, theirs = sample.completion.text, "\n".join(texts_of(other))
        if not theirs.strip():
            return Unmeasured(f"the case's `{self.options.against}` is empty")
        asked = material(sample, ("question",))

        async def prefer(grading: Grading, first: str, second: str) -> Preference:
            blocks = [*asked, quoted("first answer", first), quoted("second answer", second)]
            return await grading.ask(self.prompt, {"material": blocks, "wanted": self.options.wanted}, Preference)

        async def grade(grading: Grading) -> Grade:
            forward = await prefer(grading, mine, theirs)
            back = await prefer(grading, theirs, mine)
            values = FORWARD[forward.better], 1 - FORWARD[back.better]
            consistent = values[0] == values[1]
            value = values[0] if consistent else 0.5
            reason = forward.reason if consistent else "the preference turns with the order, so it counts as a tie"
            return Grade(value, reason, parts={"consistent": float(consistent)})

        return await self.panel.outcome(grade)


def _build(options: PairwiseOptions, services: Services) -> Pairwise:
    panel = build_panel(options.judge, options.combine, services)
    return Pairwise(options, panel, chosen_prompt(options.prompt, "pairwise", services))


KIND = Kind(
    "pairwise",
    "Is the answer better than another one, in both orders? By a judge.",
    PairwiseOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"consistent": SHARE}),
    fields=("against",),
)
