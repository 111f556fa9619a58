"""What the toxicity detector looks at beside its encoder: the listed words of a text, and the words that were meant."""

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from llmops.scoring.labels import CATEGORIES
from llmops.scoring.normalise import normalised
from llmops.scoring.sentences import Sentence, split_sentences
from llmops.scoring.toxic_words import GROUPS, HARMS, category, places

MAX_CHARACTERS = 100_000
"""Longer texts are judged by their beginning: a bound on the work."""
WINDOW_WORDS = 60
"""Sentences are read together up to so many words; a longer one is cut."""
LONGEST_PHRASE = 4
"""Words of a phrase that is looked for in the list of words."""

_noise = re.compile(r"https?://\S+|\burl\b|\brt @\w+:?|(?<!\w)@\w+|&\w+;", re.IGNORECASE)
_space = re.compile(r"\s+")
_quoted = re.compile(r"(?<!\w)['\"\u2018\u201c](?=\w).{1,150}?(?<=[\w.,!?])['\"\u2019\u201d](?!\w)")
_context = [group for group in GROUPS if group not in HARMS]
FEATURES = 2 * len(GROUPS) + len(HARMS) * (1 + len(_context)) + len(CATEGORIES) * (1 + 2 * len(_context)) + 4
"""How many numbers `features` gives."""
NEAR = 4
"""Words between a harmful word and one that belongs to it, at most."""


def readable(text: str) -> str:
    """`text` without addresses and user names, its disguises undone."""
    plain = _noise.sub(" ", html.unescape(html.unescape(text)) if "&" in text else text)
    return _space.sub(" ", normalised(plain)).strip()


def windows(text: str) -> list[tuple[int, int]]:
    """Characters of the stretches that are read together: whole sentences, if they fit."""
    found: list[tuple[int, int]] = []
    words = WINDOW_WORDS + 1
    for sentence in split_sentences(text[:MAX_CHARACTERS]):
        for start, end, count in _pieces(sentence):
            if words + count <= WINDOW_WORDS:
                found[-1] = (found[-1][0], end)
                words += count
            else:
                found.append((start, end))
                words = count
    return found


def _pieces(sentence: Sentence) -> Iterator[tuple[int, int, int]]:
    """Where the parts of a sentence begin and end, and how many words they have."""
    words = [match.span() for match in re.finditer(r"\S+", sentence.text)]
    for first in range(0, len(words), WINDOW_WORDS):
        part = words[first : first + WINDOW_WORDS]
        yield sentence.start + part[0][0], sentence.start + part[-1][1], len(part)


def features(text: str, plain: str) -> tuple[float, ...]:
    """Which kinds of listed words stand in a text, how many, which together and how; `plain`: its `readable` form."""
    found = places(plain)
    there = {group: float(bool(starts)) for group, starts in found.items()}
    words = 1 + plain.count(" ")
    counts = (math.log1p(len(starts)) for starts in found.values())
    shares = (len(found[harm]) / words for harm in HARMS)
    pairs = (there[harm] * there[other] for harm in HARMS for other in _context)
    capitals = sum(c.isupper() for c in text) / max(1, len(text))
    marks = (float(min(3, text.count(mark))) for mark in "!?")
    return (*there.values(), *counts, *shares, *pairs, *_bearings(plain, found), capitals, math.log1p(words), *marks)


def _bearings(plain: str, found: Mapping[str, Sequence[int]]) -> list[float]:
    """Of each category: whether its words are quoted, and which words of the context stand closely before and after them."""
    row = 1 + 2 * len(_context)
    told = [0.0] * (row * len(CATEGORIES))
    quoted = [match.span() for match in _quoted.finditer(plain)]
    around = [(number, plain.count(" ", 0, at)) for number, group in enumerate(_context) for at in found[group]]
    for harm, kind in HARMS.items():
        first = row * CATEGORIES.index(kind)
        for at in found[harm]:
            told[first] = max(told[first], float(any(start < at < end for start, end in quoted)))
            word = plain.count(" ", 0, at)
            for number, other in around:
                if word != other and abs(word - other) <= NEAR:
                    told[first + 1 + 2 * number + (word < other)] = 1.0
    return told


def listed(text: str) -> Iterator[tuple[int, int, str]]:
    """Where words and phrases of a harmful kind stand, the longest first, with their category; disguised ones too."""
    words = [match.span() for match in re.finditer(r"\S+", text[:MAX_CHARACTERS])]
    at = 0
    while at < len(words):
        for count in range(min(LONGEST_PHRASE, len(words) - at), 0, -1):
            start, end = words[at][0], words[at + count - 1][1]
            kind = category(readable(text[start:end]))
            if kind is not None:
                yield start, end, kind
                at += count - 1
                break
        at += 1
