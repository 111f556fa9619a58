"""A table that a narrow terminal gets as several, one below the other, so that no figure is cut off."""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from llmops.reporting.tables import GAP, new_table

Column = tuple[str, Sequence[Text]]
"""A title and the cells below it."""


def tables(names: Column, columns: Sequence[Column], width: int) -> Iterator[Table]:
    """As many columns beside each other as there is room for, each time behind the names of the rows.

    Args:
        names: of the rows; at most half as wide as the terminal.
        columns: of as many cells.
        width: of the terminal.
    """
    room = min(_width(names), width // 2)
    beside: list[Column] = []
    for column in columns:
        if beside and room + sum(GAP + _width(each) for each in (*beside, column)) > width:
            yield _table((names, *beside), room)
            beside = []
        beside.append(column)
    yield _table((names, *beside), room)


def _width(column: Column) -> int:
    title, cells = column
    return max(cell_len(line) for text in (title, *(cell.plain for cell in cells)) for line in text.split("\n"))


def _table(columns: Sequence[Column], room: int) -> Table:
    table = new_table()
    for title, _ in columns:
        table.add_column(Text(title), overflow="fold", max_width=None if table.columns else room)
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    return table
