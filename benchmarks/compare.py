"""Time and memory of comparing two stored runs: python -m benchmarks.compare [--cases 10000] [--evaluators 5]

Writes two runs of made results into a store of its own, then runs `llmops compare` on them as a process, and beside it a
process that only reads the same rows with sqlite3 and json.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from llmops.adapters.sql.store import open_store
from llmops.domain.runs import CellResult, EvaluatorResult, Run

PROJECT = "models:\n  m: {id: embedded/reader-small}\n"
READ = """
import json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("select value from results")
print(sum(len(json.loads(value)) for (value,) in rows))
"""
COMPARE = "from llmops.cli.main import main; main()"


def write(folder: Path, cases: int, evaluators: int) -> Path:
    (folder / "llmops.yaml").write_text(PROJECT, encoding="utf-8")
    path = folder / ".llmops" / "llmops.db"
    store = open_store("sqlite:///.llmops/llmops.db", folder)
    draw = random.Random(0)
    for number in range(2):
        snapshot = {"prompts": {"p": f"hash{number}"}, "targets": {"m": {}}, "evaluators": {}}
        run = Run(
            f"20260101-00000{number}-aaaa", "evals/s.yaml", "running", "2026-01-01T00:00:00", None, str(number), cases, snapshot
        )
        store.begin_run(run)
        for start in range(0, cases, 1000):
            store.commit((), run.id, [_cell(i, evaluators, draw) for i in range(start, min(cases, start + 1000))])
        store.finish_run(run.id, "finished", "2026-01-01T00:01:00", {})
    store.close()
    return path


def _cell(position: int, evaluators: int, draw: random.Random) -> CellResult:
    outcomes = {}
    for index in range(evaluators):
        value = draw.random()
        outcomes[f"e{index}"] = EvaluatorResult("scored", value, value < 0.8, "made")
    return CellResult(position, f"c{position:06}", "p", "m", 0, "scored", "An answer of some length. " * 8, None, outcomes)


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and MB of a process."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 4):
        raise SystemExit(done.stderr)
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--evaluators", type=int, default=5)
    arguments = parser.parse_args()
    table = Table("process", "s", "x reading", "MB at most so far", box=None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write(folder, arguments.cases, arguments.evaluators)
        reading, memory = measured([sys.executable, "-c", READ, str(path)], folder)
        table.add_row("read and parse the rows", f"{reading:.2f}", "1.0", f"{memory:.0f}")
        command = [
            sys.executable,
            "-c",
            COMPARE,
            "compare",
            "20260101-000000-aaaa",
            "20260101-000001-aaaa",
            "--margin",
            "0.05",
            "--json",
        ]
        seconds, memory = measured(command, folder)
        table.add_row("llmops compare --json", f"{seconds:.2f}", f"{seconds / reading:.1f}", f"{memory:.0f}")
    Console().print(f"{arguments.cases} cases x {arguments.evaluators} evaluators, two runs")
    Console().print(table)


if __name__ == "__main__":
    main()
