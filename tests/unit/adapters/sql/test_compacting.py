"""Room that removed rows leave in a SQLite file."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import event

from llmops.adapters.sql.store import open_store
from llmops.domain.runs import Node

HERE = Path()
MEASURED = """
import re, sys
from pathlib import Path
from llmops.adapters.sql.store import open_store

def peak():  # since this program was loaded: `ru_maxrss` may be that of the process which started it
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

store = open_store(sys.argv[1], Path())
store.cache.drop(["k0"])
before = peak()
store.cache.compact()
print(peak() - before)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def fill(file: Path, megabytes: int) -> None:
    store = open_store(f"sqlite:///{file}", HERE)
    store.commit([Node(f"k{i}", "generate", "x" * 2**20, "r") for i in range(megabytes)], "r", [])
    store.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_large_file_is_written_anew_in_little_memory(file: Path) -> None:
    fill(file, 100)
    done = subprocess.run([sys.executable, "-c", MEASURED, f"sqlite:///{file}"], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30_000  # KiB
    assert file.stat().st_size < 99.5 * 2**20


def test_a_file_without_room_to_give_back_is_left_alone(file: Path) -> None:
    fill(file, 1)
    store = open_store(f"sqlite:///{file}", HERE)
    said: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    store.cache.compact()
    assert "VACUUM" not in said
    store.cache.drop(["k0"])
    store.cache.compact()
    assert "VACUUM" in said
    store.close()
