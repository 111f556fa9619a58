"""How far a text agrees with a reference, by words or characters: the usual metrics of answers, summaries and translations."""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal

from llmops.domain.records import record
from llmops.scoring.scripts import UNSPACED

Metric = Literal["f1", "rouge-1", "rouge-2", "rouge-l", "bleu", "chrf", "edit"]

MAX_CHARACTERS = 20_000
"""Read of each text."""
BLEU_ORDER = 4
CHRF_ORDER = 6
CHRF_BETA = 2.0
"""How much more recall counts than precision in chrF."""

_unspaced = re.compile(UNSPACED)
_articles = re.compile(r"\b(a|an|the)\b")
_token = re.compile(r"\d+(?:[.,]\d+)+|\w+|[^\w\s]")


@record
class Agreement:
    """Of a text with its reference, each 0 to 1."""

    value: float
    precision: float | None = None
    """Share of the text that the reference has; None: the metric knows none."""
    recall: float | None = None
    """Share of the reference that the text has."""


NOTHING = Agreement(0.0, 0.0, 0.0)


def agreement(metric: Metric, text: str, reference: str) -> Agreement:
    """How far `text` agrees with `reference`; of each the first `MAX_CHARACTERS` are read, composed (NFC).

    - `f1`: of the words, without articles and punctuation (Rajpurkar et al. 2016, SQuAD).
    - `rouge-1`, `rouge-2`, `rouge-l`: F1 of words, of pairs of words, of the longest common subsequence (Lin 2004).
    - `bleu`: up to four words, exponentially smoothed (Papineni et al. 2002; Chen and Cherry 2014, method 3).
    - `chrf`: F2 of up to six characters, spaces aside (Popovic 2015).
    - `edit`: 1 minus the Levenshtein distance as a share of the longer text.
    """
    text, reference = (unicodedata.normalize("NFC", each[:MAX_CHARACTERS]) for each in (text, reference))
    if metric == "f1":
        return _f1(text, reference)
    if metric == "rouge-l":
        return _rouge_l(_words(text), _words(reference))
    if metric in ("rouge-1", "rouge-2"):
        order = int(metric[-1])
        return _shared(_grams(_words(text), order), _grams(_words(reference), order))
    if metric == "bleu":
        return Agreement(_bleu(_tokens(text), _tokens(reference)))
    if metric == "chrf":
        return _chrf("".join(text.split()), "".join(reference.split()))
    longer = max(len(text), len(reference))
    return Agreement(1 - levenshtein(text, reference) / longer if longer else 1.0)


def _words(text: str) -> list[str]:
    """Runs of letters, marks and digits, in lower case."""
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text.lower())
    return _unspaced.sub(r" \g<0> ", kept).split()


def _tokens(text: str) -> list[str]:
    """Words, numbers and single marks, as they are written."""
    return _token.findall(_unspaced.sub(r" \g<0> ", text))


def _f1(text: str, reference: str) -> Agreement:
    found, wanted = _answer_words(text), _answer_words(reference)
    if not found or not wanted:
        return Agreement(float(found == wanted), float(found == wanted), float(found == wanted))
    return _shared(Counter(found), Counter(wanted))


def _answer_words(text: str) -> list[str]:
    kept = "".join(c for c in text.lower() if c not in string.punctuation and unicodedata.category(c)[0] != "P")
    return _unspaced.sub(r" \g<0> ", _articles.sub(" ", kept)).split()


def _shared(found: Counter[Hashable], wanted: Counter[Hashable]) -> Agreement:
    return _agreed((found & wanted).total(), found.total(), wanted.total())


def _agreed(shared: int, found: int, wanted: int, beta: float = 1.0) -> Agreement:
    if not shared:
        return NOTHING
    precision, recall = shared / found, shared / wanted
    return Agreement(_f_score(precision, recall, beta), precision, recall)


def _f_score(precision: float, recall: float, beta: float) -> float:
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def _grams(parts: Sequence[Hashable], order: int) -> Counter[Hashable]:
    return Counter(zip(*(parts[start:] for start in range(order)), strict=False))


def _rouge_l(found: Sequence[str], wanted: Sequence[str]) -> Agreement:
    return _agreed(common_subsequence(found, wanted), len(found), len(wanted))


def _bleu(found: Sequence[str], wanted: Sequence[str]) -> float:
    logarithms: list[float] = []
    smoothing, matched = 1.0, 0
    for order in range(1, BLEU_ORDER + 1):
        grams = _grams(found, order)
        if not grams:
            break
        shared = (grams & _grams(wanted, order)).total()
        matched += shared
        smoothing *= 1 if shared else 2
        logarithms.append(math.log((shared or 1 / smoothing) / grams.total()))
    if not matched:
        return 0.0
    brevity = min(0.0, 1 - len(wanted) / len(found))
    return math.exp(brevity + sum(logarithms) / len(logarithms))


def _chrf(text: str, reference: str) -> Agreement:
    precisions: list[float] = []
    recalls: list[float] = []
    for order in range(1, CHRF_ORDER + 1):
        found, wanted = _grams(text, order), _grams(reference, order)
        if found and wanted:
            shared = (found & wanted).total()
            precisions.append(shared / found.total())
            recalls.append(shared / wanted.total())
    if not sum(precisions):
        return NOTHING
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return Agreement(_f_score(precision, recall, CHRF_BETA), precision, recall)


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyro 2004)."""
    places = _places(first)
    row = all_ones = (1 << len(first)) - 1
    for item in second:
        met = row & places.get(item, 0)
        row = ((row + met) | (row - met)) & all_ones
    return len(first) - row.bit_count()


def levenshtein(first: str, second: str) -> int:
    """Fewest characters to insert, delete or replace, bit-parallel (Myers 1999; Hyyro 2003)."""
    if not first:
        return len(second)
    places = _places(first)
    distance, last, all_ones = len(first), 1 << (len(first) - 1), (1 << len(first)) - 1
    up, down = all_ones, 0
    """Rows of the column where the distance grows and where it falls."""
    for character in second:
        equal = places.get(character, 0)
        steady = (((equal & up) + up) ^ up) | equal | down
        right, left = down | ~(steady | up), up & steady
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        equal |= down
        up, down = (left | ~(equal | right)) & all_ones, right & equal & all_ones
    return distance


def _places(items: Sequence[str]) -> dict[str, int]:
    """The positions of each item as bits."""
    found: dict[str, int] = {}
    for place, item in enumerate(items):
        found[item] = found.get(item, 0) | 1 << place
    return found
