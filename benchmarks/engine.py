"""Prints what `llmops eval` costs in time, processor and memory, beside the bare client loop and other tools.

Run: python -m benchmarks.engine [--cases 10000] [--latency-ms 200] [--transport litellm] [--peers promptfoo,inspect]
     python -m benchmarks.engine --growth --cases 100000

Every row makes the same calls to the same endpoint, in turns; each round starts from an empty store. "start-up" is the same
command with one case. Peers are installed on demand, each into an environment of its own under --peers-dir. `--growth` holds
memory, store and wall times at 1,000 cases against those at --cases.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import LLMOPS, Cost, asked, last_run, run, serving, write_project
from benchmarks.peers import PEERS

SMALL = 1000


@dataclass(slots=True)
class Row:
    """A command and what its rounds cost."""

    costs: list[Cost] = field(default_factory=list)
    start_ups: list[float] = field(default_factory=list)
    """Wall seconds of the same command with one case; empty where that is not measured."""

    @property
    def wall_s(self) -> float:
        """Median."""
        return statistics.median(cost.wall_s for cost in self.costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--transport", choices=("direct", "litellm"), default="direct")
    parser.add_argument("--peers", default="", help="tools to run too: promptfoo, inspect")
    parser.add_argument("--peers-dir", type=Path, default=Path(tempfile.gettempdir()) / "llmops-peers")
    parser.add_argument("--growth", action="store_true", help="how memory and store grow from 1,000 cases to --cases")
    parser.add_argument("--bare", metavar="BASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        asyncio.run(bare_loop(options))
        return
    rows: dict[str, Row] = {}
    with serving(options.latency_ms) as base:
        if options.growth:
            grow(options, base)
            return
        for _ in range(options.rounds):
            measure(options, rows, base)
    show(options, rows)


def measure(options: argparse.Namespace, rows: dict[str, Row], base: str) -> None:
    """One round of every command."""
    bare = [sys.executable, "-m", "benchmarks.engine", f"--bare={base}"]
    bare += [f"--transport={options.transport}", f"--concurrency={options.concurrency}"]
    with tempfile.TemporaryDirectory() as name:
        model = {"concurrency": options.concurrency, "transport": options.transport}
        folder = write_project(Path(name), base, options.cases, **model)
        first = write_project(folder / "first", base, options.cases, **model)
        row = rows.setdefault(f"bare {options.transport} loop", Row())
        row.start_ups.append(run([*bare, "--cases=1"], folder).wall_s)
        row.costs.append(run([*bare, f"--cases={options.cases}"], folder))
        row = rows.setdefault("llmops eval", Row())
        row.start_ups.append(run([*LLMOPS, "eval", "--limit=1"], first).wall_s)
        asked(base)
        row.costs.append(run([*LLMOPS, "eval"], folder))
        counts = last_run(folder)["counts"]
        print(f"llmops eval: {counts['scored']:,} of {counts['cells']:,} scored; the endpoint counted {asked(base)}")
        rows.setdefault("llmops eval again", Row()).costs.append(run([*LLMOPS, "eval"], folder))
        rows.setdefault("llmops runs show", Row()).costs.append(run([*LLMOPS, "runs", "show"], folder))
        for name in filter(None, options.peers.split(",")):
            peer = PEERS[name](options.peers_dir, folder, base, options.concurrency)
            asked(base)
            rows.setdefault(name, Row()).costs.append(run(peer.command, folder, peer.environment))
            print(f"{name}: the endpoint counted {asked(base)}")


def grow(options: argparse.Namespace, base: str) -> None:
    """A table of what 1,000 cases and --cases take."""
    table = Table("cases", "wall s", "CPU s", "peak MB", "store MB", "KB / case", "again s", "again MB", "show s", box=SIMPLE)
    peaks = []
    for cases in (SMALL, options.cases):
        with tempfile.TemporaryDirectory() as name:
            folder = write_project(Path(name), base, cases, concurrency=options.concurrency, transport=options.transport)
            first, again = run([*LLMOPS, "eval"], folder), run([*LLMOPS, "eval"], folder)
            stored = sum(path.stat().st_size for path in (folder / ".llmops").glob("llmops.db*")) / 1e6
            shown = run([*LLMOPS, "runs", "show"], folder)
        peaks.append(first.peak_mb)
        figures = [first.wall_s, first.cpu_s, first.peak_mb, stored, 1000 * stored / cases]
        figures += [again.wall_s, again.peak_mb, shown.wall_s]
        table.add_row(f"{cases:,}", *(f"{figure:.1f}" for figure in figures))
    Console(width=120).print(table)
    print(f"The store holds two runs. Peak memory grows by a factor of {peaks[1] / peaks[0]:.2f}.")


def show(options: argparse.Namespace, rows: Mapping[str, Row]) -> None:
    """A table of medians; the memory is the highest."""
    ideal = options.cases * options.latency_ms / 1000 / options.concurrency
    best = f"; at best {ideal:.2f} s" if ideal else ""
    print(f"\n{options.cases:,} cases, {options.latency_ms:g} ms, {options.concurrency} at once, {options.rounds} rounds{best}")
    ours = rows["llmops eval"].wall_s
    table = Table("", "wall s", "start-up s", "cases/s", "CPU s", "peak MB", "wall / llmops", box=SIMPLE)
    for name, row in rows.items():
        cpu = statistics.median(cost.cpu_s for cost in row.costs)
        peak = max(cost.peak_mb for cost in row.costs)
        start_up = f"{statistics.median(row.start_ups):.2f}" if row.start_ups else ""
        rate = f"{options.cases / row.wall_s:,.0f}"
        table.add_row(name, f"{row.wall_s:.2f}", start_up, rate, f"{cpu:.2f}", f"{peak:.0f}", f"{row.wall_s / ours:.2f}")
    Console(width=100).print(table)
    bare = rows[f"bare {options.transport} loop"]
    share = (bare.wall_s - statistics.median(bare.start_ups)) / (ours - statistics.median(rows["llmops eval"].start_ups))
    print(f"After start-up llmops makes {100 * share:.0f} % of the bare loop's calls per second.")


async def bare_loop(options: argparse.Namespace) -> None:
    """The same calls with the client alone, nothing parsed, checked or stored."""
    requests = iter(range(options.cases))
    if options.transport == "litellm":
        await asyncio.gather(*(litellm_worker(options.bare, requests) for _ in range(options.concurrency)))
        return
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def worker() -> None:
            for number in requests:
                body = {"model": "m", "messages": messages(number)}
                async with session.post(f"{options.bare}/chat/completions", json=body) as response:
                    await response.json()

        await asyncio.gather(*(worker() for _ in range(options.concurrency)))


async def litellm_worker(base: str, requests: Iterator[int]) -> None:
    import litellm

    for number in requests:
        await litellm.acompletion("openai/m", messages(number), api_base=base, api_key="none", max_retries=0)


def messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Say the code word.\nword-{number}"}]


if __name__ == "__main__":
    main()
