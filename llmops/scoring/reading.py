"""Extractive reading: finds the sentences of a rendered prompt that answer its question, or says that there are none.

This is what the embedded readers do. They follow no instruction: text inside a passage is only ever quoted.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.scoring.sentences import split_sentences

NOT_THERE = "The answer is not in the passages."
MAX_CANDIDATES = 2000
"""Sentences that are looked at: a bound on the work that a huge prompt can cause."""

_delimited = re.compile(r"<(passages|context|contexts|documents|sources)>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_numbered = re.compile(r"^\[(\d{1,4})\][ \t]*(.*)$", re.MULTILINE)
_marker = re.compile(r"^\s*(?:question|query|q)\s*:\s*(.+)", re.IGNORECASE | re.MULTILINE)
_word = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_markup = re.compile(r"[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}|\[([^\]]*)\]\([^)]*\)")
_addressed = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:previous|above|all|instructions?|passages?)\b", re.IGNORECASE
)
_number = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|zero|none|half|once|twice)\b", re.IGNORECASE)
_code = re.compile(r"`[^`]+`|--?[a-z][\w-]+|\b\w+\.\w{2,5}\b|\b[A-Z]+_[A-Z_]+\b")
_how_many = re.compile(
    r"\bhow (?:many|much|long|often|large|big|far|old)\b|\bwhich (?:exit )?(?:code|number)\b|\bwhat (?:share|number)\b", re.I
)
_named = re.compile(r"\b(?:command|flag|option|file|folder|key|variable|field|setting|name|called)\b", re.IGNORECASE)
_stopwords = frozenset(
    """
    a about after all also am an and any are as at be because been before being both but by can could did do does
    doing done for from get give gives had has have having he her his how i if in into is it its itself just may me
    might mine more most must my no nor not of off on once only or other our out over own s same shall she should so
    some such t than that the their them then there these they this those through to too under until up us use used
    using very was we were what when where which while who whom whose why will with would you your tell say says let
    need want happen happens mean means
    """.split()  # noqa: SIM905
)


@record
class Passage:
    """One passage of a prompt."""

    number: int | None
    """As the prompt numbers it; None when it does not."""
    heading: str
    text: str


@record
class Reading:
    """What a prompt asks, and what it gives to answer from."""

    question: str
    passages: tuple[Passage, ...]


@record
class Candidate:
    """A sentence that may be part of the answer."""

    text: str
    passage: Passage
    rank: int
    """0-based place of its passage."""
    terms: frozenset[str]
    around: frozenset[str]
    """Terms of the heading and of the neighbouring sentences."""


@record
class ReaderSettings:
    """How a reader chooses."""

    max_sentences: int = 2
    threshold: float = 0.45
    """Least score of the best sentence; below it the answer is taken to be absent."""
    keep: float = 0.72
    """Further sentences need this share of the best one's score."""
    similarity_weight: float = 0.0
    """Weight of the cosine between question and sentence, against 1 for the words they share."""


Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""Cosine of a question with each text."""


def read(messages: Sequence[Message], settings: ReaderSettings, similarity: Similarity | None = None) -> str:
    """The answer to a rendered prompt: sentences of its passages with their citations, or `NOT_THERE`."""
    reading = parse(messages)
    candidates = _candidates(reading)
    if not reading.question or not candidates:
        return NOT_THERE
    scores = _scores(reading.question, candidates)
    if similarity is not None:
        best = sorted(range(len(candidates)), key=lambda i: -scores[i])[:64]
        cosines = similarity(reading.question, [_with_heading(candidates[i]) for i in best])
        weight = settings.similarity_weight
        for index, cosine in zip(best, cosines, strict=True):
            scores[index] = (scores[index] + weight * max(0.0, cosine)) / (1 + weight)
        scores = [score if index in set(best) else 0.0 for index, score in enumerate(scores)]
    order = sorted(range(len(candidates)), key=lambda i: (-scores[i], i))
    if scores[order[0]] < settings.threshold:
        return NOT_THERE
    return " ".join(_cited(candidates[i]) for i in _chosen(order, scores, candidates, settings))


def parse(messages: Sequence[Message]) -> Reading:
    """The question and the passages of a prompt; system messages are instructions, never a source."""
    text = "\n\n".join(message.content for message in messages if message.role == "user")
    blocks = [match[2] for match in _delimited.finditer(text)]
    outside = _delimited.sub("\n", text)
    marked = _marker.findall(outside)
    if marked:
        question = marked[-1].strip()
    else:
        asked = [s.text for s in split_sentences(outside) if s.text.rstrip("\"'”’)").endswith("?")]
        question = asked[-1] if asked else (outside.strip().splitlines() or [""])[-1].strip()
    if not blocks:
        rest = outside.replace(question, " ")
        blocks = [_marker.sub("", rest)]
    return Reading(question, tuple(p for block in blocks for p in _passages(block)))


def _passages(block: str) -> list[Passage]:
    starts = list(_numbered.finditer(block))
    if not starts:
        return [Passage(None, "", block)] if block.strip() else []
    found = []
    for match, following in zip(starts, [*starts[1:], None], strict=True):
        body = block[match.end() : following.start() if following else len(block)]
        # A line of its own above the text is a heading; without a blank line below it, it is where the text begins.
        headed = body.startswith("\n\n") and body.strip()
        heading, text = (match[2], body) if headed else ("", f"{match[2]}{body}")
        found.append(Passage(int(match[1]), heading.strip(), text.strip()))
    return found


def _candidates(reading: Reading) -> list[Candidate]:
    found: list[Candidate] = []
    for rank, passage in enumerate(reading.passages):
        heading = terms(passage.heading)
        sentences = [_plain(s.text) for s in split_sentences(passage.text)]
        sentences = [s for s in sentences if s and not s.startswith("#")]
        bags = [terms(sentence) for sentence in sentences]
        for at, sentence in enumerate(sentences):
            if not bags[at] or sentence.endswith("?") or _addressed.search(sentence):
                continue
            around = heading.union(*bags[max(0, at - 1) : at + 2])
            found.append(Candidate(sentence, passage, rank, bags[at], around))
            if len(found) == MAX_CANDIDATES:
                return found
    return found


def _plain(sentence: str) -> str:
    """A sentence without list markers, table pipes and emphasis; what is inside backticks stays."""
    text = re.sub(r"^\s*(?:[-*+>]\s+|\d+[.)]\s+)", "", sentence.strip())
    if text.startswith("|"):
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        text = ": ".join([cells[0], ", ".join(cells[1:])]) if len(cells) > 1 else cells[0]
        if not text.strip(" -:,"):
            return ""
    return _markup.sub(lambda match: match[1] or "", text) if "`" not in text else text


def _scores(question: str, candidates: Sequence[Candidate]) -> list[float]:
    """Share of the question's weight that a sentence and its surroundings carry, adjusted for the kind of answer."""
    asked = terms(question)
    if not asked:
        return [0.0] * len(candidates)
    counts = Counter(term for candidate in candidates for term in candidate.terms)
    weights = {t: math.log(1 + len(candidates) / (1 + counts[t])) for t in asked}
    total = sum(weights.values())
    wants_number, wants_name = bool(_how_many.search(question)), bool(_named.search(question))
    scores = []
    for candidate in candidates:
        own = sum(weights[t] for t in asked & candidate.terms)
        near = sum(weights[t] for t in asked & (candidate.around - candidate.terms))
        score = (own + 0.45 * near) / total
        novel = bool(candidate.terms - asked)
        if wants_number:
            score *= 1.2 if _number.search(candidate.text) else 0.75
        if wants_name and _code.search(candidate.text):
            score *= 1.12
        score *= 1.0 if novel else 0.5
        scores.append(min(1.0, score * (1 + 0.06 / (1 + candidate.rank))))
    return scores


def _chosen(order: list[int], scores: list[float], candidates: Sequence[Candidate], settings: ReaderSettings) -> list[int]:
    """The best sentence and others that come close to it and add words, in the order of the prompt."""
    chosen = [order[0]]
    covered = set(candidates[order[0]].terms)
    for index in order[1:]:
        if len(chosen) == settings.max_sentences or scores[index] < settings.keep * scores[order[0]]:
            break
        if candidates[index].terms - covered:
            chosen.append(index)
            covered |= candidates[index].terms
    return sorted(chosen)


def _cited(candidate: Candidate) -> str:
    number = candidate.passage.number
    return candidate.text if number is None else f"{candidate.text} [{number}]"


def _with_heading(candidate: Candidate) -> str:
    return f"{candidate.passage.heading}: {candidate.text}" if candidate.passage.heading else candidate.text


def terms(text: str) -> frozenset[str]:
    """The stemmed content words of a text; a compound such as `top-level` or `a.yaml` counts with its parts."""
    found = set()
    for word in _word.findall(text[:20_000].lower()):
        for part in {word, *re.split(r"['’.-]", word)}:
            if part and part not in _stopwords:
                found.add(_stem(part))
    return frozenset(found)


def content_stem(word: str) -> str:
    """The stem of a word in lower case; empty for a word without content of its own."""
    return "" if word in _stopwords else _stem(word)


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer():  # type: ignore[no-untyped-def]  # noqa: ANN202 -- an untyped vendor object
    from Stemmer import Stemmer  # noqa: PLC0415 -- a compiled extension that only readers need

    return Stemmer("english")
