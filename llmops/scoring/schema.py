"""JSON held against a JSON Schema; bounded, and without ever reading a reference from elsewhere."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

from llmops.domain.keys import canonical
from llmops.scoring.matching import compiled

TIMEOUT_S = 2.0
"""Bound on one validation."""
MAX_PROBLEMS = 5

_deadline: ContextVar[float] = ContextVar("deadline")

Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


class Validator(Protocol):
    """A schema that is ready to be held against values."""

    def iter_errors(self, instance: Any, /) -> Iterator[Any]:  # noqa: ANN401 -- a JSON value
        """The violations, lazily."""
        ...


def validator(schema: Mapping[str, Any]) -> Validator:
    """A validator of the dialect that `$schema` names, by default 2020-12.

    Raises:
        ValueError: not a JSON Schema, a dialect that is not known, or a reference out of the schema.
    """
    import jsonschema
    from jsonschema import FormatChecker
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing.jsonschema import EMPTY_REGISTRY  # noqa: PLC0415 -- comes with jsonschema, and is as slow

    unknown: Any = None
    dialect: Any = validator_for(dict(schema), default=unknown)
    if dialect is None and "$schema" in schema:
        raise ValueError(f"names a dialect that is not known: {schema['$schema']!r}")
    dialect = dialect or Draft202012Validator
    try:
        dialect.check_schema(schema, format_checker=FormatChecker(()))  # Python's `re` would refuse patterns such as \\p{L}
        _check(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"is not a JSON Schema: {error.message} (at {_pointer(error.absolute_path)})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    bounded: Validator = _bounded(dialect)(schema, registry=EMPTY_REGISTRY)
    return bounded


def problems(checked: Validator, value: Any) -> list[str]:  # noqa: ANN401 -- a JSON value
    """What does not fit the schema, at most `MAX_PROBLEMS`, each with its place.

    Raises:
        TimeoutError: the validation took longer than `TIMEOUT_S`.
        ValueError: the schema refers to something that it does not hold.
    """
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 -- as above

    token = _deadline.set(time.monotonic() + TIMEOUT_S)
    found: list[str] = []
    try:
        for error in checked.iter_errors(value):
            message = error.message if len(error.message) <= 200 else f"{error.message[:197]}..."
            found.append(f"{_pointer(error.absolute_path)}: {message}")
            if len(found) == MAX_PROBLEMS:
                break
    except Unresolvable as error:
        raise ValueError(f"the schema has no '#{error.ref.lstrip('#')}'") from None
    except RecursionError:
        raise ValueError("the schema and the answer are nested too deeply") from None
    finally:
        _deadline.reset(token)
    return found


def _pointer(path: Any) -> str:  # noqa: ANN401 -- a deque of keys
    return "/" + "/".join(str(part) for part in path)


def _check(schema: Any) -> None:  # noqa: ANN401 -- a JSON value
    """Refuse references out of the schema, and patterns that do not compile."""
    if isinstance(schema, list):
        for item in schema:
            _check(item)
    if not isinstance(schema, Mapping):
        return
    for key, value in schema.items():
        if key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str) and not value.startswith("#"):
            raise ValueError(f"refers to {value!r}; only references inside the schema, such as #/$defs/x, are followed")
        if key == "pattern" and isinstance(value, str):
            _check_compiles(value)
        if key == "patternProperties" and isinstance(value, Mapping):
            for pattern in value:
                _check_compiles(str(pattern))
            if "unevaluatedProperties" in schema:
                raise ValueError("has `unevaluatedProperties` beside `patternProperties`, which cannot be bounded in time")
        if key not in ("const", "enum", "default", "examples"):
            _check(value)


def _check_compiles(pattern: str) -> None:
    try:
        compiled(pattern)
    except ValueError as error:
        raise ValueError(f"has the pattern {pattern!r}, which {error}") from None


@lru_cache(maxsize=256)
def _pattern(text: str) -> Callable[[str], bool]:
    pattern = compiled(text)

    def found(value: str) -> bool:
        left = _deadline.get() - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return pattern.search(value, timeout=left) is not None

    return found


@lru_cache(maxsize=8)
def _bounded(dialect: Any) -> Any:  # noqa: ANN401 -- a class that jsonschema makes
    """The dialect with a look at the clock before each keyword, and with patterns that cannot run away."""
    from jsonschema.validators import extend

    own: dict[str, Keyword] = {
        "pattern": _check_pattern,
        "patternProperties": _check_pattern_properties,
        "additionalProperties": _check_additional_properties,
        "multipleOf": _check_multiple,
        "uniqueItems": _check_unique,
    }
    keywords = {name: _timed(own.get(name, check)) for name, check in dialect.VALIDATORS.items()}
    return extend(dialect, keywords)  # type: ignore[no-untyped-call]


def _timed(check: Keyword) -> Keyword:
    def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any] | None:  # noqa: ANN401
        if time.monotonic() > _deadline.get():
            raise TimeoutError
        return check(validator, value, instance, schema)

    return timed


def _check_pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _pattern(pattern)(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _check_pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(instance, dict):
        for pattern, below in patterns.items():
            for name, value in instance.items():
                if _pattern(pattern)(name):
                    yield from validator.descend(value, below, path=name, schema_path=pattern)


def _check_additional_properties(validator: Any, below: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    from jsonschema import ValidationError

    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [name for name in instance if name not in known and not any(_pattern(pattern)(name) for pattern in patterns)]
    if below is False and extra:
        yield ValidationError(f"unexpected: {', '.join(map(repr, extra[:5]))}")
    elif isinstance(below, dict):
        for name in extra:
            yield from validator.descend(instance[name], below, path=name)


def _check_multiple(validator: Any, step: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    """In decimal, as the numbers are written: 19.99 is a multiple of 0.01, though not in binary."""
    from jsonschema import ValidationError

    if isinstance(instance, int | float) and not isinstance(instance, bool) and not _divides(step, instance):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def _divides(step: float, value: float) -> bool:
    finite = all(isinstance(each, int) or math.isfinite(each) for each in (step, value))
    return finite and Fraction(repr(value)) % Fraction(repr(step)) == 0


def _check_unique(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401
    from jsonschema import ValidationError

    if unique and isinstance(instance, list) and len({canonical(_plain_numbers(item)) for item in instance}) < len(instance):
        yield ValidationError("has the same item twice")


def _plain_numbers(value: Any) -> Any:  # noqa: ANN401 -- a JSON value
    """1.0 and 1 are one number in JSON Schema."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    return {key: _plain_numbers(item) for key, item in value.items()} if isinstance(value, dict) else value
