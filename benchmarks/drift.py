"""Prints how often `llmops drift` claims a change, with and without one, on simulated runs with fixed seeds.

Run: python -m benchmarks.drift [--simulations 200]

Each case has a pass rate of its own, drawn from Beta(4, 1), and a report looks at four signals, of which one changes.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from llmops.statistics.changepoints import find_changes

SIGNALS = 4


@dataclass
class Setting:
    """What is simulated."""

    cases: int
    runs: int
    missing: float = 0.0
    """Share of the cells without an answer."""
    drop: float = 0.0
    """By which the pass rate of every case falls, to 0 at least."""
    at: int = 1
    """0-based number of the first run after it."""

    def table(self, generator: np.random.Generator, drop: float) -> NDArray[np.float64]:
        """Verdicts of every case in every run."""
        rates = np.repeat(generator.beta(4, 1, size=(self.cases, 1)), self.runs, axis=1)
        rates[:, self.at :] = np.maximum(rates[:, self.at :] - drop, 0)
        values = (generator.random(rates.shape) < rates).astype(float)
        values[generator.random(rates.shape) < self.missing] = np.nan
        return values


SETTINGS = (
    *(Setting(*shape) for shape in ((20, 2), (20, 10), (100, 2), (100, 10))),
    Setting(100, 10, missing=0.2),
    *(Setting(100, 10, drop=drop, at=at) for drop, at in ((0.1, 5), (0.1, 9), (0.2, 9))),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=200)
    simulations = parser.parse_args().simulations
    made = Table(title=f"llmops drift, {simulations} simulated reports a row, confidence 95 %")
    columns = ("cases", "runs", "missing", "drop", "in run", "claimed %", "right run %", "in its range %", "smallest", "s")
    for column in columns:
        made.add_column(column, justify="right")
    for setting in SETTINGS:
        made.add_row(*measured(setting, simulations))
    Console().print(made)


def measured(setting: Setting, simulations: int) -> list[str]:
    """A row: of the claims, how many name the right run, and how many hold it in their range."""
    claimed = right = within = 0
    smallest: list[float] = []
    began = time.perf_counter()
    for seed in range(simulations):
        generator = np.random.default_rng(seed)
        tables = [setting.table(generator, setting.drop if number == 0 else 0.0) for number in range(SIGNALS)]
        found = find_changes(tables, rates=[True] * SIGNALS, seed=seed)
        changes = found[0].changes if setting.drop else [change for each in found for change in each.changes]
        claimed += bool(changes)
        right += any(change.at == setting.at for change in changes)
        within += any(change.earliest <= setting.at <= change.latest for change in changes)
        smallest += [found[0].smallest] if found[0].smallest is not None else []
    took = (time.perf_counter() - began) / simulations
    shape = [str(setting.cases), str(setting.runs), f"{setting.missing:.0%}"]
    reach = f"{np.mean(smallest):.3f}" if smallest else "none"
    if not setting.drop:
        return [*shape, "none", "–", f"{100 * claimed / simulations:.1f}", "–", "–", reach, f"{took:.2f}"]
    shares = [f"{100 * count / max(1, claimed):.1f}" for count in (right, within)]
    return [
        *shape, f"{setting.drop:g}", str(setting.at + 1), f"{100 * claimed / simulations:.1f}", *shares, reach, f"{took:.2f}"
    ]  # fmt: skip


if __name__ == "__main__":
    main()
