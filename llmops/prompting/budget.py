"""What one rendering may use: characters, work, steps and time."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from jinja2 import Undefined
from jinja2.exceptions import TemplateRuntimeError

from llmops.domain.records import record
from llmops.prompting.variables import Value

MAX_DEPTH = 64
"""Levels of nesting that a value may have."""
WORK_PER_OUTPUT = 5
"""Characters and items that filters and operators may produce for each character that may be output."""

ITEM = 8
"""Characters that an item of a list counts for."""

SCALARS = frozenset({str, int, float, bool, type(None)})


@record
class Limits:
    """Bounds on one rendering."""

    output: int = 2_000_000
    """Characters a template may write beyond those of the values it was given."""
    steps: int = 250_000
    """Loop iterations, calls and includes together; nested loops multiply."""
    seconds: float = 5.0
    """Wall time."""


class OverBudget(TemplateRuntimeError):
    """A rendering reached one of its limits."""


class Budget:
    """Counts down while one rendering runs."""

    __slots__ = ("deadline", "limits", "room", "steps", "work")

    def __init__(self, limits: Limits, given: int) -> None:
        """Args: `limits`; `given`, the characters of the values that are passed in."""
        self.limits = limits
        self.room = limits.output + given
        self.work = WORK_PER_OUTPUT * self.room
        self.steps = limits.steps
        self.deadline = time.monotonic() + limits.seconds

    def step(self, n: int = 1) -> None:
        """Count `n` steps and look at the clock."""
        self.steps -= n
        if self.steps < 0:
            raise OverBudget(f"more than {self.limits.steps:,} loop iterations and calls.")
        if time.monotonic() > self.deadline:
            raise OverBudget(f"rendering takes longer than {self.limits.seconds:g} s.")

    def require(self, n: int) -> None:
        """Refuse an operation that would produce `n` characters or items, before it does."""
        if n > self.work:
            raise OverBudget(f"an expression would produce more than the {self.work:,} characters that are left to it.")

    def spend(self, n: int) -> None:
        """Count `n` characters or items that an expression produced."""
        self.require(n)
        self.work -= n

    def write(self, n: int) -> None:
        """Count `n` characters of output."""
        self.room -= n
        if self.room < 0:
            raise OverBudget(f"the output is longer than {self.limits.output:,} characters.")

    def weigh(self, value: Value, *, complete: bool = False, data: bool = True) -> int:
        """Characters and items of `value`, shared parts counted each time they would be written; counted as work.

        A list that holds another twice, thirty times over, is small in memory and 2**30 items when printed or compared.

        Args:
            value: any template value.
            complete: refuse undefined parts.
            data: refuse what is not data, such as functions, whose text would differ from process to process.
        """
        total = 0
        level: list[_Shared] = [((value,), 1)]
        for _ in range(MAX_DEPTH):
            size, level = _one_level(level, complete, data)
            self.spend(size)
            self.step()
            total += size
            if not level:
                return total
        raise OverBudget(f"a value is nested deeper than {MAX_DEPTH} levels.")


_Shared = tuple[Iterable[Value], int]
"""What a list holds, and how often it would be written. A part that many share is looked at once."""


def _one_level(level: Iterable[_Shared], complete: bool, data: bool) -> tuple[int, list[_Shared]]:
    total = 0
    below: dict[int, _Shared] = {}
    for items, times in level:
        size = 0
        for item in items:
            kind = type(item)
            if kind is str:
                size += len(item)
            elif kind in SCALARS:
                size += ITEM
            elif isinstance(item, dict | list | tuple | set | frozenset):
                size += ITEM
                parts = chain(item, item.values()) if isinstance(item, dict) else item
                before = below[id(item)][1] if id(item) in below else 0
                below[id(item)] = (parts, before + times)
            elif isinstance(item, Undefined):
                if complete:
                    str(item)  # raises, with the name
            elif data and type(item) is not range:
                raise TemplateRuntimeError(f"a {kind.__name__} is not data: it cannot be printed, compared or filtered.")
        total += size * times
    return total, list(below.values())


class _Active(threading.local):
    budget: Budget


active = _Active()
"""The budget of the rendering that runs in this thread. Not in the template's context: imported macros have their own."""


def counted(iterable: Iterable[Any]) -> Iterator[Any]:
    """`iterable`, each item one step."""
    budget = active.budget
    for item in iterable:
        budget.step()
        yield item
