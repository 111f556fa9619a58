"""A model that makes questions about passages, and checks each against its passage."""

import re
import unicodedata

from llmops.domain.retrieval import Chunk
from llmops.domain.scores import JudgeUse
from llmops.evaluation.judging.asking import AskJudge, JudgeFailed
from llmops.evaluation.judging.panel import Grading
from llmops.evaluation.judging.prompts import shipped
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import MadeQuestion, Verdicts, each_item
from llmops.rag.questions import PlacedQuestion, copies

CHECKS = {
    "The question can be understood by someone who has never seen the passage.": "not clear without its passage",
    "The passage answers the question.": "not answered by its passage",
    "The given answer is right.": "with a wrong answer",
}
"""What a question has to meet, and what it is called when it does not."""


class Questioner:
    """Makes one question of each passage; adds up what its calls take."""

    def __init__(self, judge: AskJudge) -> None:
        self._judge = judge
        self.use = JudgeUse()
        self.problem = ""
        """Of the last reply that could not be used."""

    async def question(self, chunk: Chunk) -> PlacedQuestion | str | None:
        """A question that the passage answers, or what is wrong with the one that was made; None: no usable reply."""
        grading = Grading(self._judge)
        try:
            return await self._question(grading, chunk)
        except JudgeFailed as error:
            self.problem = error.reason
            return None
        finally:
            self.use += grading.use

    async def _question(self, grading: Grading, chunk: Chunk) -> PlacedQuestion | str:
        passage = quoted("passage", chunk.text)

        def placed(reply: MadeQuestion) -> str | None:
            if not clean(reply.question) or not clean(reply.answer):
                return "has an empty question or answer"
            return None if place_of(reply.quote, chunk) else "has a `quote` that does not stand in the passage"

        made = await grading.ask(shipped("question"), {"material": [passage]}, MadeQuestion, placed)
        question, answer, place = clean(made.question), clean(made.answer), place_of(made.quote, chunk)
        assert place is not None  # `placed` has seen to it
        if copies(question, chunk.text):
            return "copied from its passage"
        items = [quoted(f"item {number}", statement) for number, statement in enumerate(CHECKS, start=1)]
        blocks = [passage, quoted("question", question), quoted("answer", answer), *items]
        reply = await grading.ask(shipped("question-check"), {"material": blocks}, Verdicts, each_item(len(CHECKS)))
        for problem, verdict in zip(CHECKS.values(), reply.verdicts, strict=True):
            if verdict.verdict != "yes":
                return problem
        return PlacedQuestion(question, answer, chunk.document, *place)


def clean(text: str) -> str:
    """One line without characters that cannot be seen."""
    return "".join(c for c in " ".join(text.split()) if not unicodedata.category(c).startswith("C"))


def place_of(quote: str, chunk: Chunk) -> tuple[int, int] | None:
    """Where a quote stands in the document of a chunk, whatever blanks are between its words; None: nowhere."""
    body = chunk.text[len(chunk.text) - (chunk.end - chunk.start) :]
    found = re.search(r"\s+".join(map(re.escape, quote.split())), body) if quote.strip() else None
    return (chunk.start + found.start(), chunk.start + found.end()) if found else None
