"""Answers made from passages: copied sentences, some with one fault put in, so that every faulty character is known."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmops.scoring.sentences import split_sentences

_PAIRS = """
increase/decrease, increased/decreased, increases/decreases, more/less, before/after, highest/lowest
higher/lower, high/low, first/last, always/never, above/below, large/small, largest/smallest
larger/smaller, long/short, longer/shorter, hot/cold, north/south, east/west, northern/southern
eastern/western, early/late, most/least, minimum/maximum, inside/outside, public/private, left/right
gain/lose, buy/sell, begins/ends, began/ended, start/stop, positive/negative, safe/dangerous
cheap/expensive, all/none of the, with/without, can/cannot, is/is not, are/are not, was/was not
were/were not, will/will not, should/should not, best/worst, good/bad, new/old, male/female
father/mother, days/weeks, hours/minutes, years/months, million/billion
"""
"""Words and their opposites."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_opposites = [pair.strip().split("/") for pair in _PAIRS.replace("\n", ",").split(",") if pair.strip()]
_swap = {a: b for one, other in _opposites for a, b in ((one, other), (other, one))}
_number = re.compile(r"\d+(?:[.,]\d+)*")
_name = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*")
_word = re.compile(r"[A-Za-z]+")
_month = re.compile("|".join(MONTHS))


@dataclass(frozen=True)
class Made:
    text: str
    spans: tuple[tuple[int, int], ...]
    """Characters that the passages do not support; empty for a supported answer."""


class Maker:
    """Makes answers from the passages of one source, with names and clauses of other sources to put in."""

    def __init__(self, seed: int, foreign: Sequence[str]) -> None:
        self._draw = random.Random(seed)
        self._foreign = foreign
        self._names = [name for text in foreign for name in _name.findall(text)][:5000]

    def answer(self, passages: str) -> Made | None:
        """One to four sentences of the passages, two times in three with one fault; None: nothing could be made."""
        pool = [s.text for s in split_sentences(passages) if 20 < len(s.text) < 400]
        if not pool:
            return None
        chosen = [self._shortened(text) for text in self._draw.sample(pool, min(len(pool), self._draw.choice((1, 1, 2, 3, 4))))]
        at = self._draw.randrange(len(chosen))
        spans: list[tuple[int, int]] = []
        if self._draw.random() < 0.66:
            edited = self._faulty(chosen[at])
            if edited is not None:
                chosen[at], found = edited
                start = sum(len(text) + 1 for text in chosen[:at])
                spans = [(start + found[0], start + found[1])]
        return Made(" ".join(chosen), tuple(spans))

    def edited(self, answer: str) -> Made | None:
        """A supported answer, or one sentence of it, with one small edit; None: nothing in it can be edited.

        Small edits of people's own wording are harder than edits of copies: no word of the passages gives them away.
        """
        sentences = [s.text for s in split_sentences(answer) if 20 < len(s.text) < 400]
        if not sentences:
            return None
        text = self._draw.choice(sentences) if self._draw.random() < 0.5 else answer
        edits = [self._number, self._name, self._opposite, self._month]
        self._draw.shuffle(edits)
        found = next((found for edit in edits if (found := edit(text)) is not None), None)
        return None if found is None else Made(found[0], (found[1],))

    def sentence(self, answer: str) -> Made | None:
        """One sentence of a supported answer, as it is."""
        sentences = [s.text for s in split_sentences(answer) if 20 < len(s.text) < 400]
        return Made(self._draw.choice(sentences), ()) if sentences else None

    def _shortened(self, text: str) -> str:
        """Sometimes without what follows its last comma: still supported."""
        head, comma, tail = text.rpartition(", ")
        return f"{head}." if comma and len(head) > 40 and len(tail) > 15 and self._draw.random() < 0.25 else text

    def _faulty(self, text: str) -> tuple[str, tuple[int, int]] | None:
        edits: list[Callable[[str], tuple[str, tuple[int, int]] | None]]
        edits = [self._number, self._name, self._opposite, self._clause, self._sentence, self._month]
        edits += [self._number, self._opposite]
        self._draw.shuffle(edits)
        return next((found for edit in edits if (found := edit(text)) is not None), None)

    def _replaced(self, text: str, match: "re.Match[str] | None", new: str) -> tuple[str, tuple[int, int]] | None:
        if match is None or new == match[0]:
            return None
        return text[: match.start()] + new + text[match.end() :], (match.start(), match.start() + len(new))

    def _any(self, pattern: "re.Pattern[str]", text: str) -> "re.Match[str] | None":
        found = list(pattern.finditer(text))
        return self._draw.choice(found) if found else None

    def _number(self, text: str) -> tuple[str, tuple[int, int]] | None:
        match = self._any(_number, text)
        if match is None or len(match[0]) > 9:
            return None
        digits = list(match[0])
        places = [i for i, c in enumerate(digits) if c.isdigit()]
        place = self._draw.choice(places)
        digits[place] = self._draw.choice([d for d in "123456789" if d != digits[place]])
        return self._replaced(text, match, "".join(digits))

    def _name(self, text: str) -> tuple[str, tuple[int, int]] | None:
        return self._replaced(text, self._any(_name, text), self._draw.choice(self._names)) if self._names else None

    def _month(self, text: str) -> tuple[str, tuple[int, int]] | None:
        return self._replaced(text, self._any(_month, text), self._draw.choice(MONTHS))

    def _opposite(self, text: str) -> tuple[str, tuple[int, int]] | None:
        found = [match for match in _word.finditer(text) if match[0].lower() in _swap]
        match = self._draw.choice(found) if found else None
        return self._replaced(text, match, _swap[match[0].lower()]) if match is not None else None

    def _clause(self, text: str) -> tuple[str, tuple[int, int]] | None:
        parts = [p for s in split_sentences(self._draw.choice(self._foreign)) for p in s.text.split(", ") if 15 < len(p) < 120]
        if not parts:
            return None
        body, stop = (text[:-1], text[-1]) if text[-1:] in ".!?" else (text, "")
        joint = self._draw.choice(("and", "which means that", "because", "while"))
        clause = f", {joint} {self._draw.choice(parts).rstrip('.!?')}"
        return f"{body}{clause}{stop}", (len(body), len(body) + len(clause))

    def _sentence(self, text: str) -> tuple[str, tuple[int, int]] | None:
        others = [s.text for s in split_sentences(self._draw.choice(self._foreign)) if 20 < len(s.text) < 250]
        if not others:
            return None
        new = self._draw.choice(others)
        return f"{text} {new}", (len(text) + 1, len(text) + 1 + len(new))
