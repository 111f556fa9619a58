"""Routing policies: pure objects that say what to do next; whoever asks the models feeds them what came back."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from random import Random

from llmops.domain.keys import content_hash
from llmops.domain.records import record
from llmops.domain.routing import Ask, Policy, Reply, RouteRequest, Serve, Step, Tally
from llmops.scoring.language import language_of
from llmops.scoring.pii import find_pii
from llmops.settings.routes import (
    AbRoute,
    BanditRoute,
    BudgetRoute,
    CanaryRoute,
    CascadeRoute,
    Condition,
    FallbackRoute,
    FixedRoute,
    LearnedRoute,
    LengthRoute,
    RouteSettings,
    Rule,
    RulesRoute,
    ShadowRoute,
)

BUCKETS = 10_000
"""Shares of keys are told apart to a hundredth of a percent."""


def policy_of(
    name: str, settings: RouteSettings, count: Callable[[str], int], learned: "Callable[[LearnedRoute], Learned]"
) -> Policy:
    """The policy that the settings describe.

    Args:
        name: of the route.
        settings: its entry of `routes:`.
        count: tokens of a text.
        learned: loads a fitted router.
    """
    match settings:
        case FixedRoute():
            return Fixed(settings.model)
        case RulesRoute():
            return Rules(tuple(settings.rules), settings.otherwise, count)
        case LengthRoute():
            return Length(settings.models[0], settings.models[1], settings.characters)
        case FallbackRoute():
            return Cascade(tuple(settings.models))
        case CascadeRoute():
            return Cascade(tuple(settings.models), settings.agreement, settings.samples)
        case LearnedRoute():
            return learned(settings)
        case BudgetRoute():
            return Budget(settings.models[0], settings.models[1], settings.usd)
        case BanditRoute():
            return Bandit(tuple(settings.models), settings.cost_weight, settings.floor)
        case CanaryRoute():
            share = settings.percent / 100
            return Split(name, {settings.models[1]: share, settings.models[0]: 1 - share})
        case AbRoute():
            return Split(name, settings.shares)
        case ShadowRoute():
            return Shadow(settings.models[0], settings.models[1])


@record
class Fixed:
    """Always one model."""

    model: str

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Ask it, serve it."""
        return _once(self.model, "the only model", replies)


@record
class Rules:
    """The first rule that fits."""

    rules: tuple[Rule, ...]
    otherwise: str
    count: Callable[[str], int]
    """Tokens of a text."""

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Ask the model of the first rule whose condition holds."""
        for number, rule in enumerate(self.rules, start=1):
            if self._holds(rule.when, request):
                return _once(rule.use, f"rule {number}: {_told(rule.when)}", replies)
        return _once(self.otherwise, "no rule fits", replies)

    def _holds(self, when: Condition, request: RouteRequest) -> bool:
        text = request.text
        return (
            (when.tag is None or when.tag in request.tags)
            and (when.matches is None or re.search(when.matches, text) is not None)
            and (when.tokens_above is None or self.count(text) > when.tokens_above)
            and (when.pii is None or when.pii == bool(find_pii(text)))
            and (when.language is None or when.language == language_of(text))
            and (when.hours is None or _within(when.hours, request.now))
        )


def _told(when: Condition) -> str:
    return ", ".join(f"{key} {value}" for key, value in when.model_dump().items() if value is not None)


def _within(hours: str, now: time) -> bool:
    start, end = (time.fromisoformat(each) for each in hours.split("-"))
    return start <= now < end if start <= end else now >= start or now < end


@record
class Length:
    """Long questions go to the second model."""

    short: str
    long: str
    characters: int

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Compare the length with the limit."""
        long = len(request.text) >= self.characters
        reason = f"{len(request.text)} characters, {'not ' if not long else ''}from {self.characters} on"
        return _once(self.long if long else self.short, reason, replies)


@record
class Cascade:
    """Models in order; the next one when the last gave no answer, or one that a check did not pass.

    Without checks this is a fallback.
    """

    order: tuple[str, ...]
    """Each model once: how far a request has come is told by the model of its last reply."""
    agreement: float | None = None
    samples: int = 1

    def __post_init__(self) -> None:
        if len(set(self.order)) != len(self.order):
            raise ValueError(f"a cascade over {', '.join(self.order)} would ask one of them for ever")

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Ask until an answer holds, or the models are used up."""
        if not replies:
            return Ask(self.order[0], "first")
        model = replies[-1].model
        position = self.order.index(model)
        here = [each for each in replies if each.model == model]
        wrong = self._wrong(here, last=position == len(self.order) - 1)
        if wrong == "more":
            return Ask(model, "to compare its answers", sample=len(here))
        if not wrong:
            best = _said_most(here)
            return Serve(replies.index(best), _told_of(best))
        if position + 1 < len(self.order):
            return Ask(self.order[position + 1], wrong)
        return Serve(_best_left(replies), f"the last model: {wrong}")

    def _wrong(self, here: Sequence[Reply], *, last: bool) -> str:
        """Why no answer holds; `more`: further samples are needed to tell; empty: the one that was said most holds."""
        first = here[0]
        if first.answer is None:
            return f"{first.model}: {first.error}"
        if last:
            return ""
        failed = _failed_checks(first)
        if failed or self.agreement is None:
            return failed
        if len(here) < self.samples:
            return "more"
        best = _said_most(here)
        share = sum(_alike(best, each) for each in here) / len(here)
        if share < self.agreement:
            return f"{first.model} agrees with itself in {100 * share:.0f} % of its answers"
        return _failed_checks(best)


def _failed_checks(reply: Reply) -> str:
    """Which checks an answer did not pass; empty: none."""
    failed = [name for name, passed in reply.checks.items() if not passed]
    return f"{reply.model} did not pass {', '.join(failed)}" if failed else ""


def _told_of(reply: Reply) -> str:
    failed, passed = _failed_checks(reply), ", ".join(reply.checks)
    if failed:
        return f"the last model: {failed}"
    return f"passed {passed}" if passed else "answered"


def _best_left(replies: Sequence[Reply]) -> int:
    """Position of what is served when no model is left: what the last one to answer said most."""
    answered = [each for each in replies if each.answer is not None]
    if not answered:
        return len(replies) - 1
    return replies.index(_said_most([each for each in answered if each.model == answered[-1].model]))


def _said_most(here: Sequence[Reply]) -> Reply:
    """The first of the replies that says what most of them say."""
    return max(here, key=lambda reply: sum(_alike(reply, each) for each in here))


def _alike(one: Reply, other: Reply) -> bool:
    """Both say the same; a reply without an answer says nothing, and is like no other."""
    return one.answer is not None and other.answer is not None and _plain(one.answer) == _plain(other.answer)


def _plain(answer: str) -> str:
    """An answer as samples are compared: letters and digits alone."""
    return " ".join(re.findall(r"\w+", answer.casefold()))


@record
class Learned:
    """The model with the best predicted quality for its cost; the strongest when the prompt is unlike all that was learned."""

    models: tuple[str, ...]
    costs: tuple[float, ...]
    """USD per 1,000 requests of each model."""
    cost_weight: float
    """Quality that 1 USD per 1,000 requests is worth."""
    strong: str
    predict: Callable[[str], tuple[Sequence[float], bool]]
    """From a question to the expected quality of each model's answer, and whether the question is unfamiliar."""

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Predict, and weigh against cost."""
        if replies:
            return Serve(len(replies) - 1, "as predicted")
        quality, unfamiliar = self.predict(request.text)
        if unfamiliar:
            return Ask(self.strong, "unlike all that was learned from")
        worth = [q - self.cost_weight * cost for q, cost in zip(quality, self.costs, strict=True)]
        best = max(range(len(worth)), key=worth.__getitem__)
        told = ", ".join(f"{name} {q:.2f}" for name, q in zip(self.models, quality, strict=True))
        return Ask(self.models[best], f"expected quality: {told}; cost weight {self.cost_weight:.3g}")


@record
class Budget:
    """The dear model until so much is spent, then the cheap one."""

    dear: str
    cheap: str
    usd: float

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Look at what is spent."""
        spent = request.spent_usd
        told = f"${spent:.4f} of ${self.usd:g} are spent"
        return _once(self.dear if spent < self.usd else self.cheap, told, replies)


@record
class Bandit:
    """Thompson sampling: each model's chance to pass is drawn from what its answers showed, and the best draw is asked.

    Thompson 1933, "On the likelihood that one unknown probability exceeds another"; the prior is Beta(1, 1).
    """

    models: tuple[str, ...]
    cost_weight: float
    """Chance to pass that 1 USD per 1,000 requests is worth."""
    floor: float
    """Share of the requests that each model gets at least, so that one that became better is noticed."""

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Draw, and weigh against cost."""
        if replies:
            return Serve(0, "as drawn")
        tallies = [request.tallies.get(model, Tally()) for model in self.models]
        draw = Random(f"bandit\x00{request.key}\x00{sum(tally.answers for tally in tallies)}")
        if draw.random() < self.floor * len(self.models):
            return Ask(draw.choice(self.models), "exploring")
        chances = [draw.betavariate(1 + tally.good, 1 + tally.bad) for tally in tallies]
        costs = [1000 * tally.cost_usd / tally.answers if tally.answers else 0.0 for tally in tallies]
        worth = [chance - self.cost_weight * cost for chance, cost in zip(chances, costs, strict=True)]
        told = ", ".join(f"{m} {t.good:g} of {t.answers:g}" for m, t in zip(self.models, tallies, strict=True))
        return Ask(self.models[max(range(len(worth)), key=worth.__getitem__)], f"passed so far: {told}")


def looks_back(policy: Policy) -> bool:
    """What a policy does next depends on the answers before, so that they cannot be asked for all together."""
    return isinstance(policy, Budget | Bandit)


def weighs_cost(policy: Policy) -> bool:
    """What a policy does next depends on what its calls have cost, so that no cost may be unknown."""
    return isinstance(policy, Budget) or (isinstance(policy, Bandit) and policy.cost_weight > 0)


@record
class Split:
    """Each key gets one of several models, always the same one, whatever other splits give it."""

    name: str
    """Two splits of one name treat a key alike."""
    shares: Mapping[str, float]
    """Weight by model."""

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Hash the key into a bucket."""
        reason = "its share of the keys"
        drawn = int(content_hash(f"route\x00{self.name}\x00{request.key}"), 16) % BUCKETS / BUCKETS * sum(self.shares.values())
        for model, share in self.shares.items():
            if drawn < share:
                return _once(model, reason, replies)
            drawn -= share
        return _once(list(self.shares)[-1], reason, replies)


@record
class Shadow:
    """Both models answer, and the first one is served."""

    served: str
    shadowed: str

    def next(self, request: RouteRequest, replies: Sequence[Reply]) -> Step:
        """Ask one after the other; the first one's answer does not wait for the second one's."""
        if not replies:
            return Ask(self.served, "served")
        serve = Serve(0, "the other one is a shadow")
        return Ask(self.shadowed, "in the shadow", meanwhile=serve) if len(replies) == 1 else serve


def _once(model: str, reason: str, replies: Sequence[Reply]) -> Step:
    """Ask one model and serve what it says."""
    return Serve(0, "the only answer") if replies else Ask(model, reason)
