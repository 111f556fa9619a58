"""How much of a sentence its passages hold: runs of copied words, and words that stand nowhere in them."""

import math
import re
from collections.abc import Sequence

from llmops.domain.records import record
from llmops.scoring.reading import content_stem

LONGEST_RUN = 8
"""Words of a copied run; longer ones are not told apart."""
MAX_CHARACTERS = 20_000
"""Read of a sentence."""
MAX_WORDS = 50_000
"""Read of all passages."""

COPYING = (
    "new content words, share",
    "new words, share",
    "new pairs",
    "new triples",
    "new quadruples",
    "in runs of three",
    "in runs of five",
    "mean run",
    "longest run",
    "longest gap",
    "new content words",
    "words",
    "content words",
)
"""Order of the numbers in `Source.copied`."""

_word = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [match[0].lower() for match in _word.finditer(text[:MAX_CHARACTERS])]


@record
class Source:
    """The words of all passages together."""

    words: frozenset[str]
    stems: frozenset[str]
    runs: frozenset[tuple[str, ...]]
    """Neighbouring words of one sentence, two to `LONGEST_RUN` of them."""

    @classmethod
    def of(cls, sentences: Sequence[str]) -> "Source":
        """Of the sentences of the passages."""
        found: list[list[str]] = []
        room = MAX_WORDS
        for sentence in sentences:
            found.append(words(sentence)[:room])
            room -= len(found[-1])
        known = frozenset(word for some in found for word in some)
        runs = {
            tuple(some[at : at + size])
            for some in found
            for size in range(2, LONGEST_RUN + 1)
            for at in range(len(some) - size + 1)
        }
        return cls(known, frozenset(content_stem(word) for word in known), frozenset(runs))

    def has(self, word: str) -> bool:
        """Whether the passages hold a word, in any of its forms."""
        return word in self.words or content_stem(word) in self.stems

    def new(self, own: Sequence[str]) -> list[str]:
        """The content words that no passage has."""
        return [word for word in own if content_stem(word) and not self.has(word)]

    def copied(self, own: Sequence[str]) -> tuple[float, ...]:
        """How far the words of a sentence are copied, ordered as `COPYING`."""
        size = max(1, len(own))
        content = sum(1 for word in own if content_stem(word))
        new = len(self.new(own))
        covered = self._covered(own)
        gap = longest = 0
        for run in covered:
            gap = gap + 1 if run < 2 else 0
            longest = max(longest, gap)
        return (
            new / max(1, content),
            sum(1 for word in own if not self.has(word)) / size,
            *(self._new_runs(own, length) for length in (2, 3, 4)),
            *(sum(1 for run in covered if run >= length) / size for length in (3, 5)),
            sum(covered) / size,
            float(max(covered, default=0)),
            math.log1p(longest),
            math.log1p(new),
            math.log1p(len(own)),
            math.log1p(content),
        )

    def _covered(self, own: Sequence[str]) -> list[int]:
        """For each word the longest copied run that it is part of, in words; 0: no passage has the word."""
        covered = [0] * len(own)
        for start in range(len(own)):
            length = 1 if own[start] in self.words else 0
            while (
                0 < length < LONGEST_RUN and start + length < len(own) and tuple(own[start : start + length + 1]) in self.runs
            ):
                length += 1
            for at in range(start, start + length):
                covered[at] = max(covered[at], length)
        return covered

    def _new_runs(self, own: Sequence[str], length: int) -> float:
        """Share of the runs of so many words that no passage has; in a sentence that is too short: whether a word is new."""
        places = len(own) - length + 1
        if places < 1:
            return float(any(not self.has(word) for word in own))
        return sum(1 for at in range(places) if tuple(own[at : at + length]) not in self.runs) / places
