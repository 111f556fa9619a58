"""Prints what becomes of a run whose endpoint fails now and then, and of one whose endpoint is dead.

Run: python -m benchmarks.faults [--cases 10000] [--latency-ms 20] [--transport litellm]

The endpoint answers 5 % of the calls with 429 and `Retry-After: 1`, 2 % with 500, breaks 1 %, garbles 1 % and hangs in 1 %; a
call may take a second. The same cases against a faultless endpoint are what the wall time is held against.
"""

import argparse
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.measuring import LLMOPS, asked, environment, last_run, run, serving, write_project


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--transport", choices=("direct", "litellm"), default="direct")
    options = parser.parse_args()
    table = Table("endpoint", "wall s", "/ faultless", "scored", "failed", "calls", "what failed", box=SIMPLE)
    faultless = 0.0
    for name, faults in (("faultless", False), ("faults", True)):
        with serving(options.latency_ms, faults=faults) as base, tempfile.TemporaryDirectory() as folder:
            project = write_project(Path(folder), base, options.cases, **model(options))
            wall = run([*LLMOPS, "eval"], project).wall_s
            faultless = faultless or wall
            cells = last_run(project)
            print(f"{name}: the endpoint counted {asked(base)}")
        counts, reasons = cells["counts"], Counter(cell["error"] for cell in cells["results"] if cell["status"] == "failed")
        share = f"{100 * counts['scored'] / options.cases:.2f} %"
        told = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        table.add_row(
            name, f"{wall:.1f}", f"{wall / faultless:.2f}", share, str(counts["failed"]), f"{counts['model_calls']:,}", told
        )
    Console(width=120).print(table)
    dead(options)


def model(options: argparse.Namespace) -> dict[str, object]:
    """The model's settings."""
    return {"timeout_s": 1, "concurrency": options.concurrency, "transport": options.transport}


def dead(options: argparse.Namespace) -> None:
    """A run against a port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        project = write_project(Path(folder), f"http://127.0.0.1:{port}/v1", options.cases, **model(options))
        began = time.perf_counter()
        done = subprocess.run([*LLMOPS, "eval"], cwd=project, env=environment(), capture_output=True, text=True, check=False)
        wall = time.perf_counter() - began
    print(f"dead endpoint: {wall:.1f} s, exit {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
