"""The file `.env` is read strictly."""

import os
from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.settings.environment import load_environment


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"SET": "before"})


def test_a_variable_that_is_set_stays(tmp_path: Path) -> None:
    load_environment(tmp_path)
    (tmp_path / ".env").write_text("SET=after\nMY_API_KEY='a b'  # a comment\nEMPTY=\n")
    load_environment(tmp_path)
    assert [os.environ[name] for name in ("SET", "MY_API_KEY", "EMPTY")] == ["before", "a b", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"A=1\nNAME=caf\xe9\n", ".env:2: byte 0xe9 is not UTF-8."),
        (b'A=1\nMY_API_KEY="abc\\n123"\n', ".env:2: `MY_API_KEY`: holds a control character"),
        (b'A=1\n\n# two\n\nMY_API_KEY="abc\\n123"\n', ".env:5: `MY_API_KEY`: holds a control character"),
        (b"A=1\n\nMY API KEY abc\n", ".env:3: is not NAME=VALUE.\n    Close each quote"),
        (b'A=1\nMY_API_KEY="abc\nB=2\n', ".env:2: is not NAME=VALUE."),
        (b"A=1\n# the key\nsk-abc\n", ".env:3: is not NAME=VALUE."),
    ],
)
def test_what_cannot_be_read_or_sent_is_told_with_its_line(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / ".env").write_bytes(text)
    with pytest.raises(InvalidFiles) as caught:
        load_environment(tmp_path)
    assert str(caught.value).startswith(told)
    assert "abc" not in str(caught.value)
    assert "A" not in os.environ
