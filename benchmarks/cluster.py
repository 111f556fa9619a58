"""Prints how an evaluation scales from one worker of a Ray cluster to two, and what many cells take at these figures.

Run: python -m benchmarks.cluster [--cases 900] [--rounds 3] [--plan 10000000]

A worker has one CPU and one thread. "detectors" judges recorded answers and is bound by processors; "calls" asks an endpoint
that answers at once, so that what is left is what a cell costs the process that hands out the work. A loaded machine shows in
the load that is printed: two workers need two free processors beside that process.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import LLMOPS, last_run, run, serving, write_project
from benchmarks.ray_cluster import ROOT, started

SUITE = """description: Benchmark.
dataset: datasets/cases.jsonl
evaluators:
  - hallucination: {backend: embedded, max: 0.5}
  - toxicity: {backend: embedded, max: 0.5}
"""
ALONE, ONE, TWO = "this process, one thread", "one worker", "two workers"


@dataclass(slots=True)
class Row:
    """One way to run one suite; the figures of its rounds."""

    wall_s: list[float] = field(default_factory=list)
    """Of the run itself, without start-up."""
    cpu_s: list[float] = field(default_factory=list)
    """Of the process that hands out the work, without what one cell costs it."""
    bytes_per_cell: float = 0.0

    def rate(self, cases: int) -> float:
        """Cells per second, median."""
        return cases / statistics.median(self.wall_s)

    def cpu_ms(self, cases: int) -> float:
        """Milliseconds per cell, median."""
        return 1000 * statistics.median(self.cpu_s) / cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plan", type=int, default=10_000_000, help="cells to plan for")
    parser.add_argument("--cpus", type=int, default=16, help="of one machine of the plan")
    parser.add_argument("--usd-per-hour", type=float, default=0.80, help="price of such a machine")
    parser.add_argument("--tokens", type=int, nargs=2, default=(800, 150), help="of one call, in and out")
    parser.add_argument("--usd-per-million", type=float, nargs=2, default=(0.15, 0.60), help="price of tokens, in and out")
    options = parser.parse_args()
    rows: dict[tuple[str, str], Row] = {}
    for number in range(options.rounds):
        print(f"round {number + 1}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
        measure(options.cases, rows)
    show(options.cases, rows)
    plan(options, rows)


def measure(cases: int, rows: dict[tuple[str, str], Row]) -> None:
    """One round of every row, each from an empty store."""
    for where, workers in ((ALONE, 0), (ONE, 1), (TWO, 2)):
        with joined(workers) as (arguments, variables):
            once(rows.setdefault(("detectors", where), Row()), recorded, arguments, variables, cases)
            if workers != 1:
                with serving(0) as base:
                    once(rows.setdefault(("calls", where), Row()), partial(asking, base), arguments, variables, cases)


@contextmanager
def joined(workers: int) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Options and variables of a run with so many workers; 0: without a cluster."""
    if not workers:
        yield [], {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        return
    with started(workers) as cluster:
        yield ["--engine", "ray", "--address", cluster.address], cluster.variables


def once(row: Row, write: Callable[[Path, int], object], arguments: list[str], variables: dict[str, str], cases: int) -> None:
    """One run, and one of a single cell to take the start-up away."""
    with tempfile.TemporaryDirectory() as name:
        small, whole = Path(name, "small"), Path(name, "whole")
        write(small, cases)
        write(whole, cases)
        start_up = run([*LLMOPS, "eval", "--limit=1", *arguments], small, variables)
        cost = run([*LLMOPS, "eval", *arguments], whole, variables)
        done = last_run(whole)
        assert done["counts"]["scored"] == cases
        row.wall_s.append(done["timing"]["wall_s"] - last_run(small)["timing"]["wall_s"])
        row.cpu_s.append(cost.cpu_s - start_up.cpu_s)
        sizes = [sum(path.stat().st_size for path in Path(root, ".llmops").glob("llmops.db*")) for root in (whole, small)]
        row.bytes_per_cell = (sizes[0] - sizes[1]) / cases


def asking(base: str, root: Path, cases: int) -> Path:
    """A project whose cells are one call each."""
    return write_project(root, base, cases, concurrency=64)


def recorded(root: Path, cases: int) -> Path:
    """A project of the sample's recorded answers, each told often enough and each time a little differently."""
    lines = (ROOT / "datasets/recorded-answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    rows = [
        answers[n % len(answers)] | {"id": f"c{n}", "output": f"{answers[n % len(answers)]['output']} ({n})"}
        for n in range(cases)
    ]
    write_project(root, "http://127.0.0.1:9/v1", 0)
    (root / "evals/say.yaml").write_text(SUITE, encoding="utf-8")
    (root / "datasets/cases.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return root


def show(cases: int, rows: dict[tuple[str, str], Row]) -> None:
    """A table of medians, and the ratio that is asked for."""
    table = Table("suite", "where", "cells/s", "CPU ms per cell here", "bytes per cell", box=SIMPLE)
    for (suite, where), row in rows.items():
        figures = (f"{row.rate(cases):,.1f}", f"{row.cpu_ms(cases):.2f}", f"{row.bytes_per_cell:,.0f}")
        table.add_row(suite, where, *figures)
    Console(width=100).print(table)
    ratios = [one / two for one, two in zip(rows["detectors", ONE].wall_s, rows["detectors", TWO].wall_s, strict=True)]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"From one worker to two: {statistics.median(ratios):.2f} x (rounds: {each}).")


def plan(options: argparse.Namespace, rows: dict[tuple[str, str], Row]) -> None:
    """What so many cells take, each with one call and both detectors."""
    cells = options.plan
    detectors, calls = rows["detectors", TWO], rows["calls", TWO]
    worker_ms = 1000 / rows["detectors", ONE].rate(options.cases)
    here_ms = detectors.cpu_ms(options.cases) + calls.cpu_ms(options.cases)
    hours = cells * here_ms / 3.6e6
    workers = -(-worker_ms // here_ms)
    machines = -(-(workers + 2) // options.cpus)
    stored = (detectors.bytes_per_cell + calls.bytes_per_cell) * cells / 1e9
    tokens = sum(count * price for count, price in zip(options.tokens, options.usd_per_million, strict=True)) / 1e6
    print(f"\n{cells:,} cells, each with one call and both detectors:")
    print(f"  handing out: {here_ms:.2f} ms per cell in one process, {hours:.1f} hours, {1000 / here_ms:,.0f} cells/s at best")
    print(f"  detectors: {worker_ms:.1f} ms of a worker per cell: {workers:.0f} workers keep up with it")
    print(f"  machines of {options.cpus} CPUs, two of them for that process and its store: {machines:.0f}")
    print(f"  store: {stored:,.0f} GB")
    print(f"  machines: ${machines * hours * options.usd_per_hour:,.0f} at ${options.usd_per_hour:.2f} an hour each")
    print(f"  calls: ${cells * tokens:,.0f} for {options.tokens[0]} tokens in and {options.tokens[1]} out each")


if __name__ == "__main__":
    main()
