"""Every line of a stranger's text has a bar before it, however narrow the terminal."""

from io import StringIO

import pytest
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from llmops.reporting.quoted import Quoted


def lines(part: RenderableType, width: int) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, no_color=True).print(part)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [1, 5, 12, 80])
def test_lines_and_wrapped_lines_have_the_bar(width: int) -> None:
    found = lines(Quoted(Text("well ::error::a\n\n::error::b " + "::error::" * 20), 2), width)
    assert len(found) >= 3
    assert all(line.startswith("  │ "[:width]) for line in found)


def test_a_cell_of_a_table_is_as_wide_as_it_needs() -> None:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_row("5 [1, 9]", Quoted(Text("a\nb")))
    table.add_row("next", "cell")
    assert [line.rstrip() for line in lines(table, 80)] == ["5 [1, 9] │ a", "         │ b", "next     cell"]
