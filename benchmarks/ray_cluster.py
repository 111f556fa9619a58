"""A Ray cluster on 127.0.0.1 for a benchmark or a test, which nobody else can join."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cluster:
    address: str
    variables: dict[str, str]
    """With which a process may join it."""
    pid: int
    """Of `ray start`, above all processes of the cluster."""


@contextmanager
def started(cpus: int) -> Iterator[Cluster]:
    """One machine with so many CPUs, which lets in who knows its token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    folder = tempfile.mkdtemp(prefix="ray")  # short: Ray's sockets lie in it
    options = f"--port={port} --num-cpus={cpus} --temp-dir={folder} --node-ip-address=127.0.0.1 --include-dashboard=false"
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", *options.split()]
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    with Path(folder, "start.log").open("w") as log:
        head = subprocess.Popen([*ray, "--disable-usage-stats"], env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 120
            while "Ray runtime started" not in (told := Path(folder, "start.log").read_text()):
                if head.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the cluster did not start: {told[-2000:]}")
                time.sleep(0.3)
            yield Cluster(f"127.0.0.1:{port}", variables, head.pid)
        finally:
            head.terminate()
            head.wait(60)
            shutil.rmtree(folder, ignore_errors=True)
