"""Does a regular expression match the answer?"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, identity
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.scoring.matching import Flag, Pattern, compiled
from llmops.settings.secrets import masked_parts
from llmops.settings.validation import Strict

TIMEOUT_S = 1.0
"""Bound on one match: an answer can be made to take a careless pattern forever."""


class RegexOptions(Strict):
    """Options of `regex`."""

    pattern: Annotated[str, Field(min_length=1)]
    """Searched for anywhere in the answer; anchor it with ^ and $ to match the whole of it."""
    flags: list[Flag] = Field(default_factory=list)
    """`ignore_case`, `multiline` (^ and $ match at each line), `dot_all` (. matches line ends), `verbose`."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        compiled(self.pattern, self.flags)
        return self


@record
class Regex:
    """Value 1 when the pattern matches, else 0."""

    options: RegexOptions
    pattern: Pattern

    @property
    def identity(self) -> str:
        """The options."""
        return identity("regex", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Search the answer."""
        text = sample.completion.text
        try:
            match = self.pattern.search(text, timeout=TIMEOUT_S)
        except TimeoutError:
            return Failure(f"the pattern took longer than {TIMEOUT_S:g} s on this answer")
        if match is None:
            return Score(0.0, f"does not match {self.options.pattern!r}")
        return Score(1.0, f"matches: {excerpt(*masked_parts(text, match.span()))}")


def _build(options: RegexOptions, services: Services) -> Regex:
    return Regex(options, compiled(options.pattern, options.flags))


KIND = Kind("regex", "Does a regular expression match the answer?", RegexOptions, _build, min=1.0, figures=Figures(SHARE))
