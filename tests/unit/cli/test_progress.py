"""Progress without a terminal: plain lines that name what they count and say how long the rest takes."""

from io import StringIO

import pytest
from rich.console import Console

from llmops.cli import progress


class Clock:
    """In place of `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    return clock


def test_what_starts_inside_something_else_does_not_take_its_name(clock: Clock) -> None:
    out = StringIO()
    with progress.ShownProgress(Console(file=out, width=100)) as shown:
        shown.started("cells", 252)
        shown.started("embedding manual", 150)
        shown.advanced(150)
        shown.finished()
        shown.advanced(6, failures=4)
        shown.advanced(6, failures=4, spent_usd=0.5)
        shown.advanced(6, spent_usd=0.5)
        shown.finished()
    assert out.getvalue().splitlines() == [
        "embedding manual: 150 of 150",
        "cells: 6 of 252, 4 not passed",
        "cells: 6 of 252, 4 not passed, $0.50 spent",
        "cells: 6 of 252, $0.50 spent",
    ]


def test_what_came_before_the_first_step_says_nothing_of_the_rest(clock: Clock) -> None:
    out = StringIO()
    with progress.ShownProgress(Console(file=out, width=100)) as shown:
        shown.started("cells", 100)
        clock.now = 3600.0  # a batch of the provider, or an index
        shown.advanced(1)
        clock.now += 10.0
        shown.advanced(11, failures=1)
        clock.now += 40.0
        shown.advanced(21)
        shown.advanced(100)
    assert out.getvalue().splitlines() == [
        "cells: 1 of 100",
        "cells: 11 of 100, 1 not passed, about 89 s left",
        "cells: 21 of 100, about 3.3 min left",
        "cells: 100 of 100",
    ]
