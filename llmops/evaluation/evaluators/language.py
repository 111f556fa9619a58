"""Is the answer in the right language?"""

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity
from llmops.scoring.language import language_of
from llmops.settings.validation import LanguageCode, Strict


class LanguageOptions(Strict):
    """Options of `language`."""

    expected: LanguageCode | None = None
    """ISO 639-1 code such as `en`; default: the language of the question."""


@record
class Language:
    """Value 1 when the answer is in the expected language, else 0."""

    options: LanguageOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("language", 2, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Tell the language of the answer, and of the question when none is expected."""
        wanted = self.options.expected or language_of(sample.case.question or "")
        if wanted is None:
            return Unmeasured("the language of the question cannot be told")
        found = language_of(sample.completion.text)
        if found is None:
            return Unmeasured("the language of the answer cannot be told")
        return Score(float(found == wanted), f"{found}, as expected" if found == wanted else f"{found} instead of {wanted}")


def _build(options: LanguageOptions, services: Services) -> Language:
    return Language(options)


KIND = Kind("language", "Is the answer in the right language?", LanguageOptions, _build, min=1.0, figures=Figures(SHARE))
