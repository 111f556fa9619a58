"""A project that asks the benchmarks' endpoint, and what a command on it costs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

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


def last_run(folder: Path) -> dict[str, Any]:
    """The last run of a project, as its JSON tells it."""
    shown = subprocess.run([*LLMOPS, "runs", "show", "--json"], cwd=folder, env=environment(), capture_output=True, check=True)
    return dict(json.loads(shown.stdout)["runs"][0])


def asked(base: str) -> dict[str, int]:
    """What the endpoint counted since the last time."""
    with urlopen(base.replace("/v1", "/counts")) as response:
        return dict(json.load(response))


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Of every command; compiled modules are kept, as they are where llmops is installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "OPENAI_API_KEY": "none", "PYTHONPATH": HOME, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **(extra or {})}


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


def write_project(root: Path, base: str, cases: int, **model: object) -> Path:
    """A project whose one suite asks the endpoint; `model` are further settings of it."""
    rows = (json.dumps({"id": f"c{n}", "vars": {"word": f"word-{n}"}, "expected": [f"word-{n}"]}) for n in range(cases))
    texts = {
        "llmops.yaml": json.dumps({"models": {"endpoint": {"id": "openai/m", "api_base": base, **model}}}),
        "prompts/say/prompt.j2": PROMPT,
        "evals/say.yaml": SUITE,
        "datasets/cases.jsonl": "\n".join(rows) + "\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@contextmanager
def serving(latency_ms: float, *, faults: bool = False) -> Iterator[str]:
    """The endpoint's base URL, while it runs."""
    command = [sys.executable, "-m", "benchmarks.endpoint", f"--latency-ms={latency_ms}", *(["--faults"] if faults else [])]
    with subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()
