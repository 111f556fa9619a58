"""Takes one request along a route: asks the models that the policy names, and hands it what came back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from llmops.domain.errors import ModelError
from llmops.domain.models import Completion, RoutedCall
from llmops.domain.records import record
from llmops.domain.routing import Ask, Reply, RouteRequest
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
    route: Route, request: RouteRequest, ask: AskTarget, check: Check, calls: list[RoutedCall] | None = None
) -> Completion:
    """The answer that a route serves, with every call that led to it.

    Args:
        route: policy and models.
        request: what the policy sees.
        ask: asks a model.
        check: checks an answer.
        calls: filled with the calls, also when no answer can be served, or nobody waits for it any longer.

    Raises:
        ModelError: of the reply that was to be served, when that is an error.
    """
    replies: list[Reply] = []
    calls = [] if calls is None else calls
    answers: list[Completion | ModelError] = []
    while isinstance(step := route.policy.next(request, replies), Ask):
        began = time.perf_counter()
        target = route.targets[step.model]
        try:
            found = await ask(target, step.sample)
        except ModelError as error:
            waited = time.perf_counter() - began
            replies.append(Reply(step.model, None, error.kind))
            calls.append(RoutedCall(step.model, step.reason, waited, cost_usd=0.0, error=error.kind, attempts=error.attempts))
            answers.append(error)
            continue
        except asyncio.CancelledError:
            waited = time.perf_counter() - began
            calls.append(RoutedCall(step.model, step.reason, waited, cost_usd=0.0, error=CANCELLED, attempts=1))
            raise
        completion = found.completion
        price = target.price
        cost = None if price is None else price.cost(completion.usage, completion.latency_s)
        attempts = 0 if found.reused else completion.attempts
        timing = 0.0 if step.aside else completion.latency_s
        calls.append(RoutedCall(step.model, step.reason, timing, cost, "", found.reused, attempts))
        checks = {} if step.aside else await check(completion)
        calls[-1] = replace(calls[-1], passed=all(checks.values()) if checks else None)
        replies.append(Reply(step.model, completion.text, checks=checks))
        answers.append(completion)
    served = answers[step.reply]
    attempts = sum(call.attempts for call in calls)
    if isinstance(served, ModelError):
        served.attempts = attempts
        raise served
    calls[step.reply] = replace(calls[step.reply], served=True, reason=f"{calls[step.reply].reason}; {step.reason}")
    usages = [answer.usage for answer in answers if isinstance(answer, Completion) and answer.usage is not None]
    usage = sum(usages[1:], usages[0]) if usages else None
    return replace(served, usage=usage, latency_s=sum(c.latency_s for c in calls), attempts=attempts, route=tuple(calls))
