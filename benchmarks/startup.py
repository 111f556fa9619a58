"""Start-up beside bare Python: python -m benchmarks.startup [RUNS].

Modules are compiled beforehand, as pip compiles what it installs.
"""

import compileall
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measuring import HOME, environment

COMMAND = [str(Path(sys.executable).with_name("llmops"))]


def timed(command: list[str], folder: str, runs: int) -> float:
    """Median seconds of a command, after one run that is not counted."""
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True)
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    compileall.compile_dir(f"{HOME}/llmops", quiet=1)
    table = Table("command", "median s", "times `python -c pass`")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*COMMAND, "init"], cwd=folder, check=True, capture_output=True)
        subprocess.run([*COMMAND, "eval"], cwd=folder, check=True, capture_output=True)
        bare = timed([sys.executable, "-c", "pass"], folder, runs)
        rows = (
            ("python -c pass", [sys.executable, "-c", "pass"], folder),
            ("llmops --help", [*COMMAND, "--help"], folder),
            ("llmops eval --help", [*COMMAND, "eval", "--help"], folder),
            ("llmops eval, fully cached, 16 cells", [*COMMAND, "eval"], folder),
            ("llmops eval, fully cached, the sample project", [*COMMAND, "eval"], HOME),
        )
        for name, command, where in rows:
            seconds = timed(command, where, runs)
            table.add_row(name, f"{seconds:.3f}", f"{seconds / bare:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
