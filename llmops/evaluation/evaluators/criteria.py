"""Does the answer meet criteria in the user's own words? After G-Eval (Liu et al. 2023), with the score left to code."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.judging.checklist import Checklist, build_checklist, literal
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.settings.validation import Strict, Wording

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]


class Criterion(Strict):
    """A criterion that counts more or less than 1."""

    text: Wording
    weight: Weight = 1.0


def _form(value: object) -> str:
    return "weighed" if isinstance(value, dict | Criterion) else "text"


Items = list[Annotated[Annotated[Wording, Tag("text")] | Annotated[Criterion, Tag("weighed")], Discriminator(_form)]]


class CriteriaOptions(JudgeOptions):
    """Options of `criteria`."""

    items: Annotated[Items, Field(min_length=1)]
    """Each a statement that is true of a good answer."""


def _build(options: CriteriaOptions, services: Services) -> Checklist:
    items = [each if isinstance(each, Criterion) else Criterion(text=each) for each in options.items]
    given = literal([each.text for each in items], [each.weight for each in items])
    return build_checklist("criteria", options, services, given, sees=("question", "answer", "passages"))


KIND = Kind(
    "criteria",
    "Share of your criteria that the answer meets, by a judge.",
    CriteriaOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question", "passages")),
    figures=Figures(SHARE, {"met": SHARE}),
)
