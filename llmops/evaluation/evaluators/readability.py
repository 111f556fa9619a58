"""How hard is the answer to read?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import ANY, Figures, Kind, Services, identity
from llmops.scoring.language import language_of
from llmops.scoring.readability import grade
from llmops.settings.validation import Strict


class ReadabilityOptions(Strict):
    """`readability` has no options of its own."""


@record
class Readability:
    """Value: years of school that the text takes; part `ease`: Flesch's reading ease, about 0 to 100."""

    options: ReadabilityOptions

    @property
    def identity(self) -> str:
        """There is nothing to configure."""
        return identity("readability", 2, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Count sentences, words and syllables of English."""
        language = language_of(sample.completion.text)
        if language not in (None, "en"):
            return Unmeasured(f"the answer is in `{language}`, and the grade is one of English")
        found = grade(sample.completion.text)
        if found is None:
            return Unmeasured("the answer holds no words")
        return Score(found[0], f"grade {found[0]:.1f}", parts={"ease": found[1]})


def _build(options: ReadabilityOptions, services: Services) -> Readability:
    return Readability(options)


KIND = Kind(
    "readability",
    "Years of school that the answer takes to read.",
    ReadabilityOptions,
    _build,
    lower_is_better=True,
    figures=Figures(ANY, {"ease": ANY}),
)
