"""What an answer says that its passages do not: features of each sentence against the passages."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from llmops.domain.records import record
from llmops.scoring.copied_words import COPYING, Source, words
from llmops.scoring.matching import folded
from llmops.scoring.reading import terms
from llmops.scoring.sentences import Sentence, split_sentences
from llmops.scoring.wording import WORDING, negates, wording

MAX_SENTENCES = 200
MAX_EVIDENCE = 4000
"""Sentences of an answer and of its passages that are looked at: a bound on the work."""

_SUPPORT = ("best", "second best", "best two", "numbers missing", "numbers", "names missing", "names", "negation differs")
_PLACE = ("place", "first", "last")
_OWN = (*COPYING, *_SUPPORT, *WORDING, *_PLACE)
_BESIDE = (
    "new content words, share",
    "new pairs",
    "best",
    "words",
    "in runs of three",
    "list item",
    "about the passages",
    "negates",
    "cannot tell",
    "advises",
)
_WHOLE = ("sentences", "all words", "passage words", "length ratio", "all new words", "line breaks", "passage sentences")
FEATURES = (*_OWN, *(f"{side}: {name}" for side in ("before", "after") for name in _BESIDE), *_WHOLE)
"""Order of the numbers in `Claim.features`: of the sentence, of those beside it, of the whole answer."""

_beside = [_OWN.index(name) for name in _BESIDE]
_number = re.compile(r"\d+(?:[.,:]\d+)*")
_name = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][\w'-]+")
_citation = re.compile(r"\[\d{1,4}\]")


@record
class Evidence:
    """A sentence of a passage."""

    text: str
    passage: int
    """0-based."""
    terms: frozenset[str]


@record
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


@record
class _Known:
    """What the passages hold, all together."""

    evidence: tuple[Evidence, ...]
    source: Source
    numbers: frozenset[str]


def claims(output: str, contexts: Sequence[str]) -> list[Claim]:
    """The sentences of an answer with their features; a sentence without a content word claims nothing."""
    evidence = _evidence(contexts)
    numbers = frozenset(_digits(n) for e in evidence for n in _number.findall(e.text))
    known = _Known(evidence, Source.of([e.text for e in evidence]), numbers)
    cleaned = [(s, _citation.sub("", s.text)) for s in split_sentences(output)[:MAX_SENTENCES]]
    own = [(sentence, text) for sentence, text in cleaned if terms(text)]
    found = [_claim(sentence, text, known, (place, len(own))) for place, (sentence, text) in enumerate(own)]
    whole = _whole(output, [text for _, text in own], known)
    nothing = (0.0,) * len(_BESIDE)
    beside = [nothing, *(tuple(claim.features[at] for at in _beside) for claim in found), nothing]
    return [
        replace(claim, features=(*claim.features, *before, *after, *whole))
        for claim, before, after in zip(found, beside, beside[2:], strict=False)
    ]


def verbatim(output: str, contexts: Sequence[str]) -> bool:
    """Whether all sentences of an answer stand in the passages, word for word; one without a content word claims nothing."""
    known = {_bare(sentence.text) for context in contexts for sentence in split_sentences(context)}
    own = (_citation.sub("", sentence.text) for sentence in split_sentences(output))
    return all(_bare(text) in known for text in own if terms(text))


def _claim(sentence: Sentence, text: str, known: _Known, at: tuple[int, int]) -> Claim:
    """With the features of the sentence alone."""
    own = terms(text)
    nearest = max(known.evidence, key=lambda e: (len(own & e.terms), -len(e.terms)), default=None)
    numbers, names = _number.findall(text), _name.findall(text)
    missing = tuple(n for n in numbers if _digits(n) not in known.numbers)
    absent = tuple(name for name in names if name.lower() not in known.source.words)
    support = _support(own, known.evidence)
    negation = nearest is not None and support[0] >= 0.5 and negates(text) != negates(nearest.text)
    counts = (min(3.0, float(len(each))) for each in (missing, numbers, absent, names))
    place = (at[0] / max(1, at[1] - 1), float(at[0] == 0), float(at[0] == at[1] - 1))
    features = (*known.source.copied(words(text)), *support, *counts, float(negation), *wording(text), *place)
    return Claim(sentence.start, sentence.end, features, nearest, missing, absent, negation)


def _support(own: frozenset[str], evidence: Sequence[Evidence]) -> tuple[float, float, float]:
    """Share of a sentence's terms in the nearest sentence of the passages, in the next one, and in both together."""
    shared = sorted((own & e.terms for e in evidence), key=len, reverse=True)[:2]
    one, two = (*shared, frozenset[str](), frozenset[str]())[:2]
    return len(one) / len(own), len(two) / len(own), len(one | two) / len(own)


def _whole(output: str, texts: Sequence[str], known: _Known) -> tuple[float, ...]:
    """Features of an answer that all of its sentences share."""
    own = [word for text in texts for word in words(text)]
    size = sum(len(words(e.text)) for e in known.evidence)
    return (
        math.log1p(len(texts)),
        math.log1p(len(own)),
        math.log1p(size),
        min(3.0, len(own) / max(1, size)),
        math.log1p(len(set(known.source.new(own)))),
        math.log1p(output.count("\n")),
        math.log1p(len(known.evidence)),
    )


def _evidence(contexts: Sequence[str]) -> tuple[Evidence, ...]:
    found: list[Evidence] = []
    for number, context in enumerate(contexts):
        some = split_sentences(context)[: MAX_EVIDENCE - len(found)]
        found.extend(Evidence(sentence.text, number, terms(sentence.text)) for sentence in some)
    return tuple(found)


def _bare(sentence: str) -> str:
    return folded(sentence, ignore_case=True).rstrip(" .")


def _digits(number: str) -> str:
    return number.replace(",", "").rstrip(".:")
