"""The filters, tests and methods that a template may use, each bounded before it can grow a value."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, cast

from jinja2 import filters as jinja_filters
from jinja2 import pass_environment
from jinja2 import tests as jinja_tests
from jinja2.exceptions import FilterArgumentError
from jinja2.sandbox import SandboxedEnvironment, SandboxedFormatter
from jinja2.utils import pass_eval_context

from llmops.prompting.budget import SCALARS, OverBudget, active, counted
from llmops.prompting.variables import Value

# mypy: disable-error-code="no-any-return"
MAX_WIDTH = 10_000
"""Columns that padding, indenting or a format specification may ask for."""
_PERCENT_SPEC = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")
_NUMBER = re.compile(r"\d+")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Left out on purpose: `attr` (attribute access), `random` (a prompt must render the same twice), `pprint`, `urlize`,
# `wordwrap`, `striptags`, `xmlattr` (time that grows faster than their input), `forceescape`.
_AS_IN_JINJA = _words(
    "abs batch capitalize count d default dictsort e escape filesizeformat first float groupby int items last "
    "length list lower map max min reject rejectattr reverse safe select selectattr slice sort string title trim "
    "truncate unique upper urlencode wordcount"
)
_TESTS_AS_IN_JINJA = _words(
    "boolean defined divisibleby eq equalto even false float ge greaterthan gt in integer iterable le lessthan "
    "lower lt mapping ne none number odd sameas sequence string true undefined upper"
)
_OPERATOR_TESTS = ("==", "!=", "<", "<=", ">", ">=")


def settle(value: Value) -> Value:
    """The result of a filter or call, counted; lazy sequences become lists and marked-up text plain text."""
    if type(value) in SCALARS and type(value) is not str:
        return value
    if isinstance(value, str):
        active.budget.spend(len(value))
        return value if type(value) is str else "".join((value, ""))
    if isinstance(value, Iterator) or type(value).__name__ in ("dict_items", "dict_keys", "dict_values"):
        value = list(counted(value))
    if isinstance(value, list | tuple | dict):
        active.budget.spend(len(value))
    return value


def _bounded(function: Callable[..., Any], *, data: bool = True) -> Callable[..., Any]:
    """`function` with its arguments weighed before, and its result counted after; `data` as in `Budget.weigh`."""
    skip = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*args: Value, **kwargs: Value) -> Value:
        budget = active.budget
        for value in (*args[skip:], *kwargs.values()):
            if type(value) not in SCALARS:
                budget.weigh(value, data=data)
        budget.step()
        return settle(function(*args, **kwargs))

    return bounded


def _width(value: Value) -> int:
    width = int(value)
    if abs(width) > MAX_WIDTH:
        raise OverBudget(f"a width of {width:,} was asked for; at most {MAX_WIDTH:,} are allowed.")
    return width


def center(value: str, width: int = 80) -> str:
    """Center a value in a field of `width` columns."""
    return str(value).center(_width(width))


def indent(value: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    """Indent the lines of a value, by default all but the first."""
    text = str(value)
    columns = len(width) if isinstance(width, str) else _width(width)
    active.budget.require((text.count("\n") + 1) * columns + len(text))
    return jinja_filters.do_indent(text, width, first, blank)


def replace(value: str, old: str, new: str, count: int = -1) -> str:
    """Replace a part of a text by another."""
    text, old, new = str(value), str(old), str(new)
    found = min(text.count(old), count) if count >= 0 else text.count(old)
    active.budget.require(len(text) + found * len(new))
    return text.replace(old, new, count)


def join(separator: str, values: Sequence[Any]) -> str:
    """`values` as one text with `separator` between them; the values are already weighed."""
    active.budget.require(len(separator) * len(values))
    return separator.join(map(str, values))


@pass_eval_context
def _join_filter(context: Value, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    values = list(value)
    if attribute is not None:
        values = [context.environment.getitem(item, attribute) for item in values]
        active.budget.weigh(values)
    return join(str(d), values)


def percent_format(value: str, arguments: Value) -> str:
    """`value % arguments`, widths and precisions bounded."""
    widest = 400  # the digits of the largest float
    for spec in _PERCENT_SPEC.finditer(value):
        for number in spec.groups():
            if number is not None:
                widest = max(widest, _width(MAX_WIDTH + 1 if number == "*" else number))
    budget = active.budget
    budget.require(value.count("%") * (budget.weigh(arguments, complete=True) + widest))
    return value % arguments


def _format_filter(value: str, *args: Value, **kwargs: Value) -> str:
    if args and kwargs:
        raise FilterArgumentError("can't handle positional and keyword arguments at the same time")
    return percent_format(str(value), kwargs or args)


class _Formatter(SandboxedFormatter):
    def format_field(self, value: Value, format_spec: str) -> Value:
        for number in _NUMBER.findall(format_spec):
            _width(number)
        text = super().format_field(value, format_spec)
        active.budget.spend(len(text))
        return text


def brace_format(environment: SandboxedEnvironment, text: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """`text.format(...)`, attributes sandboxed and widths bounded."""
    active.budget.weigh([args, kwargs], complete=True)
    return _Formatter(environment).vformat(text, args, kwargs)


def _round(value: float, precision: int = 0, method: Value = "common") -> float:
    if abs(precision) > 100:
        raise OverBudget(f"a precision of {precision} was asked for; at most 100 is allowed.")
    return jinja_filters.do_round(value, precision, method)


@pass_environment
def _sum(environment: Value, value: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> int | float:
    """The sum of numbers. Adding up lists takes time that grows with the square of their number."""
    items = [item if attribute is None else environment.getitem(item, attribute) for item in value]
    total: int | float = 0
    for item in [start, *items]:
        if not isinstance(item, int | float):
            raise FilterArgumentError(f"`sum` adds numbers; found {type(item).__name__}")
        total += item
    return total


def _tojson(value: Value, indent: int | None = None) -> str:
    """JSON as a model should read it: no HTML escapes, keys in their order."""
    if indent is not None and not 0 <= indent <= 8:
        raise OverBudget(f"an indent of {indent} was asked for; 0 to 8 are allowed.")
    active.budget.require(active.budget.weigh(value, complete=True) * (1 + (indent or 0) * 4))
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _batches(value: Iterable[Any], n: int, fill: Value, split: Callable[..., Any]) -> Value:
    _width(n)
    return split(value, n, fill)


def _batch(value: Iterable[Any], linecount: int, fill_with: Value = None) -> Value:
    return _batches(value, linecount, fill_with, jinja_filters.do_batch)


def _slice(value: Iterable[Any], slices: int, fill_with: Value = None) -> Value:
    return _batches(list(value), slices, fill_with, jinja_filters.sync_do_slice)


@pass_environment
def _truncate(
    environment: Value,
    value: str,
    length: int = 255,
    killwords: bool = False,
    end: str = "...",
    leeway: int | None = None,
) -> str:
    return jinja_filters.do_truncate(environment, str(value), length, killwords, end, leeway)


_FROM_JINJA: dict[str, Callable[..., Any]] = {name: jinja_filters.FILTERS[name] for name in _AS_IN_JINJA}
FILTERS: Mapping[str, Callable[..., Any]] = {
    name: _bounded(function)
    for name, function in (
        _FROM_JINJA
        | {"batch": _batch, "center": center, "format": _format_filter, "indent": indent, "join": _join_filter}
        | {"replace": replace, "round": _round, "slice": _slice, "sum": _sum, "tojson": _tojson, "truncate": _truncate}
    ).items()
}
TESTS: Mapping[str, Callable[..., Any]] = {
    name: _bounded(cast("Callable[..., Any]", jinja_tests.TESTS[name]), data=False)
    for name in (*_TESTS_AS_IN_JINJA, *_OPERATOR_TESTS)
}

_TEXT_METHODS = _words(
    "capitalize casefold count endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace "
    "istitle isupper lower lstrip partition removeprefix removesuffix rfind rpartition rsplit rstrip split "
    "splitlines startswith strip swapcase title upper"
)
METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset([*_TEXT_METHODS, "center", "format", "join", "ljust", "replace", "rjust", "zfill"]),
    dict: frozenset(["get", "items", "keys", "values"]),
    list: frozenset(["count", "index"]),
    tuple: frozenset(["count", "index"]),
}
"""Methods of values that a template may call; everything else is refused."""


def call_method(environment: SandboxedEnvironment, method: Value, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Value:
    """Call one of `METHODS`, its arguments weighed and its growth bounded."""
    owner, name = method.__self__, method.__name__
    for value in (*args, *kwargs.values()):
        if type(value) not in SCALARS:
            active.budget.weigh(value)
    if type(owner) is str:
        if name == "format":
            return settle(brace_format(environment, owner, args, kwargs))
        if name == "replace":
            return settle(replace(owner, *args, **kwargs))
        if name == "join":
            return settle(owner.join([*args[0]]) if len(args) != 1 else join(owner, list(args[0])))
        if name in ("center", "ljust", "rjust", "zfill") and args:
            _width(args[0])
    elif type(owner) is not dict:
        active.budget.weigh(owner)
    return settle(method(*args, **kwargs))
