"""The user's own function as an evaluator."""

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import field_validator

from llmops.domain.errors import UsageError
from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.domain.serial import plain
from llmops.evaluation.evaluators.base import ANY, SHARE, Bounds, Figures, Kind, Services, WrongOption, identity, within
from llmops.evaluation.evaluators.excerpts import cut
from llmops.settings.functions import Function, FunctionName, find_function
from llmops.settings.secrets import masked
from llmops.settings.stdout import as_user
from llmops.settings.validation import Number, Strict

PASSED = "passed"
RETURNS = "a bool, a number, None, or a mapping with `value` or `passed`, and `reason`, was expected"


class PythonOptions(Strict):
    """Options of `python`."""

    function: FunctionName
    range: tuple[Number, Number] | None = None
    """Smallest and largest value that it returns."""
    lower_is_better: bool = False

    @field_validator("range", mode="before")
    @classmethod
    def _pair(cls, given: object) -> object:
        if given is not None and not (isinstance(given, list | tuple) and len(given) == 2):
            raise ValueError("two numbers were expected, the smallest and the largest value, such as [0, 10]")
        return tuple(given) if isinstance(given, list) else given

    @field_validator("range")
    @classmethod
    def _ascending(cls, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given is not None and given[0] >= given[1]:
            raise ValueError("the smallest value comes first, and the largest is above it, such as [0, 10]")
        return given


@record
class Python:
    """Value: what the function returns for one answer."""

    options: PythonOptions
    source: Function
    code_hash: str
    function: Callable[[dict[str, Any]], Any]

    @property
    def identity(self) -> str:
        """The function's name and its code."""
        return identity("python", 1, self.options, self.code_hash)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Call the function with plain data; one that is not async runs in a thread."""
        argument = _argument(sample)
        with as_user():
            if inspect.iscoroutinefunction(self.function):
                returned, error = await _awaited(self.function(argument))
            else:
                returned, error = await asyncio.to_thread(_call, self.function, argument)
            if inspect.isawaitable(returned):  # it is async behind a decorator, or an object
                returned, error = await _awaited(returned)
        if error is not None:
            return Failure(f"{type(error).__name__}: {masked(str(error))}{self.source.line_of(error)}")
        return _outcome(returned, self.options.range)


async def _awaited(returned: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    try:
        return await returned, None
    except (Exception, SystemExit) as error:
        return None, error


def _call(function: Callable[[dict[str, Any]], Any], argument: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """What the function returns or raises; a StopIteration that leaves its thread would never reach the caller."""
    try:
        return function(argument), None
    except (Exception, SystemExit) as error:
        return None, error


def _argument(sample: Sample) -> dict[str, Any]:
    """What the function sees: copies, so that it cannot change the run. No id and no timing: its result is stored."""
    case = sample.case
    return {
        "output": sample.completion.text,
        "vars": plain(case.vars),
        "expected": plain(case.expected),
        "contexts": [{"text": hit.text, "source": hit.source} for hit in sample.hits],
        "metadata": plain(case.metadata),
        "tags": list(case.tags),
    }


def _outcome(returned: Any, bounds: Bounds | None) -> Outcome:  # noqa: ANN401 -- whatever a function returns
    if returned is None:
        return Unmeasured("the function returned None: it does not apply to this case")
    found = returned if isinstance(returned, Mapping) else {"value": returned}
    unknown = set(found) - {"value", "reason", PASSED}
    value, passed = found.get("value"), found.get(PASSED)
    if isinstance(value, bool) and passed is None:
        passed = value
    if value is None and isinstance(passed, bool):
        value = passed
    if unknown or not isinstance(value, int | float) or not (passed is None or isinstance(passed, bool)):
        return Failure(f"the function returned {cut(masked(repr(returned)), 80)}; {RETURNS}")
    if not math.isfinite(value):
        return Failure(f"the function returned {value}, which is not a finite number")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        return Failure(f"the function returned {value:g}; `range` says that it lies {within(bounds)}")
    reason = found.get("reason")
    return Score(
        float(value), "" if reason is None else masked(str(reason)), parts={} if passed is None else {PASSED: float(passed)}
    )


def _check(options: PythonOptions, root: Path) -> Function:
    """The function, without running its file."""
    try:
        return find_function(options.function, root)
    except UsageError as error:
        raise WrongOption("function", error.message, hint=error.hint) from None


def _build(options: PythonOptions, services: Services) -> Python:
    found = _check(options, services.root)
    try:
        return Python(options, found, found.code_hash(), found.load())
    except UsageError as error:
        raise WrongOption("function", error.message, hint=error.hint) from error


def _figures(options: PythonOptions) -> Figures:
    return Figures(options.range or ANY, {PASSED: SHARE}, options.lower_is_better)


KIND = Kind(
    "python",
    "The user's own function.",
    PythonOptions,
    _build,
    _check,
    verdict=PASSED,
    cached=True,
    figures=_figures,
)
