"""All kinds of evaluators, and how the entries of a suite become evaluators."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from json import JSONDecoder, dumps
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.evaluation.evaluators.base import BuiltEvaluator, Figures, Kind, Services, WrongOption, outside
from llmops.settings.positions import Positions
from llmops.settings.suite import COMMON_OPTIONS, EvaluatorSpec
from llmops.settings.validation import Strict, nearest, validated

NAMES = (
    "equals",
    "contains",
    "regex",
    "json-schema",
    "tool-calls",
    "similarity",
    "overlap",
    "refusal",
    "over-refusal",
    "citations",
    "hallucination",
    "toxicity",
    "bias",
    "pii",
    "secrets",
    "prompt-leakage",
    "injection",
    "language",
    "readability",
    "retrieval",
    "rubric",
    "criteria",
    "pairwise",
    "answer-relevance",
    "context-relevance",
    "context-recall",
    "correctness",
    "completeness",
    "tone",
    "policy",
    "latency",
    "tokens",
    "perplexity",
    "cost",
    "python",
)
"""Each kind is the `KIND` of the module of its name, which is loaded when a suite asks for it."""


@cache
def kind(name: str) -> Kind:
    """The kind of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in NAMES:
        raise UsageError(f"No evaluator is called {name!r}.", hint=nearest(name, NAMES))
    found: Kind = import_module(f"{__package__}.{name.replace('-', '_')}").KIND
    return found


def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order of `NAMES`."""
    return tuple(map(kind, NAMES))


def check_evaluators(specs: Sequence[EvaluatorSpec], positions: Positions, root: Path | None = None) -> None:
    """Validate the entries of a suite without building anything.

    Args:
        specs: entries of one suite.
        positions: of the file they stand in.
        root: the project's root; None leaves the files that options name unread.

    Raises:
        InvalidFiles: with every problem, not only the first.
    """
    _checked(specs, positions, root)


def build_evaluators(specs: Sequence[EvaluatorSpec], positions: Positions, services: Services) -> list[BuiltEvaluator]:
    """The entries of a suite as evaluators, in order.

    Raises:
        InvalidFiles: unknown kinds and options that cannot be used: every problem, not only the first.
    """
    built: list[BuiltEvaluator] = []
    problems: list[Problem] = []
    for spec, each, options in _checked(specs, positions, services.root):
        try:
            evaluator, fields = each.build(options, services), tuple(each.fields_of(options).values())
            built.append(BuiltEvaluator(spec, each, evaluator, each.figures_of(options), fields))
        except UsageError as error:
            problems.append(_located(error, spec, positions))
    if problems:
        raise InvalidFiles(problems)
    return built


def _checked(
    specs: Iterable[EvaluatorSpec], positions: Positions, root: Path | None
) -> list[tuple[EvaluatorSpec, Kind, Strict]]:
    checked: list[tuple[EvaluatorSpec, Kind, Strict]] = []
    problems: list[Problem] = []
    for spec in specs:
        try:
            each = kind(spec.kind)
            options = _options(each, spec, positions)
            if each.check is not None and root is not None:
                each.check(options, root)
            checked.append((spec, each, options))
        except InvalidFiles as error:
            problems += error.problems
        except UsageError as error:
            problems.append(_located(error, spec, positions))
    if problems:
        raise InvalidFiles(problems)
    return checked


def _options(each: Kind, spec: EvaluatorSpec, positions: Positions) -> Strict:
    """The entry's own options; an unknown key may have been meant as one of the common options."""
    known = [field.alias or name for name, field in each.options.model_fields.items()]
    if spec.wrong is not None:
        raise InvalidFiles([replace(spec.wrong, hint=nearest("", [*known, *COMMON_OPTIONS]))])
    problems = [
        positions.problem((*spec.at, name), "unknown key.", hint=nearest(name, [*known, *COMMON_OPTIONS]))
        for name in map(str, spec.options)
        if name not in known
    ]
    low, high = spec.common.min, spec.common.max
    if low is not None and high is not None and low > high:
        found = f"{low:g} is above `max`, which is {high:g}: no value could pass."
        problems.append(positions.problem((*spec.at, "min"), found))
    options: Strict | None = None
    try:
        options = validated(each.options, {k: v for k, v in spec.options.items() if k in known}, positions, at=spec.at)
    except InvalidFiles as error:
        problems += error.problems
    if options is not None:
        problems += _impossible_limits(each, spec, options, positions)
    if spec.common.of is not None and "answer" not in each.reads:
        problems.append(
            positions.problem((*spec.at, "of"), f"`{each.name}` does not read the answer, so it takes no field of it.")
        )
    if problems or options is None:
        raise InvalidFiles(problems)
    return options


def _impossible_limits(each: Kind, spec: EvaluatorSpec, options: Strict, positions: Positions) -> Iterator[Problem]:
    """Limits that every value passes, or none."""
    bounds = each.figures_of(options).value
    for key, limit in (("min", spec.common.min), ("max", spec.common.max)):
        if limit is not None and (told := outside(limit, f"a value of `{spec.name}`", bounds)) is not None:
            yield positions.problem((*spec.at, key), told[0], hint=told[1])


def options_of(spec: EvaluatorSpec) -> tuple[Kind, Strict] | None:
    """The kind of an entry and its own options; None where it is not valid, which whoever builds it tells."""
    try:
        each = kind(spec.kind)
        return each, _options(each, spec, Positions("", {}))
    except UsageError:
        return None


def recorded(identity: str) -> tuple[Kind, Figures] | None:
    """The kind of an evaluator and what its scores hold, by the identity that a run recorded; None: no longer known."""
    try:
        (name, _, options, *_), _ = JSONDecoder().raw_decode(identity)
        each = kind(name)
        options.pop("of", None)
        return each, each.figures_of(each.options.model_validate_json(dumps(options)))
    except (ValueError, TypeError, UsageError):
        return None


def known_by(snapshot: Mapping[str, Any], name: str) -> tuple[Kind, Figures] | None:
    """The kind of a run's evaluator, and what its scores hold; one of a single case is known where it is called as its kind.

    Args:
        snapshot: as the run recorded it.
        name: of the evaluator.
    """
    told = snapshot.get("evaluators", {}).get(name)
    if told is not None:
        return recorded(told["identity"])
    return (kind(name), Figures()) if name in NAMES else None


def _located(error: UsageError, spec: EvaluatorSpec, positions: Positions) -> Problem:
    at = (*spec.at, error.key) if isinstance(error, WrongOption) else spec.at
    return positions.located(at, error)
