"""Reads series of values that belong to cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from numpy import float64
    from numpy.typing import NDArray

    Floats = NDArray[float64]
    Indices = NDArray[Any]
    """Integers."""
    Values = Sequence[float] | NDArray[Any]
    """One number per cell."""
    Clusters = Sequence[int] | NDArray[Any]
    """The number of the case that each value belongs to, in the order of the values."""


@dataclass(frozen=True, slots=True)
class ByCase:
    """A series summed up case by case."""

    sums: "Floats"
    """Shape (cases,): sum of each case's values."""
    counts: "Floats"
    """Shape (cases,): number of each case's values."""

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.counts)

    @property
    def cells(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def repeated(self) -> bool:
        """True when some case has more than one value."""
        return self.cells > self.cases

    @property
    def mean(self) -> float:
        """Mean of all values."""
        return float(self.sums.sum() / self.cells)

    @property
    def residuals(self) -> "Floats":
        """What each case's sum differs by from what the overall mean would give; shape (cases,)."""
        return self.sums - self.counts * self.mean

    @property
    def variance_of_mean(self) -> float:
        """Cluster-robust variance of the mean (Liang and Zeger 1986; Miller 2024), G / (G - 1) corrected.

        Raises:
            ZeroDivisionError: there is only one case.
        """
        correction = self.cases / (self.cases - 1)
        return float(correction * (self.residuals**2).sum() / self.cells**2)

    @property
    def independent(self) -> float:
        """Kish's effective number of units if all repeats of a case agreed: the case count when all have equally many."""
        return float(self.cells**2 / (self.counts**2).sum())


def array_of(values: "Values") -> "Floats":
    """The values as float64.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("values must be finite: a failed or unmeasured cell has no value")
    return array


def by_case(values: "Floats", clusters: "Clusters | None") -> ByCase:
    """Sum up values case by case, to the same last digit in whatever order they come.

    Without `clusters` each value is a case of its own.

    Raises:
        ValueError: `clusters` is not as long as `values`.
    """
    import numpy as np

    if clusters is None:
        return ByCase(values, np.ones_like(values))
    if len(clusters) != len(values):
        raise ValueError(f"{len(values)} values but {len(clusters)} case numbers")
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    order = np.lexsort((values, index))
    values, index = values[order], index[order]
    sums, counts = np.bincount(index, weights=values), np.bincount(index)
    return ByCase(sums.astype(np.float64), counts.astype(np.float64))


def is_binary(values: "Values") -> bool:
    """True when every value is 0 or 1."""
    return set(values) <= {0.0, 1.0}


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is not a share.

    Raises:
        ValueError: `confidence` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, found {confidence!r}")


def normal_critical(confidence: float) -> float:
    """Two-sided critical value of the standard normal: 1.96 at 0.95."""
    check_confidence(confidence)
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def t_critical(confidence: float, degrees: float) -> float:
    """Two-sided critical value of Student's t."""
    from scipy.special import stdtrit

    check_confidence(confidence)
    return float(stdtrit(degrees, 0.5 + confidence / 2))
