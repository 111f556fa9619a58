"""A configured route on recorded answers: the policy decides, the records answer, no model is asked."""

from math import isnan

from llmops.domain.models import RoutedCall
from llmops.domain.records import record
from llmops.domain.routing import Ask, Policy, Reply, RouteRequest
from llmops.routing.memory import RouteMemory
from llmops.routing.policies import weighs_cost
from llmops.routing.records import Records


@record
class Steps:
    """What a route did with one request; columns of the records' models."""

    asked: tuple[int, ...]
    waited: tuple[int, ...]
    """Without those that answered in the shadow."""
    served: int
    calls: tuple[RoutedCall, ...]
    """The same, for the route's memory."""


@record
class RecordedRoute:
    """A policy with the checks that it needs to have been recorded."""

    policy: Policy
    checks: tuple[str, ...] = ()
    """Names of evaluators."""
    notes: tuple[str, ...] = ()
    """What the reader of a report should know."""

    def steps(self, records: Records, row: int, memory: RouteMemory) -> Steps | str:
        """What the policy does with a request, or why the records cannot tell."""
        text, key, tags = records.prompts[row], records.groups[row], records.tags[row]
        request = RouteRequest(text, key, tags, memory.spent_usd, tallies=memory.tallies)
        replies: list[Reply] = []
        asked: list[int] = []
        waited: list[int] = []
        calls: list[RoutedCall] = []
        while isinstance(step := self.policy.next(request, replies), Ask):
            if step.model not in records.models:
                return f"{step.model} was not recorded"
            if step.sample:
                return f"further samples of {step.model} were not recorded"
            recorded = records.answers[row][step.model]
            missing = [name for name in self.checks if name not in recorded.checks]
            if missing and step.meanwhile is None and recorded.answered:
                return f"the check {missing[0]!r} of {step.model}'s answers was not recorded"
            column = records.models.index(step.model)
            cost = float(records.cost[row, column])
            if isnan(cost) and weighs_cost(self.policy):
                return f"the cost of {step.model} is not known"
            checks = {name: recorded.checks[name] for name in self.checks if name in recorded.checks}
            replies.append(Reply(step.model, "" if recorded.answered else None, "no answer", checks))
            passed = all(checks.values()) if checks and step.meanwhile is None else None
            error = "" if recorded.answered else "no answer"
            paid = None if isnan(cost) else cost
            calls.append(RoutedCall(step.model, step.reason, recorded.latency or 0.0, paid, error, passed=passed))
            asked.append(column)
            if step.meanwhile is None:
                waited.append(column)
        return Steps(tuple(asked), tuple(waited), asked[step.reply], tuple(calls))
