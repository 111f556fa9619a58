"""What people's labels say about an evaluator."""

from collections.abc import Mapping

from llmops.domain.records import record

CALIBRATION_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""


@record
class Figure:
    """A value with its two-sided 95 % interval."""

    value: float
    low: float | None
    """None where it cannot be estimated."""
    high: float | None


@record
class Agreement:
    """How an evaluator and people agree on some answers; labels that were picked for doubt count by their chance."""

    labels: int
    same: float
    """Share of equal verdicts or numbers."""
    kappa: Figure | None
    """Cohen's, on verdicts or levels; None where it is not defined."""
    alpha: float | None
    """Krippendorff's, on the same: nominal for verdicts, interval for numbers."""


@record
class Verdicts:
    """Verdicts on labelled answers; labels that were picked for doubt count as their effective number."""

    right_passes: int
    """People and the evaluator say pass."""
    wrong_failures: int
    """People say pass, the evaluator does not."""
    right_failures: int
    wrong_passes: int

    @property
    def total(self) -> int:
        """Effective number of labels."""
        return self.right_passes + self.wrong_failures + self.right_failures + self.wrong_passes


@record
class CalibrationReport:
    """What labels say about an evaluator."""

    schema_version: int
    evaluator: str
    run: str
    file: str
    """Where the labels are kept."""
    labels: int
    unused: int
    """Labels of answers that this run does not hold."""
    whole: Agreement
    slices: Mapping[str, Agreement]
    """By tag."""
    verdicts: Verdicts | None
    """None for labels that are numbers."""
    cross_fitted: bool
    """The limit in force was picked from these labels, so `verdicts` are those of cross-fitted thresholds."""
    sensitivity: Figure | None
    """Share of people's passes that the evaluator passes."""
    specificity: Figure | None
    """Share of people's failures that the evaluator fails."""
    threshold: float | None
    """The limit that the labels suggest."""
    lower_is_better: bool
    raw: Figure | None
    """Pass rate of the answers without a label, as the evaluator sees it."""
    corrected: Figure | None
    """The same as people would see it; for labels that are numbers their mean."""
    reason: str
    """Why there is no corrected figure."""
    further_labels: int | None
    """Labels that would halve the corrected interval; None: not known, or not by labels alone."""
