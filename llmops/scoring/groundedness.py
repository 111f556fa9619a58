"""What an answer says that its passages do not: features of each sentence against the passages."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from llmops.scoring.reading import terms
from llmops.scoring.sentences import Sentence, split_sentences

MAX_SENTENCES = 200
MAX_EVIDENCE = 4000
"""Sentences of an answer and of its passages that are looked at: a bound on the work."""

FEATURES = (
    "bias",
    "support",
    "best",
    "pairs",
    "numbers missing",
    "numbers",
    "names missing",
    "negation differs",
    "new terms",
    "length",
    "first",
    "last",
    "about the passages",
)
"""Order of the numbers in `features`."""

_number = re.compile(r"\d+(?:[.,:]\d+)*")
_name = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'-]+")
_negation = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t)\b", re.IGNORECASE)
_citation = re.compile(r"\[\d{1,4}\]")
_word = re.compile(r"[^\W_]+")
_meta = re.compile(
    r"\b(?:passages?|context|provided|given|mention(?:ed|s)?|information|according to|based on)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a passage."""

    text: str
    passage: int
    """0-based."""
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, and how well the passages support it."""

    start: int
    end: int
    features: tuple[float, ...]
    """Ordered as `FEATURES`."""
    nearest: Evidence | None
    missing_numbers: tuple[str, ...]
    missing_names: tuple[str, ...]
    """Numbers and names that no passage holds."""
    negation_differs: bool


def claims(output: str, contexts: Sequence[str]) -> list[Claim]:
    """The sentences of an answer with their features; a sentence without a content word claims nothing."""
    evidence = _evidence(contexts)
    known = frozenset().union(*(e.terms for e in evidence)) if evidence else frozenset()
    whole = " ".join(contexts)[:2_000_000]
    numbers = {_digits(n) for n in _number.findall(whole)}
    words = {w.lower() for w in _word.findall(whole)}
    pairs = _bigrams(whole)
    sentences = split_sentences(output)[:MAX_SENTENCES]
    found = []
    for place, sentence in enumerate(sentences):
        own = terms(_citation.sub("", sentence.text))
        if own:
            found.append(_claim(sentence, own, evidence, _Known(known, numbers, words, pairs), (place, len(sentences))))
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What the passages hold, all together."""

    terms: frozenset[str]
    numbers: set[str]
    words: set[str]
    pairs: set[tuple[str, str]]


def _claim(sentence: Sentence, own: frozenset[str], evidence: Sequence[Evidence], known: _Known, at: tuple[int, int]) -> Claim:
    text = _citation.sub("", sentence.text)
    nearest = max(evidence, key=lambda e: (len(own & e.terms), -len(e.terms)), default=None)
    best = len(own & nearest.terms) / len(own) if nearest is not None else 0.0
    pairs = _bigrams(text)
    numbers = _number.findall(text)
    missing = tuple(n for n in numbers if _digits(n) not in known.numbers)
    absent = tuple(name for name in _name.findall(text) if name.lower() not in known.words)
    negation = nearest is not None and best >= 0.5 and bool(_negation.search(text)) != bool(_negation.search(nearest.text))
    features = (
        1.0,
        len(own & known.terms) / len(own),
        best,
        len(pairs & known.pairs) / len(pairs) if pairs else 1.0,
        min(3.0, float(len(missing))),
        min(3.0, float(len(numbers))),
        min(3.0, float(len(absent))),
        float(negation),
        math.log1p(len(own - known.terms)),
        math.log1p(len(own)),
        float(at[0] == 0),
        float(at[0] == at[1] - 1),
        float(bool(_meta.search(text))),
    )
    return Claim(sentence.start, sentence.end, features, nearest, missing, absent, negation)


def _evidence(contexts: Sequence[str]) -> list[Evidence]:
    found: list[Evidence] = []
    for number, context in enumerate(contexts):
        for sentence in split_sentences(context):
            found.append(Evidence(sentence.text, number, terms(sentence.text)))
            if len(found) == MAX_EVIDENCE:
                return found
    return found


def _digits(number: str) -> str:
    return number.replace(",", "").rstrip(".:")


def _bigrams(text: str) -> set[tuple[str, str]]:
    words = [w.lower() for w in _word.findall(text)]
    return set(zip(words, words[1:], strict=False))
