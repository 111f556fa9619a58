"""Hashed features of a text for the toxicity classifier: words, pairs of words, and pieces of words."""

import math
import re
from collections.abc import Iterator
from zlib import crc32

from llmops.scoring.normalise import normalised

BUCKETS = 2**17
MAX_CHARACTERS = 20_000
"""Longer texts are judged by their beginning: a bound on the work."""

_word = re.compile(r"[a-z']+|[^\s\w]")


def buckets(text: str) -> dict[int, float]:
    """Weight by bucket, Euclidean length 1; empty for a text without letters."""
    found: dict[int, float] = {}
    for feature in _features(normalised(text[:MAX_CHARACTERS])):
        found[crc32(feature.encode("utf-8", "replace")) % BUCKETS] = 1.0
    length = math.sqrt(len(found))
    return dict.fromkeys(found, 1.0 / length) if found else found


def words(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the words of a text."""
    for match in re.finditer(r"\S+", text[:MAX_CHARACTERS]):
        yield match.start(), match.end()


def _features(text: str) -> Iterator[str]:
    tokens = _word.findall(text)
    for first, second in zip(tokens, [*tokens[1:], "$"], strict=False):
        yield f"w {first}"
        yield f"p {first} {second}"
        padded = f"<{first}>"
        for size in (3, 4, 5):
            for start in range(len(padded) - size + 1):
                yield f"c {padded[start : start + size]}"
