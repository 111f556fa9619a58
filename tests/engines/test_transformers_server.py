"""A real engine on this machine, transformers' own server, is evaluated like any hosted model: `make test-engines`."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
LLMOPS = [sys.executable, "-c", "from llmops.cli.main import main; main()"]
OFFLINE = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1"}
MODEL = (
    "id: openai/tiny, api_base: {base}, timeout_s: 60, params: {{temperature: 0, max_tokens: 6}}, price: {{usd_per_hour: 0.36}}"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server that holds the model."""
    folder = tmp_path_factory.mktemp("engine")
    subprocess.run([sys.executable, str(HERE / "tiny_model.py"), str(folder / "tiny")], check=True, env=OFFLINE, timeout=120)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", "tiny", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, env=OFFLINE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/health", server)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail("the engine did not start")


def _evaluated(folder: Path, base: str, transport: str, *, ttft: bool = False) -> dict[str, Any]:
    model = MODEL.format(base=base)
    files = {
        "llmops.yaml": f"models:\n  local: {{{model}, transport: {transport}}}\n",
        "prompts/say/prompt.j2": "user:\nSay {{ word }}.\n",
        "evals/say.yaml": "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [local]\n"
        f"evaluators:\n  - latency: {{ttft: {str(ttft).lower()}}}\n  - tokens\n  - cost\n",
        "datasets/say.jsonl": "".join(json.dumps({"id": f"c{i}", "vars": {"word": f"w{i}"}}) + "\n" for i in range(4)),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {**os.environ, "OPENAI_API_KEY": "unused"}
    done = subprocess.run(
        [*LLMOPS, "eval", "--json"], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    return dict(run)


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_a_local_engine_is_evaluated(tmp_path: Path, engine: str, transport: str) -> None:
    run = _evaluated(tmp_path, engine, transport)
    (group,) = run["groups"]
    assert (group["cells"], group["answered"], run["counts"]["model_calls"]) == (4, 4, 4)
    assert group["spend"]["output_tokens"] == 4 * 6
    assert group["spend"]["input_tokens"] > 4 * 10
    assert not group["spend"]["estimated_tokens"]
    assert 0 < group["spend"]["cost_usd"] < 0.36 * 240 / 3600


def test_both_transports_bring_the_same_answers(tmp_path: Path, engine: str) -> None:
    direct, through_litellm = (_evaluated(tmp_path / t, engine, t) for t in ("direct", "litellm"))
    assert [cell["output"] for cell in direct["results"]] == [cell["output"] for cell in through_litellm["results"]]
    assert [cell["usage"] for cell in direct["results"]] == [cell["usage"] for cell in through_litellm["results"]]


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_time_to_first_token_is_measured_on_a_stream(tmp_path: Path, engine: str, transport: str) -> None:
    (group,) = _evaluated(tmp_path, engine, transport, ttft=True)["groups"]
    assert 0 < group["latency"]["ttft_p50_s"] <= group["latency"]["live_p95_s"]
