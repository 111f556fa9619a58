"""Cuts an answer and its passages into windows that a small encoder can read: all of the answer, the nearest evidence."""

from collections import Counter
from collections.abc import Callable, Sequence

from llmops.domain.records import record
from llmops.scoring.reading import terms
from llmops.scoring.sentences import Sentence, split_sentences

MAX_ANSWER = 190
MAX_EVIDENCE = 300
"""Tokens of an answer and of its evidence in one window; with the special tokens they fit into 512."""
SPARE_EVIDENCE = 128
"""So many more tokens of evidence than of the answer: a short stretch needs few sentences, and reading has a price."""

Count = Callable[[str], int]


@record
class Window:
    """A stretch of the answer, with the sentences of the passages that are nearest to it."""

    start: int
    """First character of the stretch in the answer, 0-based."""
    text: str
    evidence: str
    """Sentences of the passages in their order; a gap between them is a line break."""


def windows(output: str, contexts: Sequence[str], count: Count) -> list[Window]:
    """The windows of an answer, in order; together they hold all of its sentences.

    Args:
        output: the answer.
        contexts: the passages.
        count: tokens of a text.
    """
    evidence = [
        (sentence.text, terms(sentence.text), count(sentence.text)) for c in contexts for sentence in split_sentences(c)
    ]
    spread = Counter(term for _, found, _ in evidence for term in found)
    windows: list[Window] = []
    for stretch in stretches(output, count, MAX_ANSWER):
        text = output[stretch[0].start : stretch[-1].end]
        own = terms(text)
        near = sorted(range(len(evidence)), key=lambda i: (-sum(1 / spread[term] for term in own & evidence[i][1]), i))
        room = min(MAX_EVIDENCE, SPARE_EVIDENCE + count(text))
        windows.append(Window(stretch[0].start, text, _joined(evidence, near, room)))
    return windows


def stretches(text: str, count: Count, limit: int) -> list[list[Sentence]]:
    """Neighbouring sentences of `limit` tokens at most; one that is longer stands alone, and the encoder will cut it."""
    found: list[list[Sentence]] = []
    used = limit + 1
    for sentence in split_sentences(text):
        tokens = count(sentence.text)
        if used + tokens > limit:
            found.append([])
            used = 0
        found[-1].append(sentence)
        used += tokens
    return found


def _joined(evidence: Sequence[tuple[str, frozenset[str], int]], near: Sequence[int], room: int) -> str:
    """As many of the nearest sentences as fit into `room` tokens, in the order of the passages."""
    chosen: list[int] = []
    for index in near:
        if evidence[index][2] <= room:
            chosen.append(index)
            room -= evidence[index][2]
    return "\n".join(evidence[index][0] for index in sorted(chosen))
