"""Cloze-style known-item queries: a rare sentence of the corpus with its rarest word left out.

They need no model and no person. Known-item queries made from a collection's own text compare retrieval systems much as
written ones do (Azzopardi, de Rijke and Balog 2007, "Building simulated queries for known-item topics"), and they are
easier, as they share their words with the passage.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from llmops.domain.records import record
from llmops.domain.retrieval import Document
from llmops.rag.questions import PlacedQuestion, in_turn, words
from llmops.rag.splitting import paragraphs
from llmops.scoring.sentences import split_sentences

BLANK = "____"
WORDS = (8, 30)
"""Length of a sentence that can stand alone as a query."""
FENCES = ("```", "~~~")
LETTERS = 0.75
"""Share of letters and blanks, from which a sentence is prose and not code or a table."""
_term = re.compile(r"[^\W_][\w.-]*[^\W_]")
_markup = re.compile(r"[*`]|!?\[([^\]\[]*)\]\([^()\s]*\)")


@record
class _Sentence:
    document: str
    start: int
    end: int
    text: str
    """Without markup, on one line."""
    words: tuple[str, ...]


def known_items(documents: Sequence[Document], seed: int) -> Iterator[PlacedQuestion]:
    """Queries from all documents in turn, drawn from the rarer half of each one's sentences.

    Args:
        documents: the corpus.
        seed: of the order; the same seed gives the same queries.
    """
    by_document: dict[str, list[_Sentence]] = {}
    counts: Counter[str] = Counter()
    once = Counter(sentence.words for sentence in _sentences(documents))
    for sentence in _sentences(documents):
        counts.update(set(sentence.words))
        if once[sentence.words] == 1:
            by_document.setdefault(sentence.document, []).append(sentence)
    rarity = {word: math.log(once.total() / count) for word, count in counts.items()}
    queues = [_rarer_half(by_document[name], rarity) for name in sorted(by_document)]
    yield from (_cloze(sentence, rarity) for sentence in in_turn(queues, Random(seed)))


def _sentences(documents: Sequence[Document]) -> Iterator[_Sentence]:
    """Sentences of prose that can be understood alone."""
    for document in documents:
        for start, end in paragraphs(document.text, 0, len(document.text)):
            if document.text.startswith(FENCES, start):
                continue
            for sentence in split_sentences(document.text[start:end]):
                text = " ".join(_markup.sub(r"\1", sentence.text).split())
                if _is_prose(text):
                    place = (start + sentence.start, start + sentence.end)
                    yield _Sentence(document.id, *place, text, tuple(words(text)))


def _is_prose(text: str) -> bool:
    return (
        WORDS[0] <= len(text.split()) <= WORDS[1]
        and text[0].isalnum()
        and text[-1] in ".!?…"
        and "://" not in text
        and sum(c.isalpha() or c == " " for c in text) >= LETTERS * len(text)
        and not any(unicodedata.category(c).startswith("C") for c in text)
        and _term.search(text) is not None
    )


def _rarer_half(sentences: Sequence[_Sentence], rarity: Mapping[str, float]) -> list[_Sentence]:
    def mean(sentence: _Sentence) -> float:
        distinct = set(sentence.words)
        return sum(rarity[word] for word in distinct) / len(distinct)

    ranked = sorted(sentences, key=lambda each: (-mean(each), each.start))
    return ranked[: (len(ranked) + 1) // 2]


def _cloze(sentence: _Sentence, rarity: Mapping[str, float]) -> PlacedQuestion:
    """The sentence without its rarest term; of equally rare ones the longest, then the first."""

    def rare(term: re.Match[str]) -> tuple[float, int, int]:
        parts = words(term[0])
        return max(rarity[part] for part in parts), len(term[0]), -term.start()

    term = max(_term.finditer(sentence.text), key=rare)
    question = sentence.text[: term.start()] + BLANK + sentence.text[term.end() :]
    return PlacedQuestion(question, term[0], sentence.document, sentence.start, sentence.end)
