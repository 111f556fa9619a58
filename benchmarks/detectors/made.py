"""Answers made from passages: copied sentences, some with one fault put in, so that every faulty character is known."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from llmops.scoring.sentences import split_sentences

_PAIRS = """
increase/decrease, increased/decreased, increases/decreases, more/less, before/after, highest/lowest
higher/lower, high/low, first/last, always/never, above/below, large/small, largest/smallest
larger/smaller, long/short, longer/shorter, hot/cold, north/south, east/west, northern/southern
eastern/western, early/late, most/least, minimum/maximum, inside/outside, public/private, left/right
gain/lose, buy/sell, begins/ends, began/ended, start/stop, positive/negative, safe/dangerous
cheap/expensive, all/none of the, with/without, can/cannot, is/is not, are/are not, was/was not
were/were not, will/will not, should/should not, best/worst, good/bad, new/old, male/female
father/mother, days/weeks, hours/minutes, years/months, million/billion, has/has not, have/have not
may/must, could/will, some/all, many/few, often/rarely, usually/rarely, only/not only, both/neither
allowed/forbidden, required/optional, accept/reject, accepted/rejected, support/oppose, supports/opposes
win/lose, won/lost, rise/fall, rose/fell, agree/disagree, agreed/refused, open/closed, add/remove
strong/weak, rich/poor, young/old, wide/narrow, deep/shallow, easy/difficult, common/rare, true/false
success/failure, advantage/disadvantage, benefit/harm, benefits/risks, cause/prevent, causes/prevents
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
_not = re.compile(r"(?<=\w )not ")
_joint = re.compile(r"[,;:]\s+|\s+(?:and|but|which|because|while|so)\s+")
Edit = tuple[str, tuple[int, int]]
"""A changed text, and the characters in it that are wrong."""


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

    def edited(self, answer: str, passages: str) -> Made | None:
        """A supported answer, or one sentence of it, with one small edit; None: nothing in it can be edited.

        Small edits of people's own wording are harder than edits of copies, the more so with names and numbers that the
        passages hold elsewhere: no word gives them away.
        """
        sentences = [s.text for s in split_sentences(answer) if 20 < len(s.text) < 400]
        if not sentences:
            return None
        text = self._draw.choice(sentences) if self._draw.random() < 0.5 else answer
        names, numbers = (sorted({m[0] for m in pattern.finditer(passages)}) for pattern in (_name, _number))
        edits: list[Callable[[str], Edit | None]] = [self._number, self._name, self._opposite, self._opposite, self._month]
        edits += [partial(self._other, _name, names), partial(self._other, _number, numbers)]
        edits += [partial(self._exchanged, _name), partial(self._exchanged, _number), self._affirmed]
        self._draw.shuffle(edits)
        found = next((found for edit in edits if (found := edit(text)) is not None), None)
        return None if found is None else Made(found[0], (found[1],))

    def sentence(self, answer: str) -> Made | None:
        """One sentence of a supported answer, as it is."""
        sentences = [s.text for s in split_sentences(answer) if 20 < len(s.text) < 400]
        return Made(self._draw.choice(sentences), ()) if sentences else None

    def statements(self, answer: str, passages: str) -> list[Made]:
        """Up to three short clauses of a supported answer, each as it is and with one small edit."""
        parts = [part.strip().rstrip(".!?") for s in split_sentences(answer) for part in _joint.split(s.text)]
        pool = list(dict.fromkeys(f"{p[0].upper()}{p[1:]}." for p in parts if 12 <= len(p) <= 60 and len(p.split()) >= 3))
        names, numbers = (sorted({m[0] for m in pattern.finditer(passages)}) for pattern in (_name, _number))
        edits: list[Callable[[str], Edit | None]] = [self._number, self._name, self._opposite, self._month]
        edits += [partial(self._other, _name, names), partial(self._other, _number, numbers)]
        found: list[Made] = []
        for text in self._draw.sample(pool, min(3, len(pool))):
            self._draw.shuffle(edits)
            edited = next((each for edit in edits if (each := edit(text)) is not None), None)
            if edited is not None:
                found += [Made(text, ()), Made(edited[0], (edited[1],))]
        return found

    def _shortened(self, text: str) -> str:
        """Sometimes without what follows its last comma: still supported."""
        head, comma, tail = text.rpartition(", ")
        return f"{head}." if comma and len(head) > 40 and len(tail) > 15 and self._draw.random() < 0.25 else text

    def _faulty(self, text: str) -> Edit | None:
        edits: list[Callable[[str], Edit | None]]
        edits = [self._number, self._name, self._opposite, self._clause, self._sentence, self._month]
        edits += [self._number, self._opposite]
        self._draw.shuffle(edits)
        return next((found for edit in edits if (found := edit(text)) is not None), None)

    def _replaced(self, text: str, match: "re.Match[str] | None", new: str) -> Edit | None:
        if match is None or new == match[0]:
            return None
        return text[: match.start()] + new + text[match.end() :], (match.start(), match.start() + len(new))

    def _any(self, pattern: "re.Pattern[str]", text: str) -> "re.Match[str] | None":
        found = list(pattern.finditer(text))
        return self._draw.choice(found) if found else None

    def _number(self, text: str) -> Edit | None:
        match = self._any(_number, text)
        if match is None or len(match[0]) > 9:
            return None
        digits = list(match[0])
        places = [i for i, c in enumerate(digits) if c.isdigit()]
        place = self._draw.choice(places)
        digits[place] = self._draw.choice([d for d in "123456789" if d != digits[place]])
        return self._replaced(text, match, "".join(digits))

    def _name(self, text: str) -> Edit | None:
        return self._replaced(text, self._any(_name, text), self._draw.choice(self._names)) if self._names else None

    def _month(self, text: str) -> Edit | None:
        return self._replaced(text, self._any(_month, text), self._draw.choice(MONTHS))

    def _opposite(self, text: str) -> Edit | None:
        found = [m for m in _word.finditer(text) if m[0].lower() in _swap and not text.startswith(" not", m.end())]
        match = self._draw.choice(found) if found else None
        return self._replaced(text, match, _swap[match[0].lower()]) if match is not None else None

    def _other(self, pattern: "re.Pattern[str]", known: Sequence[str], text: str) -> Edit | None:
        """Another name or number of the same passages."""
        others = [each for each in known if each not in text and len(each) < 40]
        return self._replaced(text, self._any(pattern, text), self._draw.choice(others)) if others else None

    def _exchanged(self, pattern: "re.Pattern[str]", text: str) -> Edit | None:
        """Two different names or numbers of the text in each other's place."""
        found = list(pattern.finditer(text))
        pairs = [(a, b) for a, b in zip(found, found[1:], strict=False) if a[0] != b[0]]
        if not pairs:
            return None
        one, two = self._draw.choice(pairs)
        new = text[: one.start()] + two[0] + text[one.end() : two.start()] + one[0] + text[two.end() :]
        return new, (one.start(), two.end())

    def _affirmed(self, text: str) -> Edit | None:
        """Without its negation; what is left around it is marked."""
        match = self._any(_not, text)
        if match is None:
            return None
        after = text[match.end() :].partition(" ")[0]
        new = text[: match.start()] + text[match.end() :]
        return new, (match.start(), max(match.start() + 1, match.start() + len(after)))

    def _clause(self, text: str) -> Edit | None:
        parts = [p for s in split_sentences(self._draw.choice(self._foreign)) for p in s.text.split(", ") if 15 < len(p) < 120]
        if not parts:
            return None
        body, stop = (text[:-1], text[-1]) if text[-1:] in ".!?" else (text, "")
        joint = self._draw.choice(("and", "which means that", "because", "while"))
        clause = f", {joint} {self._draw.choice(parts).rstrip('.!?')}"
        return f"{body}{clause}{stop}", (len(body), len(body) + len(clause))

    def _sentence(self, text: str) -> Edit | None:
        others = [s.text for s in split_sentences(self._draw.choice(self._foreign)) if 20 < len(s.text) < 250]
        if not others:
            return None
        new = self._draw.choice(others)
        return f"{text} {new}", (len(text) + 1, len(text) + 1 + len(new))
