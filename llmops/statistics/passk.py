"""What repeats tell: the chance that one of k tries passes, that all do, and which cases flicker."""

from collections.abc import Mapping, Sequence
from math import comb

from llmops.domain.records import record
from llmops.statistics.intervals import Estimate, mean_interval


def pass_at_k(repeats: int, passed: int, k: int) -> float:
    """Chance that at least one of k tries passes: 1 - C(n - c, k) / C(n, k) (Chen et al. 2021, unbiased).

    Raises:
        ValueError: not 0 <= passed <= repeats, or not 1 <= k <= repeats.
    """
    _check(repeats, passed, k)
    return 1 - comb(repeats - passed, k) / comb(repeats, k)


def pass_hat_k(repeats: int, passed: int, k: int) -> float:
    """Chance that all of k tries pass, pass^k: C(c, k) / C(n, k) (Yao et al. 2024, tau-bench, unbiased).

    Raises:
        ValueError: not 0 <= passed <= repeats, or not 1 <= k <= repeats.
    """
    _check(repeats, passed, k)
    return comb(passed, k) / comb(repeats, k)


def over_tries(
    results: Mapping[int, Sequence[bool]], k: int, *, every: bool = False, confidence: float = 0.95
) -> Estimate | None:
    """Mean of pass@k over cases, or of pass^k, with an interval.

    Args:
        results: by case, whether each repeat passed.
        k: tries; cases with fewer repeats are left out.
        every: pass^k, all tries pass, instead of at least one.
        confidence: two-sided.

    Returns:
        The figure, or None when no case has k repeats.
    """
    chance = pass_hat_k if every else pass_at_k
    tried = [chance(len(each), sum(each), k) for each in results.values() if len(each) >= k]
    return mean_interval(tried, bounds=(0, 1), confidence=confidence)


@record
class Flaky:
    """A case whose verdict differs between its repeats."""

    case: str
    passed: int
    repeats: int


def flaky_cases(results: Mapping[str, Sequence[bool]]) -> tuple[Flaky, ...]:
    """Cases that neither always pass nor always fail, the most undecided first."""
    found = [Flaky(case, sum(each), len(each)) for case, each in results.items() if 0 < sum(each) < len(each)]
    return tuple(sorted(found, key=lambda flaky: (abs(flaky.passed / flaky.repeats - 0.5), flaky.case)))


def _check(repeats: int, passed: int, k: int) -> None:
    if not 0 <= passed <= repeats or not 1 <= k <= repeats:
        raise ValueError(f"needs 0 <= passed <= repeats and 1 <= k <= repeats, found {passed} of {repeats} and k = {k}")
