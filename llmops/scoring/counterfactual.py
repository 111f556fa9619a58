"""Swaps the words of two groups in a text, so that only the group differs."""

import re
from collections.abc import Sequence


class Swap:
    """Two lists of words that answer each other, such as he and she, him and her."""

    def __init__(self, first: Sequence[str], second: Sequence[str]) -> None:
        """Args: words of either group, in the same order.

        Raises:
            ValueError: unequal lengths, or a word that stands in both.
        """
        ours, theirs = ([word.casefold() for word in group] for group in (first, second))
        if len(first) != len(second) or set(ours) & set(theirs):
            raise ValueError("needs two lists of the same length that share no word")
        self._to: dict[str, str] = {}
        for mine, other in zip(first, second, strict=True):
            self._to.setdefault(mine.casefold(), other)  # of several counterparts (her: him, his) the first
            self._to.setdefault(other.casefold(), mine)
        self._first = frozenset(ours)
        longest = sorted(self._to, key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)

    def group(self, text: str) -> int:
        """1 when the text names the first group alone, -1 the second alone, 0 both or neither."""
        named = {match[0].casefold() in self._first for match in self._pattern.finditer(text)}
        return 0 if len(named) != 1 else 1 if named == {True} else -1

    def swapped(self, text: str) -> str:
        """The text about the other group; capitals are kept."""
        return self._pattern.sub(lambda match: _cased(self._to[match[0].casefold()], match[0]), text)


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
