"""Does the answer call the tools that it should?"""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import SHARE, FieldName, Figures, Kind, Services, identity, shape
from llmops.evaluation.evaluators.excerpts import shortened
from llmops.scoring.tool_calls import MOST, Arguments, Call, call_of, calls_in, pairs
from llmops.settings.validation import Strict


class ExpectedCall(Strict):
    """One call of a tool."""

    name: str = Field(min_length=1)
    arguments: Any = None
    """None: any will do."""


class ToolCallsOptions(Strict):
    """Options of `tool-calls`."""

    to: Annotated[
        FieldName | Annotated[list[str | ExpectedCall], Field(max_length=MOST), Tag("list")], Discriminator(shape)
    ] = "expected"
    """A field of the case that holds calls, or a list of them: names, or mappings of `name` and `arguments`."""
    arguments: Arguments = "exact"
    ordered: bool = False
    """The order counts."""
    others: bool = False
    """Calls beside the expected ones do not count."""


@record
class ToolCalls:
    """Value: F1 of the calls that are made and those that should be; with `others` the share of those that should be."""

    options: ToolCallsOptions

    @property
    def identity(self) -> str:
        """The options."""
        return identity("tool-calls", 1, self.options)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Pair the calls of the answer with the expected ones."""
        wanted = self._wanted(sample)
        if not isinstance(wanted, list):
            return wanted
        found = calls_in(sample.completion.text)
        met = pairs(found, wanted, self.options.arguments, ordered=False)
        missing = [call for of, call in enumerate(wanted) if of not in met.values()]
        more = [call for at, call in enumerate(found) if at not in met]
        paired = pairs(found, wanted, self.options.arguments, ordered=True) if self.options.ordered else met
        parts = {
            "precision": len(paired) / len(found) if found else float(not wanted),
            "recall": len(paired) / len(wanted) if wanted else 1.0,
        }
        value = 2 * len(paired) / (len(found) + len(wanted)) if found or wanted else 1.0
        if self.options.others:
            value, more = parts["recall"], []
        told = ["in another order"] if len(paired) < len(met) else []
        told += [f"{what}: {_listed(calls)}" for what, calls in (("not called", missing), ("not expected", more)) if calls]
        return Score(value, "; ".join(told) or f"called: {_listed(found) or 'nothing'}", parts=parts)

    def _wanted(self, sample: Sample) -> list[Call] | Failure | Unmeasured:
        to = self.options.to
        if not isinstance(to, str):
            return [Call(each) if isinstance(each, str) else Call(each.name, each.arguments) for each in to]
        try:
            given = sample.case.field(to)
        except KeyError:
            return Unmeasured(f"the case has no `{to}`")
        if given is None:
            return Unmeasured(f"the case's `{to}` is empty")
        calls = [call_of(each) for each in (given if isinstance(given, list | tuple) else [given])]
        known = [call for call in calls if call is not None]
        if len(known) < len(calls):
            return Failure(
                f"the case's `{to}` holds more than calls: a name, or a mapping of `name` and `arguments`, was expected"
            )
        return known


def _listed(calls: list[Call]) -> str:
    return ", ".join(shortened(str(call)) for call in calls[:3]) + (" ..." if len(calls) > 3 else "")


def _build(options: ToolCallsOptions, services: Services) -> ToolCalls:
    return ToolCalls(options)


KIND = Kind(
    "tool-calls",
    "Does the answer call the tools that it should?",
    ToolCallsOptions,
    _build,
    min=1.0,
    figures=Figures(SHARE, {"precision": SHARE, "recall": SHARE}),
    fields=("to",),
)
