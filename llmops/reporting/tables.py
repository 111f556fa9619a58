"""Tables for a terminal: no lines, and blanks between columns."""

from rich.table import Column, Table
from rich.text import Text

GAP = 2
"""Between neighbouring columns."""


def new_table(*columns: Column | str) -> Table:
    """A table without rows; a column is given by its title when nothing else is special about it."""
    heads = (each if isinstance(each, Column) else Column(Text(each)) for each in columns)
    return Table(*heads, box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
