"""Progress without a terminal: plain lines that name what they count."""

from io import StringIO

import pytest
from rich.console import Console

from llmops.cli import progress


def test_what_starts_inside_something_else_does_not_take_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    out = StringIO()
    with progress.ShownProgress(Console(file=out, width=100)) as shown:
        shown.started("cells", 252)
        shown.started("embedding manual", 150)
        shown.advanced(150)
        shown.finished()
        shown.advanced(6, failures=4)
        shown.advanced(7, failures=4, spent_usd=0.5)
        shown.advanced(8, spent_usd=0.5)
        shown.finished()
    assert [line.rpartition(", about ")[0] for line in out.getvalue().splitlines()] == [
        "embedding manual: 150 of 150",
        "cells: 6 of 252, 4 not passed",
        "cells: 7 of 252, 4 not passed, $0.50 spent",
        "cells: 8 of 252, $0.50 spent",
    ]
