"""Where the user's code prints: to stderr, since stdout may be a document of ours."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock, current_thread, main_thread
from typing import Any

_inside: ContextVar[bool] = ContextVar("inside", default=False)
"""Whether what runs is the user's code."""


@contextmanager
def as_user() -> Iterator[None]:
    """While the user's code runs, or is waited for."""
    token = _inside.set(True)
    try:
        with _stdout:
            yield
    finally:
        _inside.reset(token)


class Diverted:
    """A stdout whose text goes to stderr where the user's code prints: inside `as_user`, and in any thread but the main one."""

    def __init__(self, stdout: Any) -> None:  # noqa: ANN401 -- whatever stands in for it
        self._stdout = stdout

    def write(self, text: str) -> int:
        """As the stream that it goes to."""
        theirs = _inside.get() or current_thread() is not main_thread()
        written: int = (sys.stderr if theirs else self._stdout).write(text)
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- as the stream itself
        return getattr(self._stdout, name)


class _Stdout:
    """Puts back what was there once no code of the user's runs: calls that redirect it at once leave one another's behind."""

    def __init__(self) -> None:
        self._running = 0
        self._before: Any = None
        self._lock = Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._before = sys.stdout
                sys.stdout = Diverted(sys.stdout)
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                sys.stdout = self._before


_stdout = _Stdout()
