"""Reads a judge's reply: one JSON object, validated, or the reason why it is not one."""

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llmops.scoring.json_text import NotJson, only_object


def _in_lower_case(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Word = BeforeValidator(_in_lower_case)
"""One of some words: "Yes" is as good as "yes"."""
Answer = Annotated[Literal["yes", "no", "not applicable"], Word]
Support = Annotated[Literal["supported", "contradicted", "not found"], Word]
Number = Annotated[int, Field(ge=1)]


class Reply(BaseModel):
    """Base of what judges reply; further keys are ignored, values are not coerced."""

    model_config = ConfigDict(defer_build=True, frozen=True, strict=True, hide_input_in_errors=True)


class ItemVerdict(Reply):
    """A judge's verdict on one numbered item."""

    item: Number
    verdict: Answer
    reason: str = ""


class Verdicts(Reply):
    """One verdict for each item."""

    verdicts: list[ItemVerdict]


class Level(Reply):
    """A place on a rubric."""

    level: int
    reason: str = ""


class Preference(Reply):
    """The better of two answers."""

    better: Annotated[Literal["first", "second", "tie"], Word]
    reason: str = ""


class MadeQuestion(Reply):
    """A question that a passage answers."""

    question: Annotated[str, Field(min_length=1, max_length=400)]
    answer: Annotated[str, Field(min_length=1, max_length=400)]
    quote: Annotated[str, Field(min_length=1, max_length=2000)]
    """The words of the passage that answer it."""


class Claim(Reply):
    """One statement of an answer."""

    claim: Annotated[str, Field(min_length=1)]
    quote: str = ""
    """The words of the answer that make it."""


class Claims(Reply):
    """All statements of an answer."""

    claims: list[Claim]


class ClaimVerdict(Reply):
    """Whether passages support a claim."""

    claim: Number
    verdict: Support
    evidence: list[Number] = Field(default_factory=list)
    """Numbers of the passages that decide it."""
    reason: str = ""


class ClaimVerdicts(Reply):
    """One verdict for each claim."""

    verdicts: list[ClaimVerdict]


Read = TypeVar("Read", bound=Reply)
Check = Callable[[Read], str | None]
"""What else is wrong with a reply of the right shape, such as a missing item; None: nothing."""


class Unreadable(ValueError):
    """A reply that is not what was asked for; the message can be shown to the judge."""


def read_reply(text: str, shape: type[Read], check: Check[Read] | None = None) -> Read:
    """The reply in a judge's text, which may stand in a fenced block or among other words.

    Raises:
        Unreadable: no JSON object, several, one of another shape, or one that `check` objects to.
    """
    try:
        reply = shape.model_validate(only_object(text))
    except NotJson as error:
        raise Unreadable(str(error)) from None
    except ValidationError as error:
        raise Unreadable(_told(error)) from None
    if check is not None and (problem := check(reply)):
        raise Unreadable(problem)
    return reply


def in_order(numbers: list[int], wanted: int, what: str) -> str | None:
    """What is wrong with the numbers of a list that should name 1 to `wanted`, each once."""
    if numbers == list(range(1, wanted + 1)):
        return None
    missing = [number for number in range(1, wanted + 1) if number not in numbers]
    if missing:
        return f"has no verdict for {what} {missing[0]}"
    return f"should have one verdict for each of {wanted} {what}s, in order; has {len(numbers)}"


def each_item(wanted: int) -> Check[Verdicts]:
    """Objects to verdicts that are not on each of so many items, in order."""
    return lambda reply: in_order([each.item for each in reply.verdicts], wanted, "item")


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "the reply"
    return f"`{place}`: {first['msg'][0].lower()}{first['msg'][1:]}"
