"""Simulates how often the intervals cover and the gate errs, with fixed seeds; `benchmarks.statistics` is its command."""

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from llmops.statistics.calibration import Confusion, Judged, correct_rate, prediction_powered_mean
from llmops.statistics.gate import interval_confidence, judge_relative
from llmops.statistics.intervals import Estimate, mean_interval, proportion_interval, quantile_interval, wilson
from llmops.statistics.matched_pairs import score_bounds
from llmops.statistics.paired import PairedDifference, paired_difference, paired_quantile_difference
from llmops.statistics.power import reachable_margin
from llmops.statistics.sequential import BETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

Interval = Estimate | PairedDifference | None
CORRELATION = 0.6
BASELINE = 0.85


def table(title: str, *columns: str) -> Table:
    made = Table(title=title)
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number == 0 else "right")
    return made


def wilson_enumerated() -> Table:
    """Coverage over a grid of true rates, by enumerating all outcomes."""
    made = table(
        "Wilson, two-sided 95 %, by enumeration (%)", "true rates with 10 of each expected", "n", "least", "mean", "most"
    )
    for n in (40, 80, 400, 2_000):
        outcomes = np.arange(n + 1)
        found = [wilson(int(k), n) for k in outcomes]
        low, high = (np.array([getattr(each, end) for each in found]) for end in ("low", "high"))
        rates = np.linspace(10 / n, 1 - 10 / n, 201)
        covered = [stats.binom.pmf(outcomes, n, p)[(low <= p) & (p <= high)].sum() for p in rates]
        made.add_row(f"{rates[0]:.3f} to {rates[-1]:.3f}", str(n), *(f"{100 * f(covered):.1f}" for f in (min, np.mean, max)))
    return made


def beta_binomial(generator: np.random.Generator, rate: float, shape: tuple[int, int]) -> "NDArray[np.float64]":
    """0-1 values of cases x repeats with the given intra-case correlation."""
    spread = 1 / CORRELATION - 1
    chance = generator.beta(rate * spread, (1 - rate) * spread, size=(shape[0], 1))
    return (generator.random(shape) < chance).astype(float)


def suites(
    generator: np.random.Generator, cases: int, repeats: int, drop: float, breaks: bool
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Both sides of a comparison: the drop lowers every case's chance, or breaks some cases altogether."""
    spread = 1 / CORRELATION - 1
    chance = generator.beta(BASELINE * spread, (1 - BASELINE) * spread, size=(cases, 1))
    kept = generator.random((cases, 1)) >= drop / BASELINE if breaks else 1 - drop / BASELINE
    before, after = (generator.random((cases, repeats)) < side for side in (chance, chance * kept))
    return before.astype(float).ravel(), after.astype(float).ravel()


def repeated_rate(generator: np.random.Generator, rate: float, cases: int) -> Interval:
    values = beta_binomial(generator, rate, (cases, 5))
    return proportion_interval(values.ravel(), np.repeat(np.arange(cases), 5))


def repeated_mean(generator: np.random.Generator, cases: int) -> Interval:
    values = generator.gamma(4, 1, (cases, 1)) + generator.normal(size=(cases, 5))
    return mean_interval(values.ravel(), np.repeat(np.arange(cases), 5))


def paired_rate(generator: np.random.Generator, cases: int, repeats: int, breaks: bool) -> Interval:
    return paired_difference(*suites(generator, cases, repeats, 0.1, breaks), clusters=np.repeat(np.arange(cases), repeats))


def paired_mean(generator: np.random.Generator, cases: int) -> Interval:
    return paired_difference(np.zeros(cases), generator.gamma(2, 1, cases) - 1)


def slow_quantile(generator: np.random.Generator) -> Interval:
    return quantile_interval(generator.lognormal(size=200), 0.95)


def slower_quantile(generator: np.random.Generator) -> Interval:
    before, after = generator.lognormal(sigma=0.5, size=(2, 150))
    return paired_quantile_difference(before, 1.2 * after, 0.9)


def corrected(generator: np.random.Generator) -> Interval:
    found, refused = int(generator.binomial(60, 0.9)), int(generator.binomial(60, 0.8))
    said_yes = int(generator.binomial(400, 0.3 * 0.9 + 0.7 * 0.2))
    return correct_rate(said_yes, 400, Confusion(found, 60 - found, refused, 60 - refused))[0]


def powered(generator: np.random.Generator) -> Interval:
    truth = generator.beta(4, 2, size=560)
    judge = truth + 0.15 + generator.normal(0, 0.05, size=560)
    return prediction_powered_mean(truth[:60].tolist(), Judged(judge[:60].tolist()), Judged(judge[60:].tolist()))


# Name, true value, and what draws one interval.
SCENARIOS: tuple[tuple[str, float, Callable[[np.random.Generator], Interval]], ...] = (
    ("rate 0.5, 40 cases x 5", 0.5, partial(repeated_rate, rate=0.5, cases=40)),
    ("rate 0.8, 80 cases x 5", 0.8, partial(repeated_rate, rate=0.8, cases=80)),
    ("rate 0.95, 240 cases x 5", 0.95, partial(repeated_rate, rate=0.95, cases=240)),
    ("skewed mean, 30 cases x 5", 4.0, partial(repeated_mean, cases=30)),
    ("skewed mean, 200 cases x 5", 4.0, partial(repeated_mean, cases=200)),
    ("pairs, 120 x 1, lower chances", -0.1, partial(paired_rate, cases=120, repeats=1, breaks=False)),
    ("pairs, 120 x 5, lower chances", -0.1, partial(paired_rate, cases=120, repeats=5, breaks=False)),
    ("pairs, 120 x 1, broken cases", -0.1, partial(paired_rate, cases=120, repeats=1, breaks=True)),
    ("pairs, 120 x 5, broken cases", -0.1, partial(paired_rate, cases=120, repeats=5, breaks=True)),
    ("paired mean, skewed, 30", 1.0, partial(paired_mean, cases=30)),
    ("paired mean, skewed, 80", 1.0, partial(paired_mean, cases=80)),
    ("paired mean, skewed, 400", 1.0, partial(paired_mean, cases=400)),
    ("p95 of 200 lognormal values", float(stats.lognorm.ppf(0.95, 1)), slow_quantile),
    ("difference of p90, 150 cases", float(stats.lognorm.ppf(0.9, 0.5)) * 0.2, slower_quantile),
    ("corrected rate 0.3, 120 labels", 0.3, corrected),
    ("prediction-powered, 60 labels", 4 / 6, powered),
)


def coverage(runs: int) -> Table:
    made = table(f"Coverage of two-sided 95 % intervals, {runs:,} runs (%)", "figure", "covered", "too low", "too high", "s")
    generator = np.random.default_rng(1)
    for name, true, draw in SCENARIOS:
        started, below, above = time.perf_counter(), 0, 0
        for _ in range(runs):
            found = draw(generator)
            if found is None or found.low is None or found.high is None:
                raise ValueError(f"{name}: no interval")
            below += found.high < true
            above += found.low > true
        shares = (f"{100 * count / runs:.1f}" for count in (runs - below - above, below, above))
        made.add_row(name, *shares, f"{time.perf_counter() - started:.1f}")
    return made


def false_passes(runs: int) -> Table:
    made = table(
        f"Gate passes at a true drop of exactly the margin, {runs:,} runs (%; allowed 5)",
        "suite",
        "margin",
        "lower chances",
        "broken cases",
    )
    generator = np.random.default_rng(2)
    for cases, repeats, margin in ((80, 1, 0.05), (80, 1, 0.08), (80, 5, 0.05), (80, 5, 0.08), (400, 1, 0.05), (400, 5, 0.05)):
        numbers = np.repeat(np.arange(cases), repeats)
        shares = []
        for breaks in (False, True):
            passed = 0
            for _ in range(runs):
                before, after = suites(generator, cases, repeats, margin, breaks)
                found = paired_difference(before, after, clusters=numbers, confidence=interval_confidence(0.95))
                passed += judge_relative(found, margin) == "pass"
            shares.append(f"{100 * passed / runs:.1f}")
        made.add_row(f"{cases} cases x {repeats}", f"{100 * margin:.0f}", *shares)
    return made


def score_sizes() -> Table:
    title = "Wrong verdicts of the score interval at the margin, over rates of flips, by enumeration (%; allowed 5)"
    made = table(title, "cases", "margin", "passes: mean", "most", "fails: mean", "most")
    for n in (40, 60, 80, 200):
        wins, losses = (axis.ravel().astype(float) for axis in np.indices((n + 1, n + 1)))
        possible = wins + losses <= n
        wins, losses = wins[possible], losses[possible]
        size: Any = np.float64(n)
        low, high = score_bounds(wins, losses, size, float(stats.norm.ppf(0.95)))
        for margin in (0.05, 0.08):
            counts = np.column_stack([wins, losses, n - wins - losses])
            chances = [
                stats.multinomial.pmf(counts, n, [q - margin, q, 1 - 2 * q + margin]) for q in np.linspace(margin, 0.3, 30)
            ]
            wrong = ([float(chance[verdict].sum()) for chance in chances] for verdict in (low > -margin, high < -margin))
            shares = (f"{100 * f(rates):.2f}" for rates in wrong for f in (np.mean, max))
            made.add_row(str(n), f"{100 * margin:.0f}", *shares)
    return made


def log_evidence(differences: "NDArray[np.float64]", margin: float) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """`SequentialTest` for many series at once: log wealth after each case of both bettors.

    The first path speaks for the candidate, against a mean difference of at most -margin; the second against it.

    Args:
        differences: of shape (..., cases), as are the two paths.
        margin: as of the test.
    """
    centred = differences + margin
    return _mixture(centred / (1 - margin)), _mixture(-centred / (1 + margin))


def _mixture(gains: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Log of the average wealth over all bets; a gain of -1 loses the whole of a bet."""
    total: NDArray[np.float64] = np.full(gains.shape, -np.inf)
    for bet in BETS:
        total = np.logaddexp(total, np.cumsum(np.log1p(bet * gains), axis=-1))
    return np.asarray(total - np.log(len(BETS)))


def sequential(runs: int) -> Table:
    made = table(
        f"Sequential, up to 2,000 cases, margin 5, 15 % discordance, {runs:,} runs",
        "true difference",
        "pass %",
        "fail %",
        "median cases",
    )
    for mean in (0.0, -0.05, -0.1):
        drawn = np.random.default_rng(3).random((runs, 2_000))
        wins = drawn < (0.15 + mean) / 2
        crossed = [path >= np.log(20) for path in log_evidence(wins.astype(float) - (~wins & (drawn < 0.15)), 0.05)]
        when = [np.where(each.any(axis=1), each.argmax(axis=1) + 1, 2_001) for each in crossed]
        first = np.minimum(*when)
        passed, failed = ((side == first) & (first <= 2_000) for side in when)
        made.add_row(
            f"{100 * mean:.0f}",
            f"{100 * passed.mean():.1f}",
            f"{100 * failed.mean():.1f}",
            f"{min(2_000, np.median(first)):.0f}",
        )
    return made


def main(description: str | None = __doc__) -> None:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--runs", type=int, default=2_000, help="simulated data sets per figure")
    options = parser.parse_args()
    console = Console()
    console.print(wilson_enumerated())
    console.print(coverage(options.runs))
    console.print(score_sizes())
    console.print(false_passes(options.runs))
    console.print(sequential(options.runs))
    reach = ", ".join(f"{100 * reachable_margin(80, lost):.1f} with {lost}" for lost in (0, 1, 2))
    console.print(f"Smallest margin that 80 cases can show, by losses: {reach}")
