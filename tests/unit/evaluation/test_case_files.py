"""Files that cases bring along: which are read, and as what."""

from pathlib import Path

import pytest

from llmops.domain.errors import Refused, UsageError
from llmops.domain.prompts import IMAGE, Image, Message
from llmops.evaluation.case_files import MAX_BYTES, read_file, read_files, with_images

PNG = b"\x89PNG\r\n\x1a\n of a cat"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "datasets" / ".keys").mkdir(parents=True)
    for place in ("llmops.yaml", ".env", "datasets/.env", "datasets/.keys/a.txt", "datasets/terms.txt"):
        (tmp_path / place).write_text(place)
    return tmp_path


@pytest.mark.parametrize(
    ("start", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 JFIF", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x1a\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_an_image_is_known_by_its_bytes_whatever_its_name_is(tmp_path: Path, start: bytes, media_type: str) -> None:
    (tmp_path / "a.txt").write_bytes(start)
    found = read_file(tmp_path / "a.txt", tmp_path)
    assert isinstance(found, Image)
    assert (found.name, found.media_type) == ("a.txt", media_type)


def test_a_text_has_plain_line_ends_and_none_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert read_file(tmp_path / "a.md", tmp_path) == "one\ntwo"


@pytest.mark.parametrize("data", [b"RIFF\x1a\x00\x00\x00WAVE\xff", b"%PDF-1.4\n\xff", b"a\x00b"])
def test_what_is_neither_text_nor_an_image_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(UsageError, match=r"^a: .*") as told:
        read_file(tmp_path / "a", tmp_path)
    assert told.value.hint == "Files of cases are texts in UTF-8 and images: PNG, JPEG, GIF or WebP."


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UsageError, match="larger than 20 MiB"):
        read_file(tmp_path / "a.png", tmp_path)


@pytest.mark.parametrize("place", ["../.env", "../llmops.yaml", ".env", ".keys/a.txt", "x/../.env", "out", "deep/out"])
def test_a_dataset_names_nothing_outside_of_its_folder_and_nothing_hidden(root: Path, place: str) -> None:
    folder = root / "datasets"
    (folder / "out").symlink_to(root / "llmops.yaml")
    (folder / "deep").symlink_to(root)
    for each in (place, str(folder / place)):
        with pytest.raises(UsageError, match=r"a file in datasets/ was expected|no such file"):
            read_files({"terms": each}, folder, root)


def test_paths_are_relative_to_the_dataset_and_a_list_gives_a_list(root: Path) -> None:
    files: dict[str, str | list[str]] = {"one": "terms.txt", "both": ["terms.txt", "./terms.txt"]}
    text = "datasets/terms.txt"
    assert read_files(files, root / "datasets", root) == {"one": text, "both": [text, text]}


def test_only_what_is_to_be_sent_holds_bytes(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    image = read_file(tmp_path / "cat.png", tmp_path)
    assert isinstance(image, Image)
    assert image.data == b""
    with pytest.raises(ValueError, match=r"cat\.png has not been read"):
        image.to_json()
    [sent] = with_images((Message("user", f"Look: {IMAGE}", (image,)),))
    assert sent.images[0].data == PNG
    assert sent.to_json()["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgog")


@pytest.mark.parametrize("now", [None, PNG + b"!"])
def test_an_image_that_changes_after_it_was_keyed_is_not_sent(tmp_path: Path, now: bytes | None) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(PNG)
    image = read_file(file, tmp_path)
    assert isinstance(image, Image)
    file.unlink() if now is None else file.write_bytes(now)
    with pytest.raises(Refused, match=r"^cat\.png has changed since the dataset was read: run the same command again$"):
        with_images((Message("user", IMAGE, (image,)),))
