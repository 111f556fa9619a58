"""Tables for narrow terminals."""

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from llmops.reporting.columns import tables

WORDS = st.text(st.sampled_from("abcé字"), min_size=1, max_size=6)


def printed(names: list[str], columns: dict[str, list[str]], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    cells = [(title, [Text(cell) for cell in each]) for title, each in columns.items()]
    for table in tables(("name", [Text(name) for name in names]), cells, width):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_columns_stand_beside_each_other_where_there_is_room_and_below_where_there_is_none() -> None:
    columns = {"quality": ["0.900\n[0.8, 0.9]"], "cost": ["$10.00"], "time": ["2.5 s"]}
    wide, narrow = (printed(["always large"], columns, width).splitlines() for width in (80, 28))
    assert (len(wide), wide[0].split()) == (3, ["name", "quality", "cost", "time"])
    assert [line.split() for line in narrow if line.startswith("name")] == [["name", "quality"], ["name", "cost", "time"]]


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=8, unique=True), st.integers(32, 120))
def test_every_cell_is_whole_and_no_line_is_too_long(names: list[str], titles: list[str], width: int) -> None:
    shown = printed(names, {title: [f"{title}{row}" for row in range(len(names))] for title in titles}, width)
    assert all(f"{title}{row}" in shown for title in titles for row in range(len(names)))
    assert all(Text(line).cell_len <= width for line in shown.splitlines())
