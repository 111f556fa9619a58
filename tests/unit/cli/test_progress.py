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
        shown.finished()
    first, second = out.getvalue().splitlines()
    assert first.startswith("embedding manual: 150 of 150")
    assert second.startswith("cells: 6 of 252, 4 not passed")
