"""`llmops route explain`: what a route would do with a prompt, before any model is asked."""

from datetime import datetime

from llmops.domain.routing import Ask, Decision, RouteRequest
from llmops.evaluation.planning import Route
from llmops.settings.routes import CascadeRoute, FallbackRoute, RouteSettings, ShadowRoute


def explain(settings: RouteSettings, route: Route, prompt: str, tags: tuple[str, ...], key: str) -> Decision:
    """What the policy does first, and what would make it go on."""
    request = RouteRequest(prompt, key, tags, 0.0, datetime.now().time())
    step = route.policy.next(request, [])
    if not isinstance(step, Ask):
        raise TypeError("a policy serves nothing before the first reply")
    return Decision(settings.kind, tuple(settings.models), step.model, step.reason, _then(settings))


def _then(settings: RouteSettings) -> str:
    following = " -> ".join(settings.models[1:])
    if isinstance(settings, FallbackRoute):
        return f"goes on to {following} when it gives no answer"
    if isinstance(settings, CascadeRoute):
        names = [entry if isinstance(entry, str) else next(iter(entry)) for entry in settings.escalate_when]
        wrong = [f"its answer does not pass {name}" for name in names]
        if settings.agreement is not None:
            wrong.append(f"fewer than {100 * settings.agreement:g} % of {settings.samples} answers agree")
        return f"goes on to {following} when {' or '.join(wrong)}, or when it gives no answer"
    if isinstance(settings, ShadowRoute):
        return f"{settings.models[1]} answers beside it and is not served"
    return "its answer is served"
