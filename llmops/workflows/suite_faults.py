"""Parts of a suite that do not fit together, so that a gate would be green without having judged anything."""

from collections.abc import Iterable, Iterator, Sequence

from llmops.domain.cases import FIELDS, HISTORY, Case
from llmops.domain.errors import Problem
from llmops.evaluation.datasets import Dataset
from llmops.evaluation.evaluators.catalogue import options_of
from llmops.evaluation.planning import Plan
from llmops.evaluation.suite_metrics import refused_rules
from llmops.prompting.needs import always_read, in_single_braces
from llmops.prompting.syntax import CONTEXTS
from llmops.prompting.template import PromptVersion
from llmops.settings.suite import RECORDED, EvaluatorSpec, Suite, SuiteSettings
from llmops.settings.validation import nearest

SHOWN_FIELDS = 12
LITERALS = ("any", "all", "to")
"""Options that take a field of the case or a list of texts."""


def disagreements(
    suite: Suite,
    dataset: Dataset,
    case_specs: Sequence[EvaluatorSpec],
    *,
    repeat: int | None = None,
    variables: Iterable[str] = (),
    prompts: Iterable[PromptVersion] = (),
) -> list[Problem]:
    """A rule without anything to judge, a field of no case, a variable of no case or unread, a ranking without an index.

    Args:
        suite: as it was read.
        dataset: its cases.
        case_specs: evaluators that cases bring along.
        repeat: answers per case that the command line asks for.
        variables: that the command line gives to every case.
        prompts: that are rendered for its cases.
    """
    answers = max(repeat or 1, _answers(suite.settings))
    problems = refused_rules(suite, [*suite.evaluators, *case_specs], answers)
    given = frozenset(variables)
    problems += _missing_fields(suite, dataset, given.difference(FIELDS))
    versions = list(prompts)
    if not suite.settings.targets and not versions and all(case.output is None for case in dataset.cases()):
        told = f"no case of {dataset.path} has an `output`, and the suite names no `prompts` and `targets` that make one."
        problems.append(suite.positions.problem(("dataset",), told, hint="Name both, or give the cases their `output`."))
    problems += _missing_variables(suite, dataset, versions, given)
    problems += _unread_variables(dataset, versions, given)
    problems += _forgetful(dataset, versions)
    problems += _rules_for_nothing(suite, dataset)
    for spec in suite.evaluators:
        if spec.kind == "retrieval" and suite.settings.index is None:
            hint = "Name an index of llmops.yaml: `index: NAME`."
            problems.append(suite.positions.problem(spec.at, "measures a ranking, and the suite has no `index`.", hint=hint))
    return problems


def readable(plan: Plan) -> set[str]:
    """Variables of a run to which a value may be given: those that its prompts or evaluators read, or its cases have."""
    names = {name for version in plan.prompts.values() for name in (*version.used_variables, *version.variables)} - {CONTEXTS}
    names |= {name for _, name in _named_fields(plan.suite.evaluators)}.difference(FIELDS)
    names |= _variables(plan.dataset)
    query = plan.suite.settings.query
    return names if query is None else {*names, query}


def _answers(settings: SuiteSettings) -> int:
    """Answers per case, at most."""
    return max(settings.repeat, settings.extend.repeats if settings.on_inconclusive == "extend" else 1)


def _missing_fields(suite: Suite, dataset: Dataset, given: frozenset[str]) -> Iterator[Problem]:
    """Fields that an evaluator reads and no case has: it would measure nothing."""
    named = dict(_named_fields(suite.evaluators))
    missing = {name for name in named.values() if name not in given}
    for case in dataset.cases() if missing else ():
        missing -= {name for name in missing if _has(case, name)}
        if not missing:
            break
    if not missing:
        return
    known = sorted({name for case in dataset.cases() for name in _fields(case)} | given)
    for at, name in named.items():
        if name in missing:
            close = nearest(name, known) or ""
            literal = f" A literal text stands in a list: `{at[-1]}: {[name]}`." if at[-1] in LITERALS else ""
            hint = f"{close} The cases have {_listed(known)}." if close.startswith("Did") else f"{close}{literal}".strip()
            yield suite.positions.problem(at, f"no case of {dataset.path} has a field {name!r}.", hint=hint)


def _missing_variables(
    suite: Suite, dataset: Dataset, prompts: Iterable[PromptVersion], given: frozenset[str]
) -> Iterator[Problem]:
    """Variables that a prompt requires or always reads and no case has: it could not be rendered once."""
    for version in prompts:
        read = always_read(version)
        missing = {name for name, variable in version.variables.items() if variable.required}.union(read) - given
        for case in dataset.cases() if missing else ():
            missing -= case.variables
            if not missing:
                break
        known = sorted(_variables(dataset) | given) if missing else []
        for name in sorted(missing):
            close = nearest(name, [*known, CONTEXTS]) or ""
            hint = f"{close} " if close.startswith("Did") else ""
            hint += f"The cases have {_listed(known) or 'no variables'}."
            if name in read:
                told = f"`{name}` is undefined: no case of {dataset.path} has such a variable."
                yield Problem(version.file, told, line=read[name], hint=hint)
            else:
                told = f"no case of {dataset.path} has the variable {name!r}, which the prompt {version.name!r} requires."
                yield suite.positions.problem(("prompts",), told, hint=hint)


def _unread_variables(dataset: Dataset, prompts: Iterable[PromptVersion], given: frozenset[str]) -> Iterator[Problem]:
    """Variables of the cases in single braces, which Jinja sends as they stand: all cases would ask the same."""
    for version in prompts:
        braced = in_single_braces(version)
        known = _variables(dataset) | given if braced else set[str]()
        for name in (each for each in braced if each in known):
            told = f"`{{{name}}}` is sent as it stands: a variable is written in two braces."
            yield Problem(version.file, told, line=braced[name], hint=f"Write `{{{{ {name} }}}}`.")


def _forgetful(dataset: Dataset, prompts: Iterable[PromptVersion]) -> Iterator[Problem]:
    """Prompts without the conversation so far, for a case that has one: each turn would be asked as if it were the first."""
    without = [version for version in prompts if HISTORY not in version.used_variables]
    case = next((case for case in dataset.cases() if len(case.turns) > 1), None) if without else None
    if case is None:
        return
    for version in without:
        turns = f"case {case.id!r} of {dataset.path} has {len(case.turns)} turns."
        told = f"does not read `{HISTORY}`, the conversation so far: {turns}"
        hint = f"Declare `{HISTORY}: {{type: messages, required: false}}`, and put `{{{{ messages({HISTORY}) }}}}` on a line."
        yield Problem(version.file, told, hint=hint)


def _variables(dataset: Dataset) -> set[str]:
    return {name for case in dataset.cases() for name in case.variables}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:SHOWN_FIELDS]) + (" ..." if len(names) > SHOWN_FIELDS else "")


def _rules_for_nothing(suite: Suite, dataset: Dataset) -> Iterator[Problem]:
    """Rules for a target that the suite does not ask, or for tags of which no case has one."""
    targets = suite.settings.targets or [RECORDED]
    for number, rule in enumerate(suite.settings.gate):
        if rule.target is not None and rule.target not in targets:
            told = f"the suite has no target {rule.target!r}."
            yield suite.positions.problem(("gate", number, "target"), told, hint=nearest(rule.target, targets))
        key, tags = rule.of_cases or ("", frozenset())
        if tags and not any(tags & {*case.tags} for case in dataset.cases()):
            known = {tag for case in dataset.cases() for tag in case.tags}
            told = f"no case of {dataset.path} has the tag {' or '.join(map(repr, sorted(tags)))}."
            yield suite.positions.problem(("gate", number, key, "tags"), told, hint=nearest(min(tags), known))


def _named_fields(specs: Iterable[EvaluatorSpec]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where an option that the suite sets names a field of the case, and the field. A default may find nothing to measure."""
    for spec in specs:
        if (found := options_of(spec)) is not None:
            kind, options = found
            named = kind.fields_of(options)
            yield from (((*spec.at, option), name) for option, name in named.items() if option in options.model_fields_set)


def _has(case: Case, name: str) -> bool:
    try:
        return case.field(name) not in (None, (), [], {})
    except KeyError:
        return False


def _fields(case: Case) -> Iterator[str]:
    """The fields of a case that evaluators may name."""
    yield from (name for name in FIELDS if _has(case, name))
    yield from (*case.metadata, *case.variables)
