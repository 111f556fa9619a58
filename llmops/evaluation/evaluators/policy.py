"""Does the answer keep the rules of a policy?"""

from typing import Annotated

from pydantic import Field

from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.judging.checklist import Checklist, all_met, build_checklist, literal
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.settings.validation import Wording


class PolicyOptions(JudgeOptions):
    """Options of `policy`."""

    rules: Annotated[list[Wording], Field(min_length=1)]
    """Each a sentence that says what an answer must or must not do."""


def _build(options: PolicyOptions, services: Services) -> Checklist:
    return build_checklist("policy", options, services, literal(options.rules), weigh=all_met)


KIND = Kind(
    "policy",
    "Does the answer keep every rule? By a judge.",
    PolicyOptions,
    _build,
    min=1.0,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"met": SHARE}),
)
