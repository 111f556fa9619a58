"""Prints how often gate rules pass a harmless change and miss a regression, on simulated suites.

Run: python -m benchmarks.gate

The rules: `threshold` (the pass rate must reach a fixed number, here the true rate less the margin, which nobody knows),
`no flip` (no case may go from pass to fail), `superior` (significantly better, as MLflow's paired test asks) and
`non-inferior` (ours: not worse by the margin or more).

A suite's baseline passes 85 % of its cases. A harmless change flips some cases at random, as many to pass as to fail. A
regression does the same and breaks further cases, twice the margin in all. A miss is a pass on the regression; a block is
anything but a pass on the harmless change.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from llmops.domain.reports import Verdict
from llmops.statistics.gate import interval_confidence, judge_relative
from llmops.statistics.paired import PairedDifference, paired_difference

if TYPE_CHECKING:
    from numpy.random import Generator

BASELINE = 0.85
MARGINS = (0.05, 0.08)
CASES = (80, 400)
MISSES_ALLOWED = 0.05
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "inconclusive")
Rates = dict[Verdict, float]


class Outcome(NamedTuple):
    """What one simulated comparison shows."""

    cases: int
    passed: int
    """By the candidate."""
    wins: int
    losses: int


@cache
def compared(cases: int, wins: int, losses: int) -> PairedDifference:
    """The interval depends on the flips alone, and the same flips come up often."""
    before = [0] * wins + [1] * losses + [1] * (cases - wins - losses)
    after = [1] * wins + [0] * losses + [1] * (cases - wins - losses)
    found = paired_difference(before, after, confidence=interval_confidence(0.95))
    if found is None:
        raise ValueError("a suite needs cases")
    return found


def plain_threshold(outcome: Outcome, margin: float) -> Verdict:
    return "pass" if outcome.passed / outcome.cases >= BASELINE - margin else "fail"


def no_flip(outcome: Outcome, margin: float) -> Verdict:
    return "fail" if outcome.losses else "pass"


def superiority(outcome: Outcome, margin: float) -> Verdict:
    better = judge_relative(compared(outcome.cases, outcome.wins, outcome.losses), 0.0, "superior_to") == "pass"
    return "pass" if better else "fail"


def non_inferiority(outcome: Outcome, margin: float) -> Verdict:
    return judge_relative(compared(outcome.cases, outcome.wins, outcome.losses), margin)


OURS = "non-inferior"
RULES: dict[str, Callable[[Outcome, float], Verdict]] = {
    "threshold": plain_threshold,
    "no flip": no_flip,
    "superior": superiority,
    OURS: non_inferiority,
}


def simulate(generator: "Generator", cases: int, flips: float, drop: float) -> Outcome:
    passing = int(generator.binomial(cases, BASELINE))
    losses = int(generator.binomial(passing, (flips / 2 + drop) / BASELINE))
    wins = int(generator.binomial(cases - passing, flips / 2 / (1 - BASELINE)))
    return Outcome(cases, passing - losses + wins, wins, losses)


def rates(runs: int, cases: int, margin: float, flips: float, drop: float) -> dict[str, Rates]:
    """Share of each verdict, by rule; all rules see the same suites."""
    from numpy.random import default_rng

    generator = default_rng([cases, round(margin * 1000), round(flips * 1000), round(drop * 1000)])
    counts: dict[str, Counter[Verdict]] = {name: Counter() for name in RULES}
    for _ in range(runs):
        outcome = simulate(generator, cases, flips, drop)
        for name, rule in RULES.items():
            counts[name][rule(outcome, margin)] += 1
    return {name: {verdict: count[verdict] / runs for verdict in VERDICTS} for name, count in counts.items()}


def table_of(runs: int, flips: float) -> tuple[Table, list[str]]:
    """The table of one share of random flips, and a sentence for each of its suites."""
    table = Table(
        title=f"{flips:.0%} of the cases flip at random; {runs:,} simulated suites each; % of suites", box=SIMPLE, padding=0
    )
    for column in ("margin", "cases", "rule"):
        table.add_column(column, no_wrap=True)
    for column in ("harmless\npass", "\nfail", "\nincon.", "regress.\npass", "\nfail", "\nincon."):
        table.add_column(column, justify="right", no_wrap=True)
    sentences = []
    for margin in MARGINS:
        for cases in CASES:
            harmless = rates(runs, cases, margin, flips, 0.0)
            regressed = rates(runs, cases, margin, flips, 2 * margin)
            for name in RULES:
                shown = (f"{100 * side[name][v]:.1f}" for side in (harmless, regressed) for v in VERDICTS)
                table.add_row(f"{100 * margin:.0f}", str(cases), name, *shown)
            table.add_section()
            sentences.append(f"margin {100 * margin:.0f}, {cases} cases: {least_blocking(harmless, regressed)}")
    return table, sentences


def least_blocking(harmless: dict[str, Rates], regressed: dict[str, Rates]) -> str:
    allowed = [name for name in RULES if regressed[name]["pass"] <= MISSES_ALLOWED]
    if OURS not in allowed:
        return f"ours misses {regressed[OURS]['pass']:.1%}, more than {MISSES_ALLOWED:.0%}"
    blocks = {name: 1 - harmless[name]["pass"] for name in allowed}
    best = min(blocks.values())
    among = f"of {len(allowed)} rules with at most {MISSES_ALLOWED:.0%} misses"
    if blocks[OURS] == best:
        return f"{among} ours blocks least, {blocks[OURS]:.1%}"
    better = ", ".join(f"{name!r} {block:.1%}" for name, block in blocks.items() if block < blocks[OURS])
    return f"{among} ours does NOT block least: {blocks[OURS]:.1%} beside {better}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="simulated suites per figure")
    parser.add_argument("--flips", type=float, nargs="+", default=[0.02, 0.06, 0.12], help="shares of random flips")
    options = parser.parse_args()
    console = Console()
    console.print(__doc__)
    for flips in options.flips:
        table, sentences = table_of(options.runs, flips)
        console.print(table)
        for sentence in sentences:
            console.print(f"  {sentence}")


if __name__ == "__main__":
    main()
