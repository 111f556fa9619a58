"""Questions with the place that answers them, and the screens that a made question has to pass."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from llmops.domain.keys import content_hash
from llmops.domain.queries import Query
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.rag.retrieving import Retriever
from llmops.scoring.ranking import RelevantUnit, covers
from llmops.scoring.scripts import UNSPACED

REACH = 50
"""Candidates of each search among which the place of an answer has to be."""
ALIKE = 0.8
"""Share of common words (Jaccard) from which two questions count as one."""

Drawn = TypeVar("Drawn")
_word = re.compile(rf"{UNSPACED}|(?:(?!{UNSPACED})\w)+")


@record
class PlacedQuestion:
    """A question, its answer, and where that stands."""

    question: str
    answer: str
    document: str
    start: int
    """First character of the evidence in the document."""
    end: int
    """One past the last."""

    @property
    def relevant(self) -> str:
        """As a case names the place."""
        return f"{self.document}:{self.start}-{self.end}"

    @property
    def key(self) -> str:
        """The same whenever the same question is asked of the same place."""
        return content_hash(f"{self.relevant}\n{self.question}")[:12]


def words(text: str) -> list[str]:
    """The words of a text without case and punctuation; each character of a script that is written without spaces is one."""
    return _word.findall(text.casefold())


def copies(question: str, passage: str) -> bool:
    """Does more than half of a question's words, and no fewer than five, stand in a row in the passage?"""
    mine = words(question)
    length = max(5, len(mine) // 2 + 1)
    theirs = words(passage)
    rows = {tuple(theirs[at : at + length]) for at in range(len(theirs) - length + 1)}
    return any(tuple(mine[at : at + length]) in rows for at in range(len(mine) - length + 1))


def in_turn(queues: Iterable[list[Drawn]], draw: Random) -> Iterator[Drawn]:
    """One of each queue, then the second of each, and so on; queues and what is in them in random order."""
    shuffled = [draw.sample(queue, len(queue)) for queue in queues]
    draw.shuffle(shuffled)
    for turn in range(max(map(len, shuffled), default=0)):
        yield from (queue[turn] for queue in shuffled if turn < len(queue))


class Screen:
    """Lets through questions that are new and that an index can find; counts the others by what is wrong with them."""

    def __init__(self, retriever: Retriever) -> None:
        """Args: `retriever` is of the index that the questions are about."""
        self.dropped: Counter[str] = Counter()
        self._retriever = wide(retriever)
        self._seen: list[frozenset[str]] = []

    def passed(self, questions: Sequence[PlacedQuestion]) -> list[PlacedQuestion]:
        """Those of the questions that pass, in their order."""
        found = []
        answers = self._retriever.search([Query(each.question) for each in questions])
        for each, hits in zip(questions, answers, strict=True):
            problem = self._problem(each, hits)
            if problem is None:
                found.append(each)
            else:
                self.dropped[problem] += 1
        return found

    def _problem(self, each: PlacedQuestion, hits: Sequence[Hit]) -> str | None:
        place = RelevantUnit(each.relevant, each.document, None, each.start, each.end)
        if not any(covers(hit, place) for hit in hits):
            return "too vague: no search of the index finds its passage"
        mine = frozenset(words(each.question))
        if any(len(mine & other) >= ALIKE * len(mine | other) for other in self._seen):
            return "much like another question"
        self._seen.append(mine)
        return None


def wide(retriever: Retriever) -> Retriever:
    """The same searches with all their candidates as hits: nothing reranked, cut off, joined or left out."""
    how = retriever.settings
    reach = {stage: max(REACH, depth) for stage in ("dense", "bm25") if (depth := getattr(how, stage))}
    plain = {"rerank": None, "abstain": None, "mmr": None, "neighbours": None, "max_tokens": None}
    settings = how.model_copy(update={**reach, **plain, "k": sum(reach.values())})
    return replace(retriever, settings=settings, reranker=None)
