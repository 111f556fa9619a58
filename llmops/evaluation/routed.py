"""Takes one request along a route: asks the models that the policy names, and hands it what came back."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from llmops.domain.errors import ModelError
from llmops.domain.models import Completion, RoutedCall
from llmops.domain.records import record
from llmops.domain.routing import Ask, Reply, RouteRequest, Serve
from llmops.evaluation.planning import Route, Target

CANCELLED = "Cancelled"
"""The error of a call whose answer nobody waited for any longer."""


@record
class Answered:
    """One model's answer."""

    completion: Completion
    reused: bool
    """It was made by an earlier run and costs nothing now."""


AskTarget = Callable[[Target, int], Awaitable[Answered]]
"""Asks a model for its n-th answer to the request at hand; raises `ModelError`."""
Check = Callable[[Completion], Awaitable[dict[str, bool]]]
"""Whether an answer passes, by the name of the check."""


async def follow(
    route: Route,
    request: RouteRequest,
    ask: AskTarget,
    check: Check,
    calls: list[RoutedCall] | None = None,
    early: "asyncio.Future[Completion] | None" = None,
) -> Completion:
    """The answer that a route serves, with every call that led to it.

    Args:
        route: policy and models.
        request: what the policy sees.
        ask: asks a model.
        check: checks an answer.
        calls: filled with the calls, also when no answer can be served, or nobody waits for it any longer.
        early: gets what is served, an answer or the error, before a model is asked that the user does not wait for.

    Raises:
        ModelError: of the reply that was to be served, when that is an error.
    """
    replies: list[Reply] = []
    calls = [] if calls is None else calls
    answers: list[Completion | ModelError] = []
    while isinstance(step := route.policy.next(request, replies), Ask):
        aside = step.meanwhile is not None
        if step.meanwhile is not None and early is not None and not early.done():
            _settle(early, step.meanwhile, calls, answers)
        began = time.perf_counter()
        target = route.targets[step.model]
        try:
            found = await ask(target, step.sample)
        except (ModelError, asyncio.CancelledError) as error:
            waited = 0.0 if aside else time.perf_counter() - began
            if not isinstance(error, ModelError):
                calls.append(RoutedCall(step.model, step.reason, waited, cost_usd=0.0, error=CANCELLED, attempts=1))
                raise
            replies.append(Reply(step.model, None, error.kind))
            calls.append(RoutedCall(step.model, step.reason, waited, cost_usd=0.0, error=error.kind, attempts=error.attempts))
            answers.append(error)
            continue
        completion = found.completion
        cost = completion.cost(target.price)
        attempts = 0 if found.reused else completion.attempts
        timing = 0.0 if aside else completion.latency_s
        calls.append(RoutedCall(step.model, step.reason, timing, cost, "", found.reused, attempts))
        checks = {} if aside else await check(completion)
        calls[-1] = replace(calls[-1], passed=all(checks.values()) if checks else None)
        replies.append(Reply(step.model, completion.text, checks=checks))
        answers.append(completion)
    return _served(step, calls, answers)


def _settle(
    early: "asyncio.Future[Completion]", step: Serve, calls: list[RoutedCall], answers: Sequence[Completion | ModelError]
) -> None:
    """Give the user what is served."""
    try:
        early.set_result(_served(step, calls, answers))
    except ModelError as error:
        early.set_exception(error)


def _served(step: Serve, calls: list[RoutedCall], answers: Sequence[Completion | ModelError]) -> Completion:
    """The answer that a step serves, with all calls so far; the one that gave it is marked.

    Raises:
        ModelError: it is an error.
    """
    served = answers[step.reply]
    attempts = sum(call.attempts for call in calls)
    if isinstance(served, ModelError):
        served.attempts = attempts
        raise served
    call = calls[step.reply]
    if not call.served:
        calls[step.reply] = replace(call, served=True, reason=f"{call.reason}; {step.reason}")
    made = [answer for answer in answers if isinstance(answer, Completion)]
    usages = [answer.usage for answer in made if answer.usage is not None]
    usage = sum(usages[1:], usages[0]) if usages else None
    latency, batched = sum(call.latency_s for call in calls), any(answer.batched for answer in made)
    return replace(served, usage=usage, latency_s=latency, attempts=attempts, route=tuple(calls), batched=batched)
