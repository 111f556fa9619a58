"""Prints what `llmops eval` costs in time, processor and memory, beside the bare client loop and other tools.

Run: python -m benchmarks.engine [--cases 10000] [--latency-ms 200] [--transport litellm] [--faults] [--peers promptfoo,inspect]

Every row makes the same calls to the same endpoint, in turns; each round starts from an empty store. "start-up" is the same
command with one case. Peers are installed on demand, each into an environment of its own under --peers-dir.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from benchmarks.peers import PEERS

LLMOPS = [sys.executable, "-c", "from llmops.cli.main import main; main()"]
HOME = str(Path(__file__).parents[1])
PROMPT = "---\ndescription: Benchmark.\nvariables:\n  word: {type: string}\n---\nuser:\nSay the code word.\n{{ word }}\n"
SUITE = """description: Benchmark.
dataset: datasets/cases.jsonl
prompts: [say]
targets: [endpoint]
evaluators:
  - contains: {any: expected}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


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
    parser.add_argument(
        "--faults", action="store_true", help="add a run with 5 %% 429, 2 %% 500, 1 %% resets, broken JSON, hangs"
    )
    parser.add_argument("--peers", default="", help="tools to run too: promptfoo, inspect")
    parser.add_argument("--peers-dir", type=Path, default=Path(tempfile.gettempdir()) / "llmops-peers")
    parser.add_argument("--bare", metavar="BASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        asyncio.run(bare_loop(options))
        return
    with ExitStack() as stack:
        base = stack.enter_context(serving(options.latency_ms, faults=False))
        faulty = stack.enter_context(serving(options.latency_ms, faults=True)) if options.faults else None
        rows: dict[str, Row] = {}
        for _ in range(options.rounds):
            measure(options, rows, base)
            if faulty is not None:
                measure_faults(options, rows, faulty)
    show(options, rows)


def measure(options: argparse.Namespace, rows: dict[str, Row], base: str) -> None:
    """One round of every command."""
    bare = [sys.executable, "-m", "benchmarks.engine", f"--bare={base}"]
    bare += [f"--transport={options.transport}", f"--concurrency={options.concurrency}"]
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), Path(name) / "first"
        write_project(folder, base, options)
        write_project(first, base, options)
        row = rows.setdefault(f"bare {options.transport} loop", Row())
        row.start_ups.append(run([*bare, "--cases=1"], folder).wall_s)
        row.costs.append(run([*bare, f"--cases={options.cases}"], folder))
        row = rows.setdefault("llmops eval", Row())
        row.start_ups.append(run([*LLMOPS, "eval", "--limit=1"], first).wall_s)
        asked(base)
        row.costs.append(run([*LLMOPS, "eval"], folder))
        tell("llmops eval", folder, base)
        rows.setdefault("llmops eval again", Row()).costs.append(run([*LLMOPS, "eval"], folder))
        rows.setdefault("llmops runs show", Row()).costs.append(run([*LLMOPS, "runs", "show"], folder))
        for name in filter(None, options.peers.split(",")):
            peer = PEERS[name](options.peers_dir, folder, base, options.concurrency)
            asked(base)
            rows.setdefault(name, Row()).costs.append(run(peer.command, folder, peer.environment))
            print(f"{name}: the endpoint counted {asked(base)}")


def measure_faults(options: argparse.Namespace, rows: dict[str, Row], base: str) -> None:
    """The same run against an endpoint that fails now and then; a call may take a second."""
    with tempfile.TemporaryDirectory() as name:
        write_project(Path(name), base, options, timeout_s=1)
        rows.setdefault("llmops eval, faults", Row()).costs.append(run([*LLMOPS, "eval"], Path(name)))
        tell("llmops eval, faults", Path(name), base)


def tell(name: str, folder: Path, base: str) -> None:
    """What a run made of its cases, and what the endpoint saw."""
    shown = subprocess.run([*LLMOPS, "runs", "show", "--json"], cwd=folder, env=environment(), capture_output=True, check=True)
    counts = json.loads(shown.stdout)["runs"][0]["counts"]
    scored = f"{counts['scored']:,} of {counts['cells']:,} scored, {counts['failed']} failed"
    print(f"{name}: {scored}; the endpoint counted {asked(base)}")


def asked(base: str) -> dict[str, int]:
    """What the endpoint counted since the last time."""
    with urlopen(base.replace("/v1", "/counts")) as response:
        return dict(json.load(response))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of every command."""
    return {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": HOME, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **(extra or {})}


def run(command: list[str], folder: Path, extra: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end; its output counts only when it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, cwd=folder, env=environment(extra), stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        output.seek(0)
        if process.returncode not in (0, 3):  # 3: faults left cases without an answer, which is told
            raise SystemExit(output.read().decode(errors="replace"))
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


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


def write_project(root: Path, base: str, options: argparse.Namespace, timeout_s: float = 60) -> None:
    """A project whose one suite asks the endpoint."""
    settings = {"id": "openai/m", "api_base": base, "timeout_s": timeout_s}
    settings |= {"concurrency": options.concurrency, "transport": options.transport}
    cases = (
        json.dumps({"id": f"c{n}", "vars": {"word": f"word-{n}"}, "expected": [f"word-{n}"]}) for n in range(options.cases)
    )
    texts = {
        "llmops.yaml": json.dumps({"models": {"endpoint": settings}}),
        "prompts/say/prompt.j2": PROMPT,
        "evals/say.yaml": SUITE,
        "datasets/cases.jsonl": "\n".join(cases) + "\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@contextmanager
def serving(latency_ms: float, *, faults: bool) -> Iterator[str]:
    """The endpoint's base URL, while it runs."""
    command = [sys.executable, "-m", "benchmarks.endpoint", f"--latency-ms={latency_ms}", *(["--faults"] if faults else [])]
    with subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
