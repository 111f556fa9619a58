"""Workers on a Ray cluster: one actor for each of its CPUs. Ray counts nobody's use and writes nothing to the terminal."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from llmops import __version__
from llmops.adapters.ray_bench import Bench
from llmops.domain.errors import LlmopsError, MissingExtra, UsageError, WorkerLost
from llmops.domain.jobs import Job, Workshop
from llmops.domain.ports import Worker

CALLS_AT_ONCE = 1000
"""Of one worker, at most."""
CONNECT_S = 10.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""How a client of gRPC, which Ray speaks, begins; what answers begins with a frame of settings, too (RFC 9113, 3.4)."""
SETTINGS = 4
SILENCE = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "1", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}
"""No telemetry, and nothing on stdout: Ray's driver prints what its machines report there, unless a pattern skips it."""
NEXT_STEP = "Start one: ray start --head; or leave --address out for one on this machine alone."


class RayCluster:
    """A connection to a cluster, for the life of this process."""

    def __init__(self, address: str | None, workshop: Workshop) -> None:
        """Connect.

        Args:
            address: `HOST:PORT` or `auto`; None: `RAY_ADDRESS`, else a cluster that runs on this machine, else a new one.
            workshop: for every worker.

        Raises:
            MissingExtra: Ray is not installed.
            UsageError: there is no cluster at the address, or it cannot be used.
        """
        os.environ.update(SILENCE)
        try:
            import ray
        except ImportError:
            raise MissingExtra("--engine ray", "ray") from None
        self._ray = ray
        self._workshop = workshop
        if address is not None and address != "auto":
            _reach(address)
        try:
            with _silent():
                quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "include_dashboard": False}
                ray.init(address, ignore_reinit_error=True, **quiet)  # `--watch` connects once for all its runs
        except Exception as error:
            told = " ".join(str(error).split())[:300] or type(error).__name__
            hint = f"{NEXT_STEP} A cluster with tokens is joined with RAY_AUTH_MODE=token."
            raise UsageError(f"--engine ray: the cluster cannot be used: {told}", hint=hint) from error
        self.cpus = int(ray.cluster_resources().get("CPU", 0))
        if self.cpus < 1:
            raise UsageError("--engine ray: the cluster has no CPU.", hint="Add a machine: ray start --address=HOST:PORT")

    def hire(self) -> "Future[Worker]":
        """Ask for one more worker, which comes when a CPU is free.

        Its future fails with `UsageError` when llmops is missing there or is another version, and with `WorkerLost` when
        the process ends before it is there.
        """
        actor = self._ray.remote(num_cpus=1, max_concurrency=CALLS_AT_ONCE)(Bench).remote()
        hired: Future[Worker] = Future()
        hired.set_running_or_notify_cancel()

        def opened(done: "Future[Any]") -> None:
            if (error := done.exception()) is not None:
                hired.set_exception(_translated(error))
                return
            version, process = done.result()
            if version != __version__:
                found = f"a worker of the cluster has llmops {version}, and this is {__version__}."
                hired.set_exception(UsageError(found, hint="Install the same version on every machine."))
                return
            hired.set_result(RayWorker(actor, f"{process}"))

        actor.open.remote(self._workshop).future().add_done_callback(opened)
        return hired


class RayWorker:
    """Implements `Worker` for one actor."""

    def __init__(self, actor: Any, name: str) -> None:  # noqa: ANN401 -- an untyped vendor object
        self._actor = actor
        self.name = name

    def submit(self, job: Job) -> "Future[Any]":
        """As the port."""
        result: Future[Any] = Future()
        result.set_running_or_notify_cancel()

        def finished(done: "Future[Any]") -> None:
            if (error := done.exception()) is not None:
                result.set_exception(_translated(error))
                return
            value, raised = done.result()
            if raised is not None:
                result.set_exception(raised)
            else:
                result.set_result(value)

        self._actor.run.remote(job).future().add_done_callback(finished)
        return result


def _reach(address: str) -> None:
    """Ray itself tries for minutes and then ends the process."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise UsageError(f"--address {address!r} is not `HOST:PORT`.", hint=NEXT_STEP)
    try:
        with socket.create_connection((host.removeprefix("ray://"), int(port)), CONNECT_S) as peer:
            if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
                return
            peer.sendall(PREFACE)
            answer = peer.recv(9)
    except (OSError, OverflowError) as error:
        raise UsageError(f"--address {address!r}: nothing answers there: {error}", hint=NEXT_STEP) from None
    if answer[3:4] != bytes((SETTINGS,)):
        hint = "Give the port that `ray start --head` tells, 6379 unless --port changed it; that of the dashboard is another."
        raise UsageError(f"--address {address!r}: what answers there is no Ray cluster.", hint=hint)


@contextmanager
def _silent() -> Iterator[None]:
    """What Ray's core writes past Python while it connects goes nowhere; it keeps logs of its own."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _translated(error: BaseException) -> BaseException:
    from ray.exceptions import RayActorError, RaySystemError, RayTaskError, WorkerCrashedError

    if isinstance(error, RayTaskError):
        return LlmopsError(f"a worker of the cluster: {' '.join(str(error.cause).split())[:300]}")
    if isinstance(error, RayActorError | RaySystemError | WorkerCrashedError):
        told = str(error)
        if "No module named" in told:
            return UsageError(
                "llmops is not installed on a machine of the cluster.", hint='Install it: pip install "llmops[ray]"'
            )
        return WorkerLost(" ".join(told.split())[:300])
    return error
