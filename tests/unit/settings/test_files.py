"""Files are read as text or refused with the place of the trouble, and written whole or not at all."""

import os
from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.settings.files import read_text, write_atomic


def problem(path: Path, root: Path) -> str:
    with pytest.raises(InvalidFiles) as caught:
        read_text(path, root)
    (found,) = caught.value.problems
    return f"{found.file}:{found.line}: {found.message}"


def test_a_mark_and_line_endings_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_text(tmp_path / "a", tmp_path) == "one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"ok\nbad \xff\n", "a:2: byte 0xff is not UTF-8."),
        (b"ok\n\x00", "a:2: holds a NUL character"),
        ("text".encode("utf-16"), "a:None: is UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "a").write_bytes(data)
    assert problem(tmp_path / "a", tmp_path).startswith(told)


def test_a_missing_file_a_folder_and_a_large_file_are_refused(tmp_path: Path) -> None:
    assert problem(tmp_path / "none", tmp_path) == "none:None: no such file."
    (tmp_path / "folder").mkdir()
    assert "is a folder" in problem(tmp_path / "folder", tmp_path)
    (tmp_path / "large").write_bytes(b"x" * 2_000_000)
    with pytest.raises(InvalidFiles, match="larger than 1 MiB"):
        read_text(tmp_path / "large", tmp_path, max_bytes=2**20)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_atomic(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_rewrite_keeps_the_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomic(path, "old")
    path.chmod(0o600)
    write_atomic(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
