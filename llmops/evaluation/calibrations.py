"""What people said of answers that an evaluator scored, as a file of the project, and what it makes of a run's figures."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import content_hash
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.settings.files import shown, write_atomic
from llmops.settings.lines import json_value
from llmops.settings.positions import Positions
from llmops.settings.validation import Number, Strict, validated
from llmops.statistics.calibration import Confusion, Judged, correct_rate, prediction_powered_mean
from llmops.statistics.intervals import Estimate
from llmops.statistics.thresholds import CrossFitted, best_threshold, cross_fitted, odds, pooled_weights

FOLDER = "calibrations"
FORMAT = 1
ANEW = "Restore it, or move it away and make it anew: llmops judge calibrate"
MOST_LABEL = 1e100
"""Size of a number that a person gives; neither an infinite one nor NaN is a label."""
_WORDS = {"yes": True, "pass": True, "good": True, "true": True, "no": False, "fail": False, "bad": False, "false": False}


class Label(Strict):
    """A person's view of one answer."""

    case: str
    output: str
    """Content hash of the answer."""
    label: bool | Number
    """True: it should pass. Or a number on the evaluator's own scale."""
    value: Number | None = None
    """The evaluator's value of it; None: not known, for instance since its judge has changed."""
    chance: Annotated[float, Field(gt=0, le=1, strict=False)] | None = None
    """Probability with which the answer was picked for the evaluator's doubt; None: it was not."""
    tags: list[str] = Field(default_factory=list)


class CalibrationFile(Strict):
    """The content of `calibrations/NAME.json`."""

    format: int = FORMAT
    evaluator: str
    identity: str
    """Hash of the evaluator's identity: another judge, prompt or option makes another one."""
    threshold: Number | None = None
    """What the labels suggest as limit; for information, a suite's own limit decides."""
    labels: list[Label] = Field(default_factory=list)


@dataclass(frozen=True)
class Calibration:
    """The labels of one evaluator, ready to correct its figures."""

    labels: tuple[Label, ...]
    """Those whose value is known."""
    limits: tuple[float | None, float | None]
    """Least and greatest value that pass."""
    threshold: float | None
    """The limit that the labels picked; equal to a limit in force, its errors are cross-fitted."""
    lower_is_better: bool
    labelled: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """Case and hash of each labelled answer."""
    left_out: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    """Those that stand among the answers whose rate is corrected, and do not count into it."""

    def beside(self, left_out: Iterable[tuple[str, str]]) -> "Calibration":
        """For the rate of the answers beside these labelled ones."""
        return replace(self, left_out=frozenset(left_out))

    @property
    def binary(self) -> bool:
        """People said yes or no."""
        return all(isinstance(each.label, bool) for each in self.labels)

    @cached_property
    def picked(self) -> CrossFitted | None:
        """The cross-fitted errors, when the limit in force was picked from these very labels."""
        if self.threshold is None or self.threshold not in self.limits:
            return None
        return cross_fitted([bool(each.label) for each in self.labels], self._oriented(self._values), self._weights_of_rest)

    @cached_property
    def confusion(self) -> Confusion:
        """The evaluator's verdicts beside people's; yes is a pass."""
        if self.picked is not None:
            return self.picked.confusion
        verdicts = [self.passes(value) for value in self._values]
        return Confusion.count([bool(each.label) for each in self.labels], verdicts, self._weights_of_rest)

    @cached_property
    def labelled_cases(self) -> frozenset[str]:
        """Cases of which an answer has a label."""
        return frozenset(case for case, _ in self.labelled)

    @property
    def weights(self) -> list[float]:
        """What each label counts, where it stands for all answers."""
        return pooled_weights([each.chance for each in self.labels])

    @property
    def _weights_of_rest(self) -> list[float]:
        """What each label counts, where it stands for the answers without a label."""
        if all(each.chance in (None, 1) for each in self.labels):
            return self.weights  # nothing was left unpicked: the answers without a label came later
        return pooled_weights([self._chance_in_rest(each) for each in self.labels])

    def _chance_in_rest(self, label: Label) -> float | None:
        left_out = (label.case, label.output) in self.left_out
        return odds(label.chance) if label.chance is not None and left_out else label.chance

    def rate(self, values: Sequence[float], cases: int, confidence: float) -> tuple[Estimate | None, str]:
        """The pass rate that people would find among answers without a label, and why there is none.

        Args:
            values: the evaluator's, of those answers.
            cases: independent ones among them.
            confidence: two-sided.
        """
        if not self.binary:
            return None, "people gave numbers, not yes or no"
        if not values:
            return None, "every answer has a label"
        return correct_rate(self.said_yes(values, cases), cases, self.confusion, confidence=confidence)

    def said_yes(self, values: Sequence[float], cases: int) -> int:
        """Of so many independent cases those that pass; under a picked limit the mean over its cross-fitted thresholds."""
        if self.picked is not None:
            return round(self.picked.said_yes(self._oriented(values)) * cases)
        return round(sum(map(self.passes, values)) / len(values) * cases)

    def mean(
        self,
        values: Sequence[float],
        cases: Sequence[Hashable],
        confidence: float,
        numbers: Mapping[str, Hashable] = MappingProxyType({}),
    ) -> Estimate | None:
        """The mean that people would give; None for labels of yes and no, or too few values.

        Args:
            values: the evaluator's, of answers without a label.
            cases: the case of each.
            confidence: two-sided.
            numbers: what `cases` calls a case whose id has a label; others go by their id.
        """
        if self.binary:
            return None
        people = [float(each.label) for each in self.labels]
        labelled = Judged(self._values, [numbers.get(each.case, each.case) for each in self.labels], self.weights)
        return prediction_powered_mean(people, labelled, Judged(values, cases), confidence=confidence)

    def extreme(self, *, passes: bool) -> float:
        """A value that passes, or does not, whatever threshold is applied."""
        low, high = self.limits
        if passes and low is not None and high is not None:
            return low
        upwards = (low is not None) is passes
        return inf if upwards else -inf

    @property
    def _values(self) -> list[float]:
        return [each.value for each in self.labels if each.value is not None]

    def _oriented(self, values: Sequence[float]) -> list[float]:
        return [-value for value in values] if self.lower_is_better else list(values)

    def passes(self, value: float) -> bool:
        """The limits' verdict on a value."""
        low, high = self.limits
        return (low is None or value >= low) and (high is None or value <= high)


def calibration_path(root: Path, name: str) -> Path:
    """Where the calibration of an evaluator stands."""
    return root / FOLDER / f"{name}.json"


def read_calibration(root: Path, name: str) -> CalibrationFile | None:
    """The calibration of an evaluator; None when there is none.

    Raises:
        InvalidFiles: the file is not what it should be.
    """
    path = calibration_path(root, name)
    if not path.exists():
        return None
    try:
        found = json_value(path, root)
        if isinstance(found, Problem):
            raise InvalidFiles([replace(found, hint=ANEW)])
        return validated(CalibrationFile, found.value, Positions(shown(path, root), {}))
    except InvalidFiles as error:
        raise InvalidFiles([replace(problem, hint=problem.hint or ANEW) for problem in error.problems]) from None


def write_calibration(root: Path, content: CalibrationFile) -> Path:
    """Write the calibration of an evaluator; the file written."""
    path = calibration_path(root, content.evaluator)
    write_atomic(path, json.dumps(content.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n")
    return path


def identity_of(built: BuiltEvaluator) -> str:
    """What a calibration remembers of an evaluator."""
    return content_hash(built.identity)


def fitted(built: BuiltEvaluator, content: CalibrationFile) -> Calibration:
    """The calibration of an evaluator with the limits that a suite gives it."""
    known = tuple(each for each in content.labels if each.value is not None)
    limits, lower = built.limits, built.lower_is_better
    if limits == (None, None):
        limits = (None, content.threshold) if lower else (content.threshold, None)
    labelled = frozenset((each.case, each.output) for each in content.labels)
    return Calibration(known, limits, content.threshold, lower, labelled)


def suggested_threshold(labels: Sequence[Label], *, lower_is_better: bool) -> float | None:
    """The limit that the labels of yes and no suggest, in the six digits that are shown: a suite adopts it as it reads."""
    side = -1.0 if lower_is_better else 1.0
    values = [side * (each.value or 0.0) for each in labels]
    found = best_threshold([bool(each.label) for each in labels], values, pooled_weights([each.chance for each in labels]))
    return None if found is None else float(f"{side * found:.6g}")


def load_calibrations(root: Path, evaluators: Iterable[BuiltEvaluator]) -> tuple[Mapping[str, Calibration], tuple[str, ...]]:
    """The calibrations that fit some evaluators, by name, and a note on each that does not fit any more.

    Raises:
        InvalidFiles: a file is not what it should be.
    """
    fitting: dict[str, Calibration] = {}
    notes: list[str] = []
    for built in evaluators:
        content = read_calibration(root, built.spec.name)
        if content is None:
            continue
        if content.identity == identity_of(built):
            fitting[built.spec.name] = fitted(built, content)
        else:
            file = f"{FOLDER}/{built.spec.name}.json"
            notes.append(f"{file} is of another judge, prompt or option and is not used: llmops judge calibrate")
    return fitting, tuple(notes)


def as_label(value: Any, *, scale: bool = False) -> bool | float | None:  # noqa: ANN401 -- any JSON value
    """What a dataset says a person thought: yes or no in several spellings, or a number; None: nothing usable.

    Args:
        value: of the case's field; a CSV has numbers as texts.
        scale: numbers are levels of a rubric, so 0 and 1 are no yes and no.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        value = _WORDS[word] if word in _WORDS else _number(word)
    if isinstance(value, bool):
        return value
    if not isinstance(value, int | float) or not -MOST_LABEL <= value <= MOST_LABEL:
        return None
    return bool(value) if isinstance(value, int) and value in (0, 1) and not scale else float(value)


def _number(word: str) -> int | float | None:
    for read in (int, float):
        with suppress(ValueError):
            return read(word)
    return None
