"""Tables as Parquet files, through pyarrow."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from llmops.domain.errors import MissingExtra
from llmops.settings.files import opened_output

ROWS_PER_GROUP = 5000


def write_parquet(path: Path, columns: Mapping[str, type], rows: Iterable[Sequence[object]]) -> None:
    """Write a table whole; memory holds one group of rows.

    Args:
        path: a file is replaced when it exists.
        columns: type of the values by name: str, int, float or bool; any of them may be None.
        rows: values in the order of the columns.

    Raises:
        MissingExtra: pyarrow is not installed.
        OSError: the file cannot be written; what was there is untouched.
    """
    try:
        import pyarrow
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise MissingExtra("A Parquet file", "parquet") from None
    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with opened_output(path) as file, ParquetWriter(file, schema) as writer:
        remaining = iter(rows)
        while some := list(islice(remaining, ROWS_PER_GROUP)):
            values = [[_storable(value) for value in column] for column in zip(*some, strict=True)]
            writer.write_table(pyarrow.table(dict(zip(columns, values, strict=True)), schema=schema))


def _storable(value: object) -> object:
    """Text without lone surrogates, which Parquet's UTF-8 cannot hold."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
