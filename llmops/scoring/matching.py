"""Does a text equal, contain or match what was expected? Differences that no reader sees do not count."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal, Protocol

Flag = Literal["ignore_case", "multiline", "dot_all", "verbose"]
_LETTERS: dict[Flag, str] = {"ignore_case": "i", "multiline": "m", "dot_all": "s", "verbose": "x"}

_SAME = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'",
        "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2212": "-",
        "\u00ad": None, "\u200b": None, "\u2060": None, "\ufeff": None,
        **dict.fromkeys("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    }
)  # fmt: skip
_thousands = re.compile(r",[0-9]{3}(?![0-9])")


class Match(Protocol):
    """What a pattern found."""

    def group(self) -> str:
        """The text that matched."""
        ...

    def span(self) -> tuple[int, int]:
        """Where it stands."""
        ...


class Pattern(Protocol):
    """A compiled regular expression whose searches are bounded in time."""

    def search(self, string: str, /, *, timeout: float) -> Match | None:
        """The first match; raises TimeoutError after `timeout` seconds."""
        ...


def compiled(pattern: str, flags: Iterable[Flag] = ()) -> Pattern:
    """A regular expression in the syntax of Python's `re`.

    Raises:
        ValueError: it is not one; the message says where.
    """
    # 15 ms that only suites with a pattern pay; the package has no types of its own.
    import regex  # type: ignore[import-untyped]  # noqa: PLC0415

    letters = "".join(sorted({_LETTERS[flag] for flag in flags}))
    try:
        found: Pattern = regex.compile(f"(?{letters}){pattern}" if letters else pattern)
    except regex.error as error:
        prefix = len(letters) + 3 if letters else 0
        place = "" if error.pos is None else f" at character {error.pos + 1 - prefix}"
        raise ValueError(f"is not a valid regular expression: {error.msg}{place}") from None
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"is too large a regular expression: {error}") from None
    return found


def folded(text: str, *, ignore_case: bool) -> str:
    """`text` in one spelling: NFC, straight quotes, plain hyphens, single spaces, no invisible characters."""
    if text.isascii():  # nothing but case and spaces can differ
        text = text.casefold() if ignore_case else text
    else:
        text = unicodedata.normalize("NFC", text).translate(_SAME)
        text = unicodedata.normalize("NFC", text.casefold()) if ignore_case else text
    return " ".join(text.split())


def equal(text: str, expected: str, *, ignore_case: bool = False, normalise: bool = False) -> bool:
    """Are the texts the same, space around them aside?

    Args:
        text: an answer.
        expected: what it should be.
        ignore_case: upper and lower case are the same.
        normalise: compare as `folded`, without quotation marks around the text and a full stop at its end.
    """
    if normalise:
        return _bare(text, ignore_case) == _bare(expected, ignore_case)
    text, expected = text.strip(), expected.strip()
    return text == expected or (ignore_case and text.casefold() == expected.casefold())


def _bare(text: str, ignore_case: bool) -> str:
    text = folded(text, ignore_case=ignore_case).rstrip(".").rstrip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        text = text[1:-1].strip().rstrip(".").rstrip()
    return text


def found_in(text: str, facts: Iterable[str], *, ignore_case: bool = True, whole_words: bool = False) -> Iterator[str]:
    """The facts that stand in `text`, all of them `folded`; the text once, however many facts there are.

    Args:
        text: an answer.
        facts: what it should hold.
        ignore_case: upper and lower case are the same.
        whole_words: an occurrence inside a longer word, identifier or number does not count: 4 is not in 14, 4.5, 4,000,
            -4 or q_4, and it is in `4.` and 4%.
    """
    text = folded(text, ignore_case=ignore_case)
    for each in facts:
        fact = folded(each, ignore_case=ignore_case)
        if _stands_alone(fact, text) if whole_words and fact else fact in text:
            yield each


def _stands_alone(fact: str, text: str) -> bool:
    start = text.find(fact)
    while start >= 0:
        if not _continues_before(text, start) and not _continues_after(text, start + len(fact)):
            return True
        start = text.find(fact, start + 1)
    return False


def _continues_before(text: str, start: int) -> bool:
    """Is the text before `start` part of the word or number that begins there?"""
    if not start or not _in_word(text[start]):
        return False
    before = text[start - 1]
    if _in_word(before):
        return before != "_" or (start > 1 and _in_word(text[start - 2]))
    if not text[start].isdecimal():
        return False
    above = text[start - 2] if start > 1 else " "
    if before == "-":
        return not (_in_word(above) or above in "-)]")
    if before == ".":
        return above.isdecimal()
    return before == "," and above.isdecimal() and _thousands.match(text, start - 1) is not None


def _continues_after(text: str, end: int) -> bool:
    """Is the text from `end` on part of the word or number that ends there?"""
    if end >= len(text) or not _in_word(text[end - 1]):
        return False
    after = text[end]
    if _in_word(after):
        return after != "_" or (end + 1 < len(text) and _in_word(text[end + 1]))
    if not text[end - 1].isdecimal() or end + 1 >= len(text):
        return False
    return (after == "." and text[end + 1].isdecimal()) or (after == "," and _thousands.match(text, end) is not None)


def _in_word(character: str) -> bool:
    return character == "_" or character.isalnum() or unicodedata.category(character).startswith("M")
