"""Fixtures of tests in more than one folder."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import postgres, url

__all__ = ["postgres", "url"]

HANGS_S = 120
"""What should take well under a second, and takes so long, does not end."""

# Machines are noisy: how long an example takes decides nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Tables are as wide as a pipe's are, whatever the terminal that the tests run in says.
os.environ.pop("COLUMNS", None)

# What tests compute is small: threads of OpenBLAS would spend several times as long on waiting for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Hundreds of megabytes of modules stay to the end: nobody has to look through them for garbage, as statsmodels does."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def ends() -> Iterator[None]:
    """Fails a test that hangs, so that it does not hold up all others."""

    def hangs(*_: object) -> None:
        pytest.fail(f"did not end within {HANGS_S} s")

    former = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)
