"""What a route has spent and seen so far: the only thing that its policy does not decide from the request alone."""

from collections.abc import Iterable, Mapping

from llmops.domain.models import RoutedCall
from llmops.domain.routing import Tally


class RouteMemory:
    """Of one run, or of one process that serves."""

    def __init__(self) -> None:
        self.spent_usd = 0.0
        """Answers that an earlier run had paid for cost nothing."""
        self._tallies: dict[str, Tally] = {}

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """How the answers of each model fared, by its name."""
        return self._tallies

    def note(self, calls: Iterable[RoutedCall], *, quality: float | None = None) -> None:
        """Count the calls of one request.

        Args:
            calls: of the request.
            quality: what somebody said that the served answer was worth, 0 to 1; it takes the place of the checks.
        """
        for call in calls:
            cost = call.cost_usd or 0.0
            self.spent_usd += 0.0 if call.reused else cost
            worth = 0.0 if call.error else quality if call.served and quality is not None else call.passed
            if worth is not None:
                so_far = self._tallies.get(call.model, Tally())
                self._tallies[call.model] = Tally(so_far.good + worth, so_far.bad + 1 - worth, so_far.cost_usd + cost)
