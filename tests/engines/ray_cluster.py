"""A Ray cluster of the tests' own on 127.0.0.1."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Cluster:
    address: str
    variables: dict[str, str]
    """With which a process may join it."""
    pid: int

    def workers(self) -> list[int]:
        """The processes that work for llmops."""
        table = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        rows = [line.split(None, 2) for line in table.splitlines()]
        mine = {str(self.pid)}
        for _ in range(3):
            mine |= {pid for pid, parent, _ in rows if parent in mine}
        return [int(pid) for pid, _, command in rows if pid in mine and command.startswith("ray::Bench")]

    def kill_one(self) -> None:
        os.kill(self.workers()[0], signal.SIGKILL)


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
