"""A judge on what a search has found for a question: is each passage of use, and are they enough together?"""

from collections.abc import Sequence

from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.scores import JudgeUse
from llmops.evaluation.judging.asking import AskJudge, JudgeFailed
from llmops.evaluation.judging.panel import Grading
from llmops.evaluation.judging.prompts import shipped
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import Verdicts, each_item

ENOUGH = "The question can be answered in full from the passages alone."


@record
class Context:
    """The verdicts on the hits of one question; None: not measured."""

    relevance: float | None = None
    """Share of the passages that hold something that a full answer would use."""
    sufficient: float | None = None
    """1: the passages hold the whole answer. 0: they do not."""
    problem: str = ""
    """Why the judge gave no usable verdict."""


class ContextJudge:
    """Judges hits; adds up what its calls take."""

    def __init__(self, judge: AskJudge) -> None:
        self._judge = judge
        self.use = JudgeUse()

    async def context(self, question: str, hits: Sequence[Hit]) -> Context:
        """The verdicts on one question's hits. Nothing is enough for no question, and that needs no judge."""
        if not hits:
            return Context(None, 0.0)
        grading = Grading(self._judge)
        try:
            relevance = await self._relevance(grading, question, hits)
            return Context(relevance, await self._sufficient(grading, question, hits))
        except JudgeFailed as error:
            return Context(problem=error.reason)
        finally:
            self.use += grading.use

    async def _relevance(self, grading: Grading, question: str, hits: Sequence[Hit]) -> float | None:
        """Asked as the evaluator `context-relevance` asks, so that neither pays for what the other has asked."""
        items = [quoted(f"item {number}", hit.text) for number, hit in enumerate(hits, start=1)]
        verdicts = await _verdicts(grading, "context-relevance", [quoted("question", question), *items], len(hits))
        applying = [verdict for verdict in verdicts if verdict != "not applicable"]
        return applying.count("yes") / len(applying) if applying else None

    async def _sufficient(self, grading: Grading, question: str, hits: Sequence[Hit]) -> float | None:
        passages = [quoted(f"passage {number}", hit.text) for number, hit in enumerate(hits, start=1)]
        material = [quoted("question", question), *passages, quoted("item 1", ENOUGH)]
        (verdict,) = await _verdicts(grading, "sufficiency", material, 1)
        return None if verdict == "not applicable" else float(verdict == "yes")


async def _verdicts(grading: Grading, prompt: str, material: Sequence[str], items: int) -> list[str]:
    reply = await grading.ask(shipped(prompt), {"material": list(material)}, Verdicts, each_item(items))
    return [each.verdict for each in reply.verdicts]
