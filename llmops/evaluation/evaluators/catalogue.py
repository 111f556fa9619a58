"""All kinds of evaluators, and how the entries of a suite become evaluators."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.evaluation.evaluators import (
    answer_relevance,
    bias,
    citations,
    completeness,
    contains,
    context_relevance,
    cost,
    criteria,
    equals,
    hallucination,
    injection,
    json_schema,
    language,
    latency,
    over_refusal,
    pairwise,
    perplexity,
    pii,
    policy,
    prompt_leakage,
    python,
    readability,
    refusal,
    regex,
    retrieval,
    rubric,
    secrets,
    similarity,
    tokens,
    tone,
    toxicity,
)
from llmops.evaluation.evaluators.base import BuiltEvaluator, Kind, Services, WrongOption
from llmops.settings.positions import Positions
from llmops.settings.suite import COMMON_OPTIONS, EvaluatorSpec
from llmops.settings.validation import Strict, nearest, validated

KINDS: tuple[Kind, ...] = (
    equals.KIND,
    contains.KIND,
    regex.KIND,
    json_schema.KIND,
    similarity.KIND,
    refusal.KIND,
    over_refusal.KIND,
    citations.KIND,
    hallucination.KIND,
    toxicity.KIND,
    bias.KIND,
    pii.KIND,
    secrets.KIND,
    prompt_leakage.KIND,
    injection.KIND,
    language.KIND,
    readability.KIND,
    retrieval.KIND,
    rubric.KIND,
    criteria.KIND,
    pairwise.KIND,
    answer_relevance.KIND,
    context_relevance.KIND,
    completeness.KIND,
    tone.KIND,
    policy.KIND,
    latency.KIND,
    tokens.KIND,
    perplexity.KIND,
    cost.KIND,
    python.KIND,
)


def kind(name: str) -> Kind:
    """The kind of this name.

    Raises:
        UsageError: there is none.
    """
    for each in KINDS:
        if each.name == name:
            return each
    raise UsageError(f"No evaluator is called {name!r}.", hint=nearest(name, [each.name for each in KINDS]))


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
            built.append(BuiltEvaluator(spec, each, each.build(options, services)))
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
    if problems or options is None:
        raise InvalidFiles(problems)
    return options


def _located(error: UsageError, spec: EvaluatorSpec, positions: Positions) -> Problem:
    at = (*spec.at, error.key) if isinstance(error, WrongOption) else spec.at
    return positions.problem(at, error.message, hint=error.hint)
