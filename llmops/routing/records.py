"""Recorded requests: what each model answered them with, how good, how dear and how fast that was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.records import record
from llmops.settings.files import shown
from llmops.settings.lines import json_lines
from llmops.settings.positions import Positions
from llmops.settings.validation import Amount, Number, Share, Strict, validated

if TYPE_CHECKING:
    from numpy import bool_
    from numpy.typing import NDArray

    from llmops.statistics.series import Floats

    Flags = NDArray[bool_]

MAX_PROBLEMS = 20


class Answered(Strict):
    """What one model did with a request."""

    quality: Share
    cost: Amount | None = None
    """USD of this answer."""
    latency: Amount | None = None
    """Seconds."""
    signals: dict[str, Number] = Field(default_factory=dict)
    """What a cascade may look at, such as `hallucination`: higher means less trustworthy."""
    checks: dict[str, bool] = Field(default_factory=dict)
    """Whether the answer passed, by the name of the check that a route asks for."""
    answered: bool = True
    """False: the model gave no answer, and a fallback goes on."""


class RecordedRow(Strict):
    """One line of a file of recorded requests."""

    id: str | int
    prompt: str
    models: Annotated[dict[str, Answered], Field(min_length=1)]
    group: str | int | None = None
    """Requests of one group, such as one user or document, are kept together when rows are split."""
    tags: list[str] = Field(default_factory=list)
    tokens: Annotated[int, Field(ge=0)] | None = None


@record
class Records:
    """Requests that every model answered, as arrays of shape (requests, models)."""

    ids: tuple[str, ...]
    prompts: tuple[str, ...]
    models: tuple[str, ...]
    quality: "Floats"
    cost: "Floats"
    """USD; NaN where it is not known, and see `assumed`."""
    latency: "Floats"
    """Seconds; NaN where it is not known."""
    failed: "Flags"
    """The model gave no answer."""
    groups: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    tokens: "Floats"
    """Tokens of the prompt, shape (requests,); NaN where they were not counted."""
    signals: Mapping[str, "Floats"] = field(default_factory=dict)
    """By name, shape (requests, models); NaN where it was not recorded."""
    left_out: int = 0
    """Requests that not every model answered."""
    assumed: Mapping[str, int] = field(default_factory=dict)
    """By model: failed answers whose cost is not known, and which count as the mean of the known ones."""
    answers: tuple[Mapping[str, Answered], ...] = ()
    """The rows as they were recorded, by model."""
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By model: what was asked and what it cost, as `Target.facts`; empty where that is not known."""

    def __len__(self) -> int:
        return len(self.ids)

    def model(self, name: str) -> int:
        """The column of a model.

        Raises:
            UsageError: no such model.
        """
        if name not in self.models:
            raise UsageError(f"No recorded model is called {name!r}.", hint=f"Recorded: {', '.join(self.models)}.")
        return self.models.index(name)


def read_records(path: Path, root: Path) -> Records:
    """The requests of a JSONL file.

    Raises:
        InvalidFiles: each bad line with what is wrong with it.
        UsageError: fewer than two models answered the same requests.
    """
    file = shown(path, root)
    found: list[RecordedRow] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for row in json_lines(path, root):
        if len(problems) >= MAX_PROBLEMS:
            break
        if isinstance(row, Problem):
            problems.append(row)
            continue
        try:
            one = validated(RecordedRow, row.value, Positions(file, {(): (row.line, 1)}))
        except InvalidFiles as error:
            problems += error.problems
            continue
        if str(one.id) in seen:
            problems.append(Problem(file, f"the id {one.id!r} stands twice.", line=row.line, key="id"))
        seen.add(str(one.id))
        found.append(one)
    if not found and not problems:
        example = '{"id": 1, "prompt": "...", "models": {"small": {"quality": 1}, "large": {"quality": 1}}}'
        problems.append(Problem(file, "holds no request.", hint=f"One per line: {example}"))
    if problems:
        raise InvalidFiles(problems)
    return records_of(found)


def records_of(rows: Sequence[RecordedRow]) -> Records:
    """The requests that every model answered.

    Raises:
        UsageError: fewer than two models answered the same requests.
    """
    import numpy as np

    models = tuple(dict.fromkeys(name for row in rows for name in row.models))
    whole = [row for row in rows if len(row.models) == len(models)]
    if len(models) < 2 or not whole:
        hint = "Evaluate the same cases with two models or more: targets: [small, large]"
        raise UsageError(f"No request was answered by two models or more; found {', '.join(models) or 'none'}.", hint=hint)
    names = dict.fromkeys(name for row in whole for answer in row.models.values() for name in answer.signals)

    def column(values: Iterable[Any]) -> Any:  # noqa: ANN401 -- an array
        return np.array([[np.nan if each is None else float(each) for each in row] for row in values])

    failed = np.array([[not row.models[m].answered for m in models] for row in whole])
    cost, assumed = _with_failures(column([row.models[m].cost for m in models] for row in whole), failed)
    return Records(
        tuple(str(row.id) for row in whole),
        tuple(row.prompt for row in whole),
        models,
        column([row.models[m].quality for m in models] for row in whole),
        cost,
        column([row.models[m].latency for m in models] for row in whole),
        failed,
        tuple(str(row.id if row.group is None else row.group) for row in whole),
        tuple(tuple(row.tags) for row in whole),
        np.array([np.nan if row.tokens is None else float(row.tokens) for row in whole]),
        {name: column([row.models[m].signals.get(name) for m in models] for row in whole) for name in names},
        len(rows) - len(whole),
        {name: count for name, count in zip(models, assumed, strict=True) if count},
        tuple(row.models for row in whole),
    )


def _with_failures(cost: "Floats", failed: "Flags") -> tuple["Floats", list[int]]:
    """The costs with those of failed answers, and for how many of each model they had to be assumed.

    An error seldom tells what it cost. It counts as the mean of the model's answers whose cost is known, so that one failure
    takes away no figure; where an answer that came has no known cost, nothing is assumed.
    """
    import numpy as np

    unknown = np.isnan(cost)
    assumed = unknown & failed & ~(unknown & ~failed).any(axis=0) & ~unknown.all(axis=0)
    mean = np.where(unknown, 0.0, cost).sum(axis=0) / np.maximum(1, (~unknown).sum(axis=0))
    return np.where(assumed, mean, cost), assumed.sum(axis=0).tolist()


def untimed(records: Records) -> "Flags":
    """Failed answers whose latency is not known, shape (requests, models)."""
    import numpy as np

    return records.failed & np.isnan(records.latency)


def told_apart_by(records: Records) -> Literal["cost", "quality", "order"]:
    """What tells the models apart: their mean cost, else their mean quality, else the order in which they stand."""
    cost, quality = records.cost.mean(axis=0), records.quality.mean(axis=0)
    if all(isfinite(each) for each in cost) and cost.min() < cost.max():
        return "cost"
    return "quality" if quality.min() < quality.max() else "order"


def ends_of(records: Records, weak: str | None, strong: str | None) -> tuple[int, int]:
    """Columns of the weak and the strong model: as named, else the least and the most by what tells them apart.

    Raises:
        UsageError: no such model, or both are the same.
    """
    import numpy as np

    order = np.arange(len(records.models))
    by = {"cost": records.cost.mean(axis=0), "quality": records.quality.mean(axis=0), "order": order}[told_apart_by(records)]
    low = records.model(weak) if weak is not None else int(by.argmin())
    high = records.model(strong) if strong is not None else int(by.argmax())
    if low == high:
        raise UsageError(
            f"{records.models[low]!r} would be both the weak and the strong model.", hint="Name both: --weak, --strong"
        )
    return low, high
