"""How many years of school an English text takes."""

import re

from llmops.scoring.language import without_code
from llmops.scoring.sentences import split_sentences

_word = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_vowels = re.compile(r"[aeiouy]+")


def syllables(word: str) -> int:
    """Groups of vowels, without a silent final e; at least 1."""
    lower = word.lower()
    count = len(_vowels.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee", "ye")) and count > 1
    silent |= lower.endswith("ed") and not lower.endswith(("ted", "ded")) and count > 1
    return max(1, count - silent)


def grade(text: str) -> tuple[float, float] | None:
    """Grade level (Kincaid et al. 1975) and reading ease (Flesch 1948), code and links aside; None without words."""
    text = without_code(text)
    words = _word.findall(text)
    sentences = sum(1 for each in split_sentences(text) if _word.search(each.text))
    if not words or not sentences:
        return None
    length = len(words) / sentences
    density = sum(map(syllables, words)) / len(words)
    return 0.39 * length + 11.8 * density - 15.59, 206.835 - 1.015 * length - 84.6 * density
