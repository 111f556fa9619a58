"""`llmops rag make-dataset`: labelled questions about a corpus, for users who have none."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, Literal, Protocol, TypeVar

from llmops.domain.errors import BudgetSpent, RunIncomplete, UsageError
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.retrieval import Chunk
from llmops.domain.scores import JudgeUse
from llmops.evaluation.endpoints import finished
from llmops.evaluation.judging.asking import AskJudge
from llmops.evaluation.judging.questions import Questioner
from llmops.rag.known_items import known_items
from llmops.rag.loading import Corpus
from llmops.rag.questions import PlacedQuestion, Screen, in_turn, words
from llmops.rag.retrieving import Retriever

BATCH = 64
"""Questions that are made before they are screened together."""
LEAST_WORDS = 25
"""Of a passage that a question is made of."""
PASSAGES = 3
"""So many passages are tried for each question that is wanted, at most: a model that fails most of the time is no use."""

Kind = Literal["known-item", "generated"]
KINDS: dict[Kind, str] = {"known-item": "cloze-style known-item query", "generated": "question made by a model"}
Drawn = TypeVar("Drawn")


class SearchedIndex(Protocol):
    """An index over its corpus."""

    name: str

    @property
    def corpus(self) -> Corpus:
        """The documents."""
        ...

    def open(self, progress: Progress) -> Retriever:
        """The retriever; the index is built first when it is not up to date."""
        ...


@record
class MadeDataset:
    """Labelled questions and how they were made."""

    index: str
    kind: Kind
    seed: int
    questions: tuple[PlacedQuestion, ...]
    dropped: Mapping[str, int]
    """Questions that did not pass a screen, by what is wrong with them."""
    model: str = ""
    """That made them; empty: none did."""
    use: JudgeUse = JudgeUse()
    """What its calls took."""
    stopped: bool = False
    """The budget was spent before there were as many as were wanted."""

    @property
    def text(self) -> str:
        """The dataset as JSONL."""
        return "".join(f"{json.dumps(self._case(each), ensure_ascii=False)}\n" for each in self.questions)

    def _case(self, each: PlacedQuestion) -> dict[str, Any]:
        made = {"made_by": "llmops rag make-dataset", "kind": KINDS[self.kind], "index": self.index, "seed": self.seed}
        return {
            "id": f"{self.kind}-{each.key}",
            "vars": {"question": each.question},
            "expected": [each.answer],
            "relevant": [each.relevant],
            "tags": [self.kind],
            "metadata": {**made, "model": self.model} if self.model else made,
        }


def make_known_items(index: SearchedIndex, wanted: int, seed: int, progress: Progress) -> MadeDataset:
    """Cloze-style known-item queries about an index's corpus; no model is asked.

    Args:
        index: built when it is not up to date.
        wanted: number of queries, as far as the corpus has them.
        seed: the same one gives the same queries.
        progress: told of each batch.

    Raises:
        UsageError: the corpus has no sentence to make one from.
        RetrievalError: the index cannot be built or read.
    """
    screen = Screen(index.open(progress))
    kept: list[PlacedQuestion] = []
    progress.started("known-item queries", wanted)
    for batch in _batches(known_items(index.corpus.documents, seed), kept, wanted):
        kept += screen.passed(batch)
        progress.advanced(len(kept))
    progress.finished()
    if not kept:
        hint = "It takes sentences of 8 to 30 words that stand in one place only."
        raise UsageError(f"The corpus of {index.name!r} has no sentence to make a query from.", hint=hint)
    return MadeDataset(index.name, "known-item", seed, tuple(kept), dict(screen.dropped))


async def make_questions(index: SearchedIndex, judge: AskJudge, wanted: int, seed: int, progress: Progress) -> MadeDataset:
    """Questions that a model makes of an index's passages, each checked by the same model and searched for.

    Every reply is in the store: the same call continues where another was stopped.

    Args:
        index: built when it is not up to date.
        judge: the model.
        wanted: number of questions, as far as the corpus has passages for them.
        seed: of the choice of passages.
        progress: told of each batch.

    Raises:
        RunIncomplete: the model gives no usable reply, or no question passes.
        UsageError: the corpus has no passage of enough words.
        BudgetSpent: the budget ended before a question passed.
        RetrievalError: the index cannot be built or read.
    """
    retriever = index.open(progress)
    screen, questioner = Screen(retriever), Questioner(judge)
    kept: list[PlacedQuestion] = []
    dropped: Counter[str] = Counter()
    progress.started(f"questions by {judge.name}", wanted)
    drawn = islice(_passages(retriever.chunks, seed), PASSAGES * wanted)
    stopped = False
    for batch in _batches(drawn, kept, wanted):
        made = await finished(map(questioner.question, batch))
        stopped = len(made) < len(batch)
        if made and all(each is None for each in made):
            hint = "Nothing was written. Replies so far are kept: run the same command again to go on."
            raise RunIncomplete(f"The model gave no usable reply: {questioner.problem}", hint=hint)
        dropped.update(each or "no usable reply" for each in made if not isinstance(each, PlacedQuestion))
        kept += screen.passed([each for each in made if isinstance(each, PlacedQuestion)])
        progress.advanced(len(kept), failures=dropped.total(), spent_usd=questioner.use.spent_usd)
        if stopped:
            break
    progress.finished()
    dropped += screen.dropped
    if not kept:
        raise _nothing(index.name, dropped, stopped=stopped)
    return MadeDataset(index.name, "generated", seed, tuple(kept), dict(dropped), judge.name, questioner.use, stopped)


def _nothing(index: str, dropped: Mapping[str, int], *, stopped: bool) -> UsageError | RunIncomplete | BudgetSpent:
    if stopped:
        hint = "Nothing was written. Replies so far are kept: the same command with a larger --budget goes on."
        return BudgetSpent("The budget was spent before a question passed.", hint=hint)
    if not dropped:
        return UsageError(f"The index {index!r} has no passage of {LEAST_WORDS} words to ask about.")
    told = ", ".join(f"{times} {problem}" for problem, times in dropped.items())
    return RunIncomplete(f"No question passed: {told}.", hint="Nothing was written. A larger model asks better questions.")


def _passages(chunks: Mapping[str, Chunk], seed: int) -> Iterator[Chunk]:
    """Passages of all documents in turn."""
    by_document: dict[str, list[Chunk]] = {}
    for chunk in sorted(chunks.values(), key=lambda each: (each.document, each.start, each.id)):
        if len(words(chunk.text)) >= LEAST_WORDS:
            by_document.setdefault(chunk.document, []).append(chunk)
    return in_turn(by_document.values(), Random(seed))


def _batches(drawn: Iterator[Drawn], kept: Sequence[PlacedQuestion], wanted: int) -> Iterator[list[Drawn]]:
    """As many as are still wanted, again and again, until enough are kept or there are no more."""
    while batch := list(islice(drawn, min(BATCH, wanted - len(kept)))):
        yield batch
