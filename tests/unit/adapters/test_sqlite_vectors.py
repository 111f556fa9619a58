import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.adapters.sqlite_vectors import SqliteVectors

MIB = 2**20


def unit(seed: int, dimensions: int = 8) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "embeddings.db"


def test_vectors_outlast_the_object_and_belong_to_one_embedder(path: Path) -> None:
    vectors = {text: unit(n) for n, text in enumerate(("a", "b", "\ud800 lone", ""))}
    SqliteVectors(path, MIB).keep("e@1", vectors)
    again = SqliteVectors(path, MIB)
    found = again.find("e@1", [*vectors, "c"])
    assert found.keys() == vectors.keys()
    assert all((found[text] == vector).all() and found[text].dtype == np.float32 for text, vector in vectors.items())
    assert again.find("e@2", ["a"]) == {}


def test_nothing_is_made_before_a_vector_is_kept(path: Path) -> None:
    memory = SqliteVectors(path, MIB)
    assert memory.find("e", ["a"]) == {}
    assert memory.kept() is None
    assert memory.remove().nodes == 0
    assert not path.parent.exists()


def test_what_was_not_used_for_longest_goes_first(path: Path) -> None:
    memory = SqliteVectors(path, MIB)
    memory.keep("e", {f"old {n}": unit(n, 384) for n in range(300)})
    connection = sqlite3.connect(path)
    connection.execute("UPDATE vectors SET used = used - 10000")
    connection.commit()
    connection.close()
    assert len(memory.find("e", [f"old {n}" for n in range(100)])) == 100  # and are used now
    memory.keep("e", {f"new {n}": unit(n, 384) for n in range(400)})
    assert len(memory.find("e", [f"new {n}" for n in range(400)])) == 400
    assert len(memory.find("e", [f"old {n}" for n in range(100)])) > 0
    assert len(memory.find("e", [f"old {n}" for n in range(100, 300)])) < 60
    memory.close()
    assert path.stat().st_size < 1.3 * MIB


def test_it_is_shown_and_removed(path: Path) -> None:
    memory = SqliteVectors(path, MIB)
    memory.keep("e", {f"{n}": unit(n) for n in range(10)})
    kept = memory.kept()
    assert kept is not None
    assert (kept.kind, kept.nodes, kept.bytes) == ("embed", 10, 320)
    assert memory.remove(before=datetime.now(UTC) - timedelta(days=1)).nodes == 0
    removed = memory.remove()
    assert (removed.nodes, removed.bytes, removed.left) == (10, 320, 0)
    assert memory.kept() is None


@pytest.mark.parametrize("content", [b"no database at all" * 1000, None], ids=["another file", "overwritten pages"])
def test_a_damaged_file_is_told_and_started_anew(path: Path, content: bytes | None) -> None:
    first = SqliteVectors(path, MIB)
    first.keep("e", {f"{n}": unit(n, 384) for n in range(200)})
    first.close()
    data = path.read_bytes()
    path.write_bytes(content if content is not None else data[:16384] + b"\xa5" * (len(data) - 16384))
    memory = SqliteVectors(path, MIB)
    assert memory.find("e", ["1"]) == {}
    memory.keep("e", {"1": unit(1)})
    assert list(memory.find("e", ["1", "2"])) == ["1"]
    (note,) = memory.notes
    assert "was damaged" in note
    assert "started anew" in note


def test_a_damaged_vector_is_as_good_as_none(path: Path) -> None:
    memory = SqliteVectors(path, MIB)
    memory.keep("e", {f"{n}": unit(n) for n in range(5)})
    connection = sqlite3.connect(path)
    for number, blob in enumerate((b"", b"abc", np.full(8, np.nan, "<f4").tobytes(), np.ones(8, "<f4").tobytes()), start=1):
        connection.execute("UPDATE vectors SET vector = ? WHERE rowid = ?", (blob, number))
    connection.commit()
    connection.close()
    assert list(memory.find("e", [f"{n}" for n in range(5)])) == ["4"]
    memory.keep("e", {"0": unit(0)})
    assert list(memory.find("e", ["0"])) == ["0"]


def test_a_file_that_cannot_be_used_is_done_without(path: Path, tmp_path: Path) -> None:
    SqliteVectors(path, MIB).keep("e", {"a": unit(1)})
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    newer = SqliteVectors(path, MIB)
    assert newer.find("e", ["a"]) == {}
    newer.keep("e", {"a": unit(1)})
    (note,) = newer.notes
    assert "it has format 99" in note
    assert path.exists()
    blocked = SqliteVectors(tmp_path / "file" / "embeddings.db", MIB)
    (tmp_path / "file").write_text("no folder")
    blocked.keep("e", {"a": unit(1)})
    assert blocked.find("e", ["a"]) == {}
    assert len(blocked.notes) == 1


WRITER = """
import sys
import numpy as np
from pathlib import Path
from llmops.adapters.sqlite_vectors import SqliteVectors
memory = SqliteVectors(Path(sys.argv[1]), 2**20)
for batch in range(20):
    memory.keep("e", {f"{sys.argv[2]} {batch} {n}": np.eye(8, dtype=np.float32)[n % 8] for n in range(20)})
    memory.find("e", [f"{who} {batch} {n}" for who in "ab" for n in range(20)])
assert not memory.notes, memory.notes
"""


def test_two_processes_share_a_file(path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), who]) for who in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    kept = SqliteVectors(path, MIB).kept()
    assert kept is not None
    assert kept.nodes == 800
