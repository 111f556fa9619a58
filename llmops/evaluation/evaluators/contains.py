"""Do the expected facts stand in the answer?"""

import json
from itertools import chain
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, FieldName, Figures, Kind, Services, identity, read_field, shape
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.scoring.matching import folded, found_in
from llmops.settings.validation import Strict


def _some_text(fact: str | int | float) -> str | int | float:
    if isinstance(fact, str) and not folded(fact, ignore_case=False):
        raise ValueError("is an empty text, which stands in every answer")
    return fact


Fact = Annotated[str | int | float, AfterValidator(_some_text)]
Alternatives = Annotated[list[Fact], Field(min_length=1), Tag("list")]
FactOrAlternatives = Annotated[Annotated[Fact, Tag("single")] | Alternatives, Discriminator(shape)]
Facts = Annotated[list[FactOrAlternatives], Field(min_length=1), Tag("list")]


class ContainsOptions(Strict):
    """Options of `contains`."""

    any: Annotated[FieldName | Alternatives, Discriminator(shape)] | None = None
    """A field of the case, or a literal list: one of the facts is enough."""
    all: Annotated[FieldName | Facts, Discriminator(shape)] | None = None
    """A field of the case, or a literal list: each fact is needed; an item that is a list holds alternatives."""
    ignore_case: bool = True
    whole_words: bool = False
    """Do not accept a fact that is only part of a longer word or number."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.any is None) == (self.all is None):
            raise ValueError("needs `any` or `all`, one of the two")
        return self


@record
class Contains:
    """Value 1 when the facts stand in the answer, else 0; the reason names what is missing."""

    options: ContainsOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("contains", 2, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Look for each fact."""
        asked = self.options.any if self.options.any is not None else self.options.all
        wanted = read_field(sample.case, asked) if isinstance(asked, str) else asked
        if isinstance(wanted, Unmeasured):
            return wanted
        needed = needed_facts(wanted, any_is_enough=self.options.any is not None)
        if needed is None:
            return Failure(f"the case's `{asked}` should be a text or a list of texts that are not empty")
        how = {"ignore_case": self.options.ignore_case, "whole_words": self.options.whole_words}
        stated = set(found_in(sample.completion.text, chain.from_iterable(needed), **how))
        found = [next((fact for fact in alternatives if fact in stated), None) for alternatives in needed]
        missing = [alternatives for alternatives, fact in zip(needed, found, strict=True) if fact is None]
        if missing:
            return Score(0.0, f"missing: {'; '.join(' or '.join(map(excerpt, each)) for each in missing)}")
        return Score(1.0, f"found: {', '.join(excerpt(fact) for fact in found if fact is not None)}")


def needed_facts(wanted: Any, *, any_is_enough: bool) -> list[list[str]] | None:  # noqa: ANN401 -- a field of a dataset
    """Facts that are all needed, each a list of alternatives; None when `wanted` is not of that shape."""
    items = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    groups = [list(item) if isinstance(item, list | tuple) else [item] for item in items]
    if any_is_enough:
        groups = [[fact for group in groups for fact in group]]
    texts = [[_text(fact) for fact in group] for group in groups]
    if not all(group and all(group) for group in texts):
        return None
    return [[fact for fact in group if fact] for group in texts]


def _text(fact: Any) -> str | None:  # noqa: ANN401 -- a field of a dataset
    if isinstance(fact, str):
        return folded(fact, ignore_case=False)
    return json.dumps(fact) if isinstance(fact, int | float) else None


def _build(options: ContainsOptions, services: Services) -> Contains:
    return Contains(options)


KIND = Kind(
    "contains",
    "Do the expected facts stand in the answer?",
    ContainsOptions,
    _build,
    min=1.0,
    figures=Figures(SHARE),
    fields=("any", "all"),
)
