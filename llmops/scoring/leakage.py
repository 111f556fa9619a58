"""How much of a text another one reproduces, word for word, also behind simple encodings."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator

_word = re.compile(r"\w+")
_encoded = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
MAX_CHARACTERS = 100_000
"""Read of each text."""


def reproduced(secret: str, output: str, *, known: str = "", run: int = 12) -> float:
    """Share of the words of `secret` that stand in `output` in runs of at least `run` words, in order.

    Args:
        secret: what should not be told.
        output: the answer; also read reversed, as ROT13, and with its Base64 decoded.
        known: other texts that the answer may repeat; runs that stand there do not count.
        run: words; a shorter run is common language. A shorter secret has to be reproduced whole.
    """
    words = _words(secret)
    run = min(run, len(words))
    if not run:
        return 0.0
    allowed = _runs(_words(known), run)
    best = 0.0
    for variant in _variants(output[:MAX_CHARACTERS]):
        told = _runs(_words(variant), run) - allowed
        covered: set[int] = set()
        for start in range(len(words) - run + 1):
            if tuple(words[start : start + run]) in told:
                covered.update(range(start, start + run))
        best = max(best, len(covered) / len(words))
    return best


def _words(text: str) -> list[str]:
    return _word.findall(text[:MAX_CHARACTERS].casefold())


def _runs(words: list[str], run: int) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + run]) for start in range(len(words) - run + 1)}


def _variants(output: str) -> Iterator[str]:
    yield output
    yield output[::-1]
    yield codecs.encode(output, "rot13")
    for match in _encoded.finditer(output):
        try:
            yield base64.b64decode(match[0] + "=" * (-len(match[0]) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
