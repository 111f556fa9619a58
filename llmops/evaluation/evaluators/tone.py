"""Does the answer sound as it should?"""

from typing import Annotated

from pydantic import Field

from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services
from llmops.evaluation.judging.checklist import Checklist, build_checklist, literal
from llmops.evaluation.judging.panel import JudgeOptions
from llmops.settings.validation import Wording


class ToneOptions(JudgeOptions):
    """Options of `tone`."""

    qualities: Annotated[list[Wording], Field(min_length=1)]
    """Such as `friendly` or `without jargon`."""


def _build(options: ToneOptions, services: Services) -> Checklist:
    return build_checklist("tone", options, services, literal(options.qualities))


KIND = Kind(
    "tone",
    "Share of the wanted qualities of tone, by a judge.",
    ToneOptions,
    _build,
    cached=True,
    reads=frozenset(("answer", "question")),
    figures=Figures(SHARE, {"met": SHARE}),
)
