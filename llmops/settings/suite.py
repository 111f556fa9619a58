"""A suite: prompts x targets x dataset x evaluators, and the gate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.records import record
from llmops.settings.files import read_text, shown
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.validation import Amount, InsidePath, Number, Positive, Shape, Share, Strict, validated

RECORDED = "recorded"
"""Target name of a suite without targets: its cases carry their `output`."""

SUFFIXES = (".yaml", ".yml")
"""Of suite files."""

COMMON_OPTIONS = ("name", "negate", "weight", "min", "max", "of")
"""Options that every evaluator takes; the rest belong to its kind."""


class CommonOptions(Strict):
    """What every evaluator takes."""

    name: (
        Annotated[
            str,
            Field(max_length=60),
            Shape(r"^[A-Za-z0-9][A-Za-z0-9_-]*$", "letters, digits, `_` and `-`, a letter or a digit first"),
        ]
        | None
    ) = None
    """Name in reports and in the gate; default: the kind."""
    negate: bool = False
    """Pass where it would fail, and fail where it would pass."""
    weight: Amount = 1.0
    """Weight of this evaluator in a case's overall score."""
    min: Number | None = None
    """A case passes when its value is at least this."""
    max: Number | None = None
    """A case passes when its value is at most this."""
    of: Annotated[str, Shape(r"^(/([^~]|~[01])*)+$", "a JSON Pointer, such as `/answer`")] | None = Field(
        default=None, exclude=True
    )
    """The field of the answer, which is JSON, that is evaluated; None: the whole answer. Part of the evaluator's identity."""


@record
class EvaluatorSpec:
    """One entry of `evaluators`: a kind, its own options, and the common ones."""

    kind: str
    name: str
    options: Mapping[str, Any]
    common: CommonOptions
    at: tuple[str | int, ...]
    """Where it stands in the suite file."""
    wrong: Problem | None = None
    """Its options are no mapping: told once its kind is known to exist."""


class Tagged(Strict):
    """The cases with one of these tags."""

    tags: list[str] = Field(default_factory=list)
    """Empty: all cases."""


class GateRule(Strict):
    """One condition that a run must meet."""

    metric: (
        Annotated[
            str, Shape(r"^[A-Za-z0-9][A-Za-z0-9_-]*\.[a-z0-9_@^.-]+$", "`EVALUATOR.FIGURE`, such as `contains.pass_rate`")
        ]
        | None
    ) = None
    """`<evaluator name>.<aggregate>`."""
    min: Number | None = None
    max: Number | None = None
    non_inferior_to: Literal["baseline"] | None = None
    superior_to: Literal["baseline"] | None = None
    margin: Amount = 0.0
    """Largest loss that counts as no worse, or least gain that counts as better, in the metric's own units."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """One-sided: 0.95 means an error rate of 0.05 for this rule."""
    target: str | None = None
    """Judge this target alone; default: each."""
    no_failures: Tagged | None = None
    """None of these cases may fail."""
    no_new_failures: Tagged | None = None
    """None of these cases may pass in the baseline and fail now."""

    @property
    def relative(self) -> bool:
        """It is held against a baseline."""
        return self.min is None and self.max is None and self.no_failures is None

    @property
    def of_cases(self) -> tuple[str, frozenset[str]] | None:
        """Key and tags of a rule that counts cases and has no statistics; None: it is another."""
        keys = (("no_failures", self.no_failures), ("no_new_failures", self.no_new_failures))
        return next(((key, frozenset(tagged.tags)) for key, tagged in keys if tagged is not None), None)

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        relative = (self.non_inferior_to, self.superior_to)
        given = sum((self.min is not None or self.max is not None, *(r is not None for r in relative)))
        if (asked := self.of_cases) is not None:
            if self.metric is not None or given or self.margin or None not in (self.no_failures, self.no_new_failures):
                raise ValueError(f"`{asked[0]}` stands alone, without `metric`, a limit or a `margin`")
            return self
        if self.metric is None:
            raise ValueError("needs `metric` (such as contains.pass_rate), `no_failures` or `no_new_failures`")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"`min` {self.min:g} is above `max` {self.max:g}: no value could pass")
        if given != 1:
            raise ValueError("needs one condition: `min`/`max`, `non_inferior_to` or `superior_to`")
        if self.margin and not any(relative):
            raise ValueError("`margin` belongs to `non_inferior_to` and `superior_to`: put what you allow into `min` or `max`")
        if self.non_inferior_to is not None and not self.margin:
            raise ValueError("`non_inferior_to` needs a `margin` above 0: how large a loss is still no loss?")
        return self


class Extension(Strict):
    """How far an inconclusive run is extended with more answers per case."""

    repeats: Positive = 5
    """Answers per case, at most."""
    budget: Amount | None = None
    """USD that the further answers may cost; None: the suite's own budget is the only one."""


class SuiteSettings(Strict):
    """The content of a suite file."""

    description: str = ""
    dataset: InsidePath
    prompts: list[str] = Field(default_factory=list)
    targets: list[str] = Field(default_factory=list)
    index: str | None = None
    query: str | None = None
    """Variable of the case that is searched for; default: `question`, else the case's only text variable."""
    repeat: Positive = 1
    evaluators: list[str | dict[str, Any]] = Field(min_length=1)
    gate: list[GateRule] = Field(default_factory=list)
    min_coverage: Share = 0.95
    """Share of cells that must have an answer and no failed evaluator; below it the run is incomplete."""
    budget: Amount | None = None
    """USD that a run of this suite may spend, models and judges together; what is in flight then is finished."""
    on_inconclusive: Literal["exit4", "pass", "fail", "warn", "extend"] = "exit4"
    extend: Extension = Field(default_factory=Extension)
    """What `on_inconclusive: extend` may spend; what is inconclusive still ends in exit 4."""

    @model_validator(mode="after")
    def _prompts_and_targets(self) -> Self:
        if bool(self.prompts) != bool(self.targets):
            raise ValueError("needs both `prompts` and `targets`, or neither (then each case carries its `output`)")
        for field, names in (("prompts", self.prompts), ("targets", self.targets)):
            if len(set(names)) != len(names):
                raise ValueError(f"`{field}` names the same thing twice")
        return self


@record
class Suite:
    """A suite on disk."""

    path: str
    """Relative to the project root; the suite's name."""
    settings: SuiteSettings
    evaluators: tuple[EvaluatorSpec, ...]
    positions: Positions


def suite_files(root: Path) -> list[Path]:
    """The suites of a project: the YAML files of `evals/` and of the folders in it; what begins with a dot is left out."""
    folder = root / "evals"
    files = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return sorted(path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def load_suite(path: Path, root: Path) -> Suite:
    """Read a suite file; evaluators' own options are validated by whoever builds them.

    Raises:
        InvalidFiles: with every problem of the file.
    """
    file = shown(path, root)
    data, positions = parse_yaml(read_text(path, root), file)
    settings = validated(SuiteSettings, data, positions)
    return Suite(file, settings, evaluator_specs(settings.evaluators, positions, ("evaluators",)), positions)


def evaluator_specs(
    entries: list[str | dict[str, Any]], positions: Positions, at: tuple[str | int, ...]
) -> tuple[EvaluatorSpec, ...]:
    """The entries of an `evaluators` list as specifications.

    Raises:
        InvalidFiles: an entry of another shape, a wrong common option, or a name that stands twice.
    """
    specs: list[EvaluatorSpec] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        try:
            specs.append(_spec(entry, positions, (*at, index)))
        except InvalidFiles as error:
            problems += error.problems
    seen: set[str] = set()
    for spec in specs:
        if spec.name in seen:
            problems.append(positions.problem(spec.at, f"the name {spec.name!r} stands twice.", hint="Give one a `name:`."))
        seen.add(spec.name)
    if problems:
        raise InvalidFiles(problems)
    return tuple(specs)


def _spec(entry: str | dict[str, Any], positions: Positions, at: tuple[str | int, ...]) -> EvaluatorSpec:
    if isinstance(entry, str):
        return EvaluatorSpec(entry, entry.partition(":")[0], {}, CommonOptions(), at)
    if len(entry) != 1:
        found = f"has the keys {', '.join(map(str, entry))}" if entry else "is empty"
        told = f"{found}; one `kind: {{options}}` was expected."
        raise InvalidFiles([positions.problem(at, told, hint="As in `- contains: {any: expected}`.")])
    ((kind, options),) = entry.items()
    at = (*at, str(kind))
    if kind == "python" and isinstance(options, str):
        options = {"function": options}
    if options is None:
        options = {}
    wrong: Problem | None = None
    if not isinstance(options, dict):
        told = "options should be a mapping, such as `contains: {any: expected}`."
        options, wrong = {}, positions.problem(at, told)
    common = validated(CommonOptions, {k: v for k, v in options.items() if k in COMMON_OPTIONS}, positions, at=at)
    own = {k: v for k, v in options.items() if k not in COMMON_OPTIONS}
    return EvaluatorSpec(str(kind), common.name or str(kind), own, common, at, wrong)
