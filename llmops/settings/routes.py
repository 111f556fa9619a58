"""`routes:` of llmops.yaml: policies that choose between models, each usable as a target of a suite."""

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from llmops.domain.errors import Problem
from llmops.settings.validation import Amount, LanguageCode, Number, Shape, Strict

Checks = list[str | dict[str, Any]]


def _distinct(models: list[str]) -> list[str]:
    twice = next((name for position, name in enumerate(models) if name in models[:position]), None)
    if twice is not None:
        raise ValueError(f"names the model {twice!r} twice")
    return models


Models = Annotated[list[str], Field(min_length=2), AfterValidator(_distinct)]
Pair = Annotated[list[str], Field(min_length=2, max_length=2), AfterValidator(_distinct)]


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


def _instant(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time; such as 2026-01-31T12:00:00+00:00 was expected") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


LIMITS = {"above": "max", "below": "min"}
"""How a cascade says for which values it asks the next model, and how a suite says which values pass."""


def _as_in_a_suite(options: Any) -> Any:  # noqa: ANN401 -- whatever the user wrote
    return {LIMITS.get(key, key): value for key, value in options.items()} if isinstance(options, dict) else options


def _check_limits(name: str, options: dict[str, Any]) -> None:
    for ours, theirs in LIMITS.items():
        if theirs in options:
            raise ValueError(f"`{name}` has `{theirs}`, which says what passes; when to escalate is told by `{ours}`")
        if isinstance(options.get(ours, 0), bool) or not isinstance(options.get(ours, 0), int | float):
            raise ValueError(f"`{name}`: `{ours}` should be a number")


def as_written(problem: Problem) -> Problem:
    """What is wrong with a limit of a check, under the key that a cascade has for it."""
    above, _, key = (problem.key or "").rpartition(".")
    ours = next((ours for ours, theirs in LIMITS.items() if theirs == key), None)
    return problem if ours is None else replace(problem, key=f"{above}.{ours}")


class FixedRoute(Strict):
    """Always one model."""

    kind: Literal["fixed"]
    model: str

    @property
    def models(self) -> list[str]:
        """The only one."""
        return [self.model]


class Condition(Strict):
    """What a rule looks at; everything that is given has to hold."""

    tag: str | None = None
    matches: Pattern | None = None
    """A regular expression, searched for in the question."""
    tokens_above: Annotated[int, Field(ge=0)] | None = None
    pii: bool | None = None
    """Personal data stands in the question, by patterns with checksums."""
    language: LanguageCode | None = None
    """ISO 639-1 code."""
    hours: (
        Annotated[str, Shape(r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$", "times of day, such as `22:00-06:00`")]
        | None
    ) = None
    """Local time of day, such as `22:00-06:00`."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(value is not None for value in self.model_dump().values()):
            raise ValueError("is empty; such as `{tag: hard}` or `{pii: true}` was expected")
        return self


class Rule(Strict):
    """Requests for which the condition holds go to a model."""

    when: Condition
    use: str


class RulesRoute(Strict):
    """The first rule that fits."""

    kind: Literal["rules"]
    rules: Annotated[list[Rule], Field(min_length=1)]
    otherwise: str

    @property
    def models(self) -> list[str]:
        """Those that a rule names."""
        return list(dict.fromkeys([*(rule.use for rule in self.rules), self.otherwise]))


class LengthRoute(Strict):
    """Long questions go to the second model."""

    kind: Literal["length"]
    models: Pair
    characters: Annotated[int, Field(gt=0)]
    """From this many on."""


class FallbackRoute(Strict):
    """The first model that gives an answer."""

    kind: Literal["fallback"]
    models: Models


class CascadeRoute(Strict):
    """The small model first; the next one when a check of its answer does not pass, or when it gives none."""

    kind: Literal["cascade"]
    models: Models
    escalate_when: Checks = Field(default_factory=list)
    """Evaluators that an answer does not pass; of a value `above` or `below` is told in place of a suite's `max` and `min`."""
    agreement: Annotated[float, Field(gt=0, le=1, strict=False)] | None = None
    """Escalate when fewer of the samples than this share say the same."""
    samples: Annotated[int, Field(ge=2, le=20)] = 3
    """Answers that `agreement` compares; all but the first are asked for only then."""

    @field_validator("escalate_when")
    @classmethod
    def _from_this_side(cls, entries: Checks) -> Checks:
        for entry in entries:
            for name, options in entry.items() if isinstance(entry, dict) else ():
                if isinstance(options, dict):
                    _check_limits(name, options)
        return entries

    @model_validator(mode="after")
    def _some_check(self) -> Self:
        if not self.escalate_when and self.agreement is None:
            raise ValueError("needs `escalate_when` or `agreement`: when should the next model be asked?")
        return self

    @property
    def checks(self) -> Checks:
        """`escalate_when` as a suite would have it."""
        return [
            entry if isinstance(entry, str) else {name: _as_in_a_suite(it) for name, it in entry.items()}
            for entry in self.escalate_when
        ]


class LearnedRoute(Strict):
    """The model with the best predicted quality for its cost."""

    kind: Literal["learned"]
    router: Annotated[str, Field(min_length=1)]
    """Folder that `llmops route fit` wrote, relative to the project root."""
    models: Models
    cost_weight: Amount | None = None
    """Quality that 1 USD per 1,000 requests is worth; default: as fitted."""


class BudgetRoute(Strict):
    """The first model until so much is spent, then the second."""

    kind: Literal["budget"]
    models: Pair
    usd: Amount
    """Of one run, or of one process that serves."""


class BanditRoute(Strict):
    """The model whose answers pass most, found out on the way."""

    kind: Literal["bandit"]
    models: Models
    checks: Annotated[Checks, Field(min_length=1)]
    """Evaluators, as in a suite: an answer that passes them is worth 1."""
    cost_weight: Amount = 0.0
    """Chance to pass that 1 USD per 1,000 requests is worth."""
    floor: Amount = 0.05
    """Share of the requests that each model gets at least."""

    @model_validator(mode="after")
    def _room_for_the_best(self) -> Self:
        if self.floor * len(self.models) > 1:
            raise ValueError(f"`floor` is a share for each of {len(self.models)} models: {1 / len(self.models):.2g} at most")
        return self


class CanaryRoute(Strict):
    """A share of the keys, always the same ones, gets the second model."""

    kind: Literal["canary"]
    models: Pair
    percent: Annotated[float, Field(ge=0, le=100, strict=False)]
    checks: Checks = Field(default_factory=list)
    """Evaluators, as in a suite, that grade what is served; they do not change it."""
    since: Annotated[str, AfterValidator(_instant)] | None = None
    """When the share was set, ISO 8601: `llmops route promote` leaves out what was logged before, and writes this."""


class AbRoute(Strict):
    """Each key, always the same way, gets one of several models."""

    kind: Literal["ab"]
    shares: Annotated[dict[str, Annotated[Number, Field(gt=0)]], Field(min_length=2)]
    """Weight by model."""
    checks: Checks = Field(default_factory=list)
    """Evaluators, as in a suite, that grade what is served; they do not change it."""

    @property
    def models(self) -> list[str]:
        """Those with a share."""
        return list(self.shares)


class ShadowRoute(Strict):
    """Both models answer, and the first one is served."""

    kind: Literal["shadow"]
    models: Pair


def key_of_checks(settings: "CheckedRoute") -> str:
    """The key under which a route names the evaluators that look at its answers."""
    return "escalate_when" if isinstance(settings, CascadeRoute) else "checks"


CheckedRoute = CascadeRoute | BanditRoute | CanaryRoute | AbRoute
"""Those whose answers are checked."""
RouteSettings = Annotated[
    FixedRoute
    | RulesRoute
    | LengthRoute
    | FallbackRoute
    | CascadeRoute
    | LearnedRoute
    | BudgetRoute
    | BanditRoute
    | CanaryRoute
    | AbRoute
    | ShadowRoute,
    Field(discriminator="kind"),
]
