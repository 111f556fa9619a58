"""The whole loop of a route, served by LiteLLM's own proxy: record, fit, report, export, serve, read the log."""

import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "functional"))
from command_line import llmops, write
from openai_server import OpenAiServer

ROOT = Path(__file__).parents[2]
PROXY = Path(os.environ.get("LLMOPS_TEST_PROXY", ROOT / ".venv-proxy" / "bin" / "litellm"))
CASES, REQUESTS = 240, 80
MASTER_KEY = f"sk-{secrets.token_hex(32)}"

pytestmark = pytest.mark.skipif(not PROXY.exists(), reason=f"no LiteLLM proxy at {PROXY}: run `make test-engines`")


def hard(question: str) -> bool:
    return "integral" in question


def questions(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    easy = "What is the opening time of the {} branch in {}?"
    tough = "Compute the integral of x to the {} times sine of {} x and prove it."
    places = [f"{a}{b}" for a in ("north", "south", "east", "west") for b in ("gate", "port", "field", "hill", "ham", "wick")]
    return [
        tough.format(draw.randint(2, 90), draw.randint(2, 90))
        if draw.random() < 0.4
        else easy.format(draw.choice(places), draw.choice(places))
        for _ in range(count)
    ]


@pytest.fixture
def servers() -> Iterator[tuple[OpenAiServer, OpenAiServer]]:
    """A small model that cannot do integrals, and a slower large one that can."""
    with OpenAiServer().running() as small, OpenAiServer().running() as large:
        small.reply = lambda messages: "I cannot do that." if hard(messages[-1]["content"]) else "It is right."
        large.reply = lambda messages: "It is right."
        large.delay_s = 0.02
        yield small, large


@pytest.fixture
def folder(tmp_path: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> Path:
    models = "".join(
        f"  {name}: {{id: openai/{name}, api_base: {server.base}, "
        f"price: {{input_per_million: {p}, output_per_million: {p}}}}}\n"
        for name, server, p in (("small", servers[0], 1), ("large", servers[1], 20))
    )
    rows = [{"id": f"q{i}", "vars": {"question": q}, "expected": ["right"]} for i, q in enumerate(questions(1, CASES))]
    routes = (
        "routes:\n  learned: {kind: learned, models: [small, large], router: routes/learned}\n"
        "  careful: {kind: cascade, models: [small, large], escalate_when: [refusal]}\n"
    )
    return write(
        tmp_path,
        {
            "llmops.yaml": f"models:\n{models}",
            "routes.yaml": routes,
            "prompts/ask/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\n{{ question }}\n",
            "evals/ask.yaml": "dataset: datasets/ask.jsonl\nprompts: [ask]\ntargets: [small, large]\n"
            "evaluators:\n  - contains: {any: expected}\n  - refusal\n  - latency\n  - cost\n",
            "datasets/ask.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


@contextmanager
def proxy(folder: Path) -> Iterator[str]:
    """Address of LiteLLM's proxy with the exported configuration."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "LITELLM_MASTER_KEY": MASTER_KEY,
        "PYTHONPATH": str(ROOT),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "NO_DOCS": "True",
    }
    command = [str(PROXY), "--config", "config.yaml", "--port", str(port), "--host", "127.0.0.1", "--telemetry", "False"]
    with (folder / "proxy.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 120
            while time.monotonic() < end and server.poll() is None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=2):
                        break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.3)
            else:
                pytest.fail(f"the proxy did not start: {(folder / 'proxy.log').read_text()[-2000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def asked(base: str, model: str, question: str) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": question}], "user": "someone"}
    request = urllib.request.Request(
        f"{base}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {MASTER_KEY}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return dict(json.load(response))


@pytest.mark.parametrize("route", ["learned", "careful"])
def test_what_is_served_agrees_with_the_replay(folder: Path, servers: tuple[OpenAiServer, OpenAiServer], route: str) -> None:
    assert llmops(folder, "eval", "-q").returncode == 0
    fitted = llmops(folder, "route", "fit", "--keep", "0.99")
    assert fitted.returncode == 0, fitted.stderr
    settings = folder / "llmops.yaml"
    settings.write_text(settings.read_text() + (folder / "routes.yaml").read_text())
    replayed = json.loads(llmops(folder, "route", "report", "--json").stdout)
    policy = next(each for each in replayed["policies"] if each["name"] == f"route {route}")
    assert policy["quality"] > 0.97
    done = llmops(folder, "route", "export", route, "--out", "proxy", "--log-text")
    assert done.returncode == 0, done.stderr
    before = [server.requests for server in servers]
    with proxy(folder / "proxy") as base, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda question: asked(base, route, question), questions(2, REQUESTS)))
    assert all(each["choices"][0]["message"]["content"] == "It is right." for each in found)
    served = json.loads(llmops(folder, "route", "report", "--log", "proxy/decisions.jsonl", "--json").stdout)
    asked_now = [server.requests - count for server, count in zip(servers, before, strict=True)]
    share = {each["name"]: each["requests"] for each in served["served"]}
    assert served["requests"] == REQUESTS
    assert asked_now == [share["small"] if route == "learned" else REQUESTS, share["large"]]
    wanted = [hard(question) for question in questions(2, REQUESTS)]
    assert share["large"] == sum(wanted)
    low, high = served["cost_interval"]
    replay_low, replay_high = policy["intervals"]["cost"]
    assert low <= replay_high
    assert replay_low <= high
    lines = [json.loads(line) for line in (folder / "proxy/decisions.jsonl").read_text().splitlines()]
    assert {line["text"] for line in lines} == set(questions(2, REQUESTS))
