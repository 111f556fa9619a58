"""`llmops judge`: people's labels for answers of a run, and what they say about the evaluator that scored them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp
from statistics import median, pstdev
from typing import Literal

from llmops.domain.calibrations import CALIBRATION_VERSION, Agreement, CalibrationReport, Figure, Verdicts
from llmops.domain.errors import UsageError
from llmops.domain.keys import content_hash
from llmops.domain.records import record
from llmops.domain.runs import CellResult, Run
from llmops.evaluation.calibrations import (
    Calibration,
    CalibrationFile,
    Label,
    as_label,
    fitted,
    identity_of,
    read_calibration,
    suggested_threshold,
    write_calibration,
)
from llmops.evaluation.datasets import dataset_of
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.judging.panel import BY_JUDGE
from llmops.settings.suite import RECORDED, Suite
from llmops.settings.validation import nearest
from llmops.statistics.agreement import cohens_kappa, krippendorff_alpha
from llmops.statistics.calibration import Confusion, labels_to_halve
from llmops.statistics.intervals import Estimate, wilson
from llmops.statistics.thresholds import chances, pooled_weights
from llmops.workflows.suite_plans import Parts

LEAST = 10
"""Labels below which nothing is said about a judge."""

Key = tuple[str, str]
"""Case id and hash of the answer."""
Reply = bool | float | Literal["skip", "stop"]
"""What a person says of an answer."""


@record
class Answer:
    """An answer that the evaluator has scored."""

    case: str
    output: str
    value: float
    reason: str
    tags: tuple[str, ...]
    spread: float
    """Standard deviation of the judges of a panel; 0 for one."""
    recorded: bool
    """It stands in the dataset, where a column may hold people's view of it."""

    @property
    def key(self) -> Key:
        """As `Key`."""
        return self.case, content_hash(self.output)


Ask = Callable[[Answer, int, int], Reply]
"""Shows an answer, its number and how many there are."""


class Calibrating:
    """One evaluator of a suite, the answers of a run that it scored, and their labels."""

    def __init__(self, suite: Suite, parts: Parts, evaluator: str | None, run: str | None) -> None:
        """Read the run.

        Raises:
            UsageError: no such evaluator or run, a run of another suite or another judge, or one without scored answers.
        """
        self._root = parts.root
        self._suite = suite
        self.built = _chosen(build_evaluators(suite.evaluators, suite.positions, parts.services), evaluator, suite)
        self.run = _run_of(suite, parts, run)
        self._check_same_judge()
        self.answers = _answers(parts.store.results(self.run.id), self.name)
        if not self.answers:
            raise UsageError(f"Run {self.run.id} holds no answer that {self.name!r} has scored.")
        content = read_calibration(self._root, self.name) or CalibrationFile(evaluator=self.name, identity="")
        self._labels: dict[Key, Label] = {(each.case, each.output): each for each in content.labels}

    @property
    def name(self) -> str:
        """The evaluator's, in the suite."""
        return self.built.spec.name

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels of a rubric; empty for an evaluator that people answer with yes or no."""
        options = self.built.spec.options
        return tuple(sorted(options["levels"])) if self.built.spec.kind == "rubric" else ()

    def take_column(self, column: str) -> list[object]:
        """Take labels from a field of the dataset's cases, for the answers that stand there.

        Returns:
            What stands in the field and is no label; nothing for cases without a value.

        Raises:
            UsageError: no answer of the run stands in the dataset, or no case has a usable label.
        """
        if not any(answer.recorded for answer in self.answers.values()):
            found = f"A column labels answers that stand in the dataset; run {self.run.id} made its own."
            raise UsageError(found, hint="Label them here: llmops judge calibrate --label 50")
        cases = {case.id: case for case in dataset_of(self._suite, self._root).cases()}
        taken: dict[Key, bool | float] = {}
        others: list[object] = []
        for answer in self.answers.values():
            try:
                value = cases[answer.case].field(column)
            except KeyError:
                continue
            label = as_label(value, scale=bool(self.levels))
            if label is not None:
                taken[answer.key] = label
            elif value not in (None, ""):
                others.append(value)
        if not taken:
            hint = "It should hold true or false, yes or no, pass or fail, or a number."
            raise UsageError(f"No case of {self._suite.settings.dataset} has a label in `{column}`.", hint=hint)
        numbers = not all(isinstance(label, bool) for label in taken.values())
        for key, label in taken.items():
            self.add(self.answers[key], float(label) if numbers else label)  # 0 and 1 may be ends of a scale
        return others

    def next(self, wanted: int) -> Iterator[tuple[Answer, float]]:
        """Answers to label next, with the chance that each had: more often those that the evaluator is unsure of.

        Each answer has a fixed random number, and is chosen when its chance is above it, so that asking again with a larger
        number only adds to what was chosen before.
        """
        answers = list(self.answers.values())
        expected = min(len(answers), len([a for a in answers if a.key in self._labels]) + wanted)
        found = chances(self._uncertainty(answers), expected)
        rows = [(answer, chance) for answer, chance in zip(answers, found, strict=True) if answer.key not in self._labels]
        rows.sort(key=lambda row: _fixed_random(row[0].key) / row[1])
        yield from rows[:wanted]

    def label(self, wanted: int, ask: Ask) -> int:
        """Show a person at most `wanted` answers; the number of labels taken."""
        taken = 0
        chosen = list(self.next(wanted))
        for number, (answer, chance) in enumerate(chosen, start=1):
            reply = ask(answer, number, len(chosen))
            if reply == "stop":
                break
            if reply != "skip":
                self.add(answer, reply, chance)
                taken += 1
        return taken

    def add(self, answer: Answer, label: bool | float, chance: float | None = None) -> None:
        """Take one label; `chance` that the answer had to be picked."""
        case, output = answer.key
        self._labels[answer.key] = Label(
            case=case, output=output, label=label, value=answer.value, chance=chance, tags=list(answer.tags)
        )

    def save(self) -> CalibrationReport:
        """Write the calibration and say what it tells.

        Raises:
            UsageError: too few labels, or labels of yes and no among numbers.
        """
        known = self._chances()
        current = [self._current(each, known) for each in self._labels.values()]
        used = [each for each in current if each.value is not None]
        binary = [each for each in used if isinstance(each.label, bool)]
        if binary and len(binary) < len(used):
            raise UsageError("Some labels are yes or no, others are numbers.", hint=f"Look at calibrations/{self.name}.json")
        threshold = suggested_threshold(used, lower_is_better=self.built.lower_is_better) if binary else None
        content = CalibrationFile(evaluator=self.name, identity=identity_of(self.built), threshold=threshold, labels=current)
        path = write_calibration(self._root, content)
        if len(used) < LEAST:
            hint = f"They are kept. Label more: llmops judge calibrate {self._suite.path} --label {LEAST}"
            raise UsageError(f"{len(used)} labels are too few to say anything; {LEAST} is the least.", hint=hint)
        calibration = fitted(self.built, content).beside(self.answers)
        return self._report(calibration, path.relative_to(self._root).as_posix(), len(current) - len(used))

    def _current(self, label: Label, known: Mapping[Key, float]) -> Label:
        """The label with the value that this run gives to its answer, and with its chance among all that were picked."""
        answer = self.answers.get((label.case, label.output))
        if answer is None:
            return label.model_copy(update={"value": None})
        chance = None if label.chance is None else known[answer.key]
        return label.model_copy(update={"value": answer.value, "chance": chance})

    def _chances(self) -> dict[Key, float]:
        """Chance of each answer to be among the labels that were picked here, over all sessions together."""
        picked = sum(label.chance is not None for label in self._labels.values())
        answers = list(self.answers.values())
        return dict(zip(self.answers, chances(self._uncertainty(answers), picked), strict=True)) if picked else {}

    def _check_same_judge(self) -> None:
        recorded = self.run.snapshot.get("evaluators", {}).get(self.name, {}).get("identity")
        if recorded != self.built.identity:
            found = f"Run {self.run.id} was scored by another judge, prompt or option of {self.name!r}."
            raise UsageError(found, hint=f"Run it again: llmops eval {self._suite.path}")

    def _uncertainty(self, answers: Sequence[Answer]) -> list[float]:
        """Of each answer: near the limit, or disputed in the panel."""
        values = [answer.value for answer in answers]
        limit = next((limit for limit in self.built.limits if limit is not None), median(values))
        scale = pstdev(values) or 1.0
        return [exp(-abs(answer.value - limit) / scale) + answer.spread / scale for answer in answers]

    def _report(self, calibration: Calibration, file: str, unused: int) -> CalibrationReport:
        rest = [answer for answer in self.answers.values() if answer.key not in self._labels]
        values, cases = [answer.value for answer in rest], len({answer.case for answer in rest})
        confusion = calibration.confusion if calibration.binary else None
        said = calibration.said_yes(values, cases) if rest and confusion is not None else None
        corrected, reason = calibration.rate(values, cases, 0.95)
        if confusion is None:
            corrected = calibration.mean(values, [answer.case for answer in rest], 0.95)
            reason = "" if corrected is not None else "fewer than two answers have no label"
        tags = sorted({tag for each in calibration.labels for tag in each.tags})
        return CalibrationReport(
            schema_version=CALIBRATION_VERSION,
            evaluator=self.name,
            run=self.run.id,
            file=file,
            labels=len(calibration.labels),
            unused=unused,
            whole=_agreement(calibration, calibration.labels),
            slices={tag: _agreement(calibration, [each for each in calibration.labels if tag in each.tags]) for tag in tags},
            verdicts=None if confusion is None else _verdicts(confusion),
            cross_fitted=confusion is not None and calibration.picked is not None,
            sensitivity=_share(confusion.true_positives, confusion.positives) if confusion else None,
            specificity=_share(confusion.true_negatives, confusion.negatives) if confusion else None,
            threshold=calibration.threshold,
            lower_is_better=calibration.lower_is_better,
            raw=None if said is None else _share(said, cases),
            corrected=_figure(corrected),
            reason=reason,
            further_labels=None if said is None or confusion is None else labels_to_halve(said, cases, confusion),
        )


def _figure(estimate: Estimate | None) -> Figure | None:
    return None if estimate is None else Figure(estimate.value, estimate.low, estimate.high)


def _share(right: int, of: int) -> Figure | None:
    return _figure(wilson(right, of)) if of else None


def _verdicts(confusion: Confusion) -> Verdicts:
    return Verdicts(confusion.true_positives, confusion.false_negatives, confusion.true_negatives, confusion.false_positives)


def _agreement(calibration: Calibration, labels: Sequence[Label]) -> Agreement:
    people = [float(each.label) for each in labels]
    theirs = [each.value or 0.0 for each in labels]
    if calibration.binary:
        theirs = [float(calibration.passes(value)) for value in theirs]
    weights = pooled_weights([each.chance for each in labels])
    pairs = list(zip(people, theirs, strict=True))
    same = sum(weight for (a, b), weight in zip(pairs, weights, strict=True) if a == b) / sum(weights)
    kappa = _figure(cohens_kappa(people, theirs, weights))
    alpha = krippendorff_alpha(pairs, "nominal" if calibration.binary else "interval", weights)
    return Agreement(len(labels), same, kappa, alpha)


def _chosen(evaluators: Sequence[BuiltEvaluator], name: str | None, suite: Suite) -> BuiltEvaluator:
    names = [built.spec.name for built in evaluators]
    if name is None:
        judged = [built for built in evaluators if built.kind.cached]
        if len(judged) != 1:
            raise UsageError(f"Name an evaluator of {suite.path} with --evaluator: {', '.join(names)}.")
        return judged[0]
    if name not in names:
        raise UsageError(f"{suite.path} has no evaluator {name!r}.", hint=nearest(name, names))
    return evaluators[names.index(name)]


def _run_of(suite: Suite, parts: Parts, reference: str | None) -> Run:
    if reference is not None:
        run = parts.store.run(reference)
        if run.suite != suite.path:
            raise UsageError(f"Run {run.id} is of {run.suite}, not of {suite.path}.")
        return run
    runs = parts.store.runs(None, suite=suite.path)
    last = next((run for run in runs if run.status != "running" and not run.aside), None)
    if last is None:
        raise UsageError(f"{suite.path} has no run whose answers could be labelled.", hint=f"llmops eval {suite.path}")
    return last


def _answers(results: Iterator[CellResult], name: str) -> dict[Key, Answer]:
    answers: dict[Key, Answer] = {}
    for result in results:
        scored = result.evaluations.get(name)
        if scored is None or scored.value is None or result.output is None:
            continue
        by_judge = [value for part, value in scored.parts.items() if part.startswith(BY_JUDGE)]
        spread = pstdev(by_judge) if by_judge else 0.0
        recorded = result.target == RECORDED
        answer = Answer(result.case_id, result.output, scored.value, scored.reason, result.tags, spread, recorded)
        answers.setdefault(answer.key, answer)
    return answers


def _fixed_random(key: Key) -> float:
    return int(content_hash("\x00".join(key))[:12], 16) / 16**12
