"""Is the answer the expected text?"""

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from llmops.domain.cases import Case
from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, FieldName, Figures, Kind, Services, identity, read_field, shape
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.scoring.matching import equal
from llmops.settings.validation import Strict

Scalar = str | int | float | bool


class EqualsOptions(Strict):
    """Options of `equals`."""

    to: Annotated[FieldName | Annotated[list[Scalar], Field(min_length=1), Tag("list")], Discriminator(shape)] = "expected"
    """A field of the case, or a list of literal answers, one of which is enough."""
    ignore_case: bool = False
    normalise: bool = False
    """Ignore runs of space, typographic quotes and dashes, quotation marks around the answer and a final full stop."""


def references(case: Case, to: str | Sequence[Scalar]) -> list[str] | Failure | Unmeasured:
    """Literal answers, or those in a field of the case, as texts; numbers and booleans as JSON writes them."""
    wanted = read_field(case, to) if isinstance(to, str) else to
    if isinstance(wanted, Unmeasured):
        return wanted
    items = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    if not all(isinstance(item, Scalar) for item in items):
        return Failure(f"the case's `{to}` holds more than texts and numbers")
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


@record
class Equals:
    """Value 1 when the answer is one of the expected texts, else 0."""

    options: EqualsOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("equals", 2, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Compare the whole answer, space around it aside."""
        texts = references(sample.case, self.options.to)
        if not isinstance(texts, list):
            return texts
        output = sample.completion.text
        for text in texts:
            if equal(output, text, ignore_case=self.options.ignore_case, normalise=self.options.normalise):
                return Score(1.0, f"is {excerpt(text)}")
        return Score(0.0, f"is not {' or '.join(excerpt(text) for text in texts[:3])}{' ...' if len(texts) > 3 else ''}")


def _build(options: EqualsOptions, services: Services) -> Equals:
    return Equals(options)


KIND = Kind(
    "equals", "Is the answer the expected text?", EqualsOptions, _build, min=1.0, figures=Figures(SHARE), fields=("to",)
)
