"""Counts and locates tokens with a `tokenizer.json`, never truncated and never padded."""

from pathlib import Path
from threading import Lock
from typing import Any


def encodable(text: str) -> str:
    """The text with every lone surrogate as `?`, so that it has a UTF-8 form and keeps its length in characters."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def load_tokenizer(path: Path, *, max_tokens: int | None = None) -> Any:  # noqa: ANN401 -- an untyped vendor object
    """A `tokenizers.Tokenizer` with truncation at `max_tokens` (special tokens included) or none, and no padding.

    The file's own settings are replaced: all-MiniLM-L6-v2 ships one that cuts at 128 tokens and pads to 128.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens is not None:
        tokenizer.enable_truncation(max_tokens)
    return tokenizer


class HfTokenizer:
    """Implements `Tokenizer`; the file is read when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokenizer: Any = None
        self._lock = Lock()

    def count(self, text: str) -> int:
        """As the port."""
        return len(self._encoded(text).ids)

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """As the port."""
        return list(self._encoded(text).offsets)

    def _encoded(self, text: str) -> Any:  # noqa: ANN401 -- an untyped vendor object
        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = load_tokenizer(self._path)
        return self._tokenizer.encode(encodable(text), add_special_tokens=False)
