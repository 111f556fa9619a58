"""SQLite files that may be read and not written: a project on a read-only disk, or one of another user."""

import os
from pathlib import Path


def read_only_uri(path: Path) -> str | None:
    """The address under which SQLite reads a file that it cannot write; None: it is not there, or can be written.

    SQLite writes beside the file, too. Without a `-wal` nobody else is writing, and only a file that is taken for unchanging is
    read without one; with a `-wal` its last changes are read from there.
    """
    if not path.is_file() or all(os.access(each, os.W_OK) for each in (path, path.parent)):
        return None
    wal = path.with_name(f"{path.name}-wal")
    changing = wal.is_file() and wal.stat().st_size > 0
    return f"{path.absolute().as_uri()}?{'mode=ro' if changing else 'immutable=1'}"
