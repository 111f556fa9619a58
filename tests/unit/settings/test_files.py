"""Files are read as text or refused with the place of the trouble, and written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.settings.files import read_text, write_atomic, write_output


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


def test_a_link_is_followed_by_an_output_and_replaced_by_a_file_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    write_output(tmp_path / "link", "new")
    write_output(tmp_path / "link", "newer")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far/file").read_text() == "newer"
    write_atomic(tmp_path / "link", "own")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "far/file").read_text() == "newer"
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["far", "file", "link"]


def test_a_pipe_is_written_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_output(tmp_path / "pipe", ["one ", "two"])
    assert os.read(reader, 100) == b"one two"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_a_file_that_is_open_already_is_written_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb", buffering=0) as log:
        log.write(b"before ")
        write_output(Path(f"/dev/fd/{log.fileno()}"), "new ")
        (tmp_path / "link").symlink_to(f"/dev/fd/{log.fileno()}")
        write_output(tmp_path / "link", "newer ")
        log.write(b"after")
    assert path.read_text() == "before new newer after"


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    write_output(Path(f"/dev/fd/{writing}"), "never read")
    os.close(writing)


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels"):
        write_output(tmp_path / "loop", "text")


@pytest.mark.skipif(not hasattr(os, "mknod") or os.geteuid() != 0, reason="only root makes devices")
def test_a_device_is_written_and_stays_one(tmp_path: Path) -> None:
    full = tmp_path / "full"
    try:
        os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
        full.open("wb").close()
    except PermissionError:
        pytest.skip("this machine has no devices of its own")
    with pytest.raises(OSError, match="No space left"):
        write_output(full, "text")
    assert stat.S_ISCHR(full.stat().st_mode)
