"""Counts and locates tokens with an OpenAI encoding, read from the files that LiteLLM ships: no download."""

import os
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.adapters.hf_tokenizer import encodable

ENCODING = "cl100k_base"


class TiktokenTokenizer:
    """Implements `Tokenizer`; exact for OpenAI's embedding models, an estimate for those of others."""

    def __init__(self, encoding: str = ENCODING) -> None:
        self._name = encoding
        self._encoding: Any = None
        self._lock = Lock()

    def count(self, text: str) -> int:
        """As the port."""
        return len(self._load().encode(encodable(text), disallowed_special=()))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """As the port; tokens that share a character (parts of an emoji) have the same span."""
        encoding = self._load()
        _, starts = encoding.decode_with_offsets(encoding.encode(encodable(text), disallowed_special=()))
        spans: list[tuple[int, int]] = []
        end = following = len(text)
        for start in reversed(starts):
            if start < following:
                end, following = following, start
            spans.append((start, end))
        return spans[::-1]

    def _load(self) -> Any:  # noqa: ANN401 -- an untyped vendor object
        with self._lock:
            if self._encoding is None:
                import tiktoken

                # LiteLLM sets the same when it is imported; importing it for this would take seconds.
                spec = find_spec("litellm")
                if spec is not None and spec.origin is not None:
                    shipped = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
                    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(shipped))
                self._encoding = tiktoken.get_encoding(self._name)
            return self._encoding
