"""Reads series of values that belong to cases."""

from collections.abc import Hashable, Sequence
from math import fsum, isfinite
from statistics import NormalDist
from typing import TYPE_CHECKING

from llmops.domain.records import record
from llmops.statistics.distributions import t_quantile

if TYPE_CHECKING:
    from typing import Any

    from numpy import float64
    from numpy.typing import NDArray

    Floats = NDArray[float64]
    Indices = NDArray[Any]
    """Integers."""
    Values = Sequence[float] | NDArray[Any]
    """One number per cell."""
    Clusters = Sequence[str] | Sequence[int] | NDArray[Any]
    """The case that each value belongs to, by name or number, in the order of the values."""


ROUNDING = 1e-12
"""Share of a case's sum below which a difference is taken for an error of rounding."""


@record
class ByCase:
    """A series summed up case by case; exact sums make every figure the same in whatever order the values come."""

    sums: tuple[float, ...]
    """Of each case's values."""
    counts: tuple[int, ...]
    """Number of each case's values."""

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.counts)

    @property
    def cells(self) -> int:
        """Number of values."""
        return sum(self.counts)

    @property
    def repeated(self) -> bool:
        """True when some case has more than one value."""
        return self.cells > self.cases

    @property
    def mean(self) -> float:
        """Mean of all values."""
        return fsum(self.sums) / self.cells

    @property
    def residuals(self) -> list[float]:
        """What each case's sum differs by from what the overall mean would give."""
        mean = self.mean
        return [total - count * mean for total, count in zip(self.sums, self.counts, strict=True)]

    @property
    def variance_of_mean(self) -> float:
        """Cluster-robust variance of the mean (Liang and Zeger 1986; Miller 2024), G / (G - 1) corrected.

        Raises:
            ZeroDivisionError: there is only one case.
        """
        correction = self.cases / (self.cases - 1)
        return correction * fsum(residual * residual for residual in self.residuals) / self.cells**2

    @property
    def level(self) -> bool:
        """True when the cases' means are equal: what is left of a residual is rounding."""
        return max(map(abs, self.residuals)) <= ROUNDING * max(map(abs, self.sums))

    @property
    def independent(self) -> float:
        """Kish's effective number of units if all repeats of a case agreed: the case count when all have equally many."""
        return self.cells**2 / sum(count * count for count in self.counts)


def array_of(values: "Values") -> "Floats":
    """The values as float64.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    import numpy as np

    return np.asarray(finite(values), dtype=np.float64)


def finite(values: "Values") -> list[float]:
    """The values as they are, without numpy, whose import would be a good part of a small run.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    found = list(map(float, values))
    if not all(map(isfinite, found)):
        raise ValueError("values must be finite: a failed or unmeasured cell has no value")
    return found


def by_case(values: "Values", clusters: "Clusters | None") -> ByCase:
    """Sum up values case by case.

    Without `clusters` each value is a case of its own.

    Raises:
        ValueError: `clusters` is not as long as `values`.
    """
    if clusters is None:
        return ByCase(tuple(map(float, values)), (1,) * len(values))
    if len(clusters) != len(values):
        raise ValueError(f"needs a case for each value, found {len(clusters)} for {len(values)}")
    cases: dict[Hashable, list[float]] = {}
    for case, value in zip(clusters, values, strict=True):
        cases.setdefault(case, []).append(float(value))
    return ByCase(tuple(map(fsum, cases.values())), tuple(map(len, cases.values())))


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


def t_critical(confidence: float, degrees: int) -> float:
    """Two-sided critical value of Student's t."""
    check_confidence(confidence)
    return t_quantile(0.5 + confidence / 2, degrees)
