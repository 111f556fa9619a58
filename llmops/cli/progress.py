"""Progress on stderr: a bar on a terminal, a plain line every few seconds elsewhere, nothing when quiet."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmops.domain.amounts import dollars, seconds
from llmops.reporting.safe import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

LINE_EVERY_S = 5.0


class ShownProgress:
    """Implements the `Progress` port for a console."""

    def __init__(self, console: "Console", *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._outer: list[tuple[str, int]] = []
        """What was going on when something else started inside it, such as an index that is built by the first question."""
        self._what = ""
        self._total = 0
        self._first: tuple[float, int] | None = None
        """When and how far it first went on: before, it may have waited for something else."""
        self._last = 0.0

    def __enter__(self) -> Self:
        """Nothing is shown before something starts."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the terminal clean, whatever happened."""
        self._outer.clear()
        self.finished()

    def started(self, what: str, total: int) -> None:
        """As the port."""
        if self._what:
            self._outer.append((self._what, self._total))
        self._show(what, total)

    def _show(self, what: str, total: int) -> None:
        self._clear()
        self._what, self._total, self._first = what, total, None
        self._last = time.monotonic()
        if self._quiet or not self._console.is_terminal:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
        extra = (TextColumn("{task.fields[extra]}"), TimeRemainingColumn(elapsed_when_finished=True))
        self._bar = Progress(*columns, *extra, console=self._console, transient=True)
        self._task = self._bar.add_task(what, total=total, extra="")
        self._bar.start()

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        """As the port."""
        if self._quiet:
            return
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, extra=_extra(failures, spent_usd))
            return
        now = time.monotonic()
        self._first = self._first or (now, done)
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            line = [f"{self._what}: {done} of {self._total}", _extra(failures, spent_usd), self._left(now, done)]
            self._console.print(", ".join(filter(None, line)), soft_wrap=True)

    def _left(self, now: float, done: int) -> str:
        """How long the rest takes at the pace so far; empty when there is no pace yet, or no rest."""
        began, first = self._first or (now, done)
        if done == first or done == self._total:
            return ""
        return f"about {seconds((now - began) / (done - first) * (self._total - done))} left"

    def finished(self) -> None:
        """As the port; what went on outside is shown again."""
        self._clear()
        self._what = ""
        if self._outer:
            self._show(*self._outer.pop())

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None

    def note(self, text: str) -> None:
        """As the port."""
        if not self._quiet:
            self._console.print(one_line(text, 400), soft_wrap=True)


def _extra(failures: int, spent_usd: float | None) -> str:
    told = [f"{failures} not passed"] if failures else []
    return ", ".join([*told, f"{dollars(spent_usd)} spent"] if spent_usd else told)
