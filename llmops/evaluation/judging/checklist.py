"""Judges that answer yes or no to numbered items: criteria, rules, points, sentences or passages."""

from collections.abc import Callable, Sequence
from typing import Any

from llmops.domain.prompts import Image
from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Span, Unmeasured
from llmops.evaluation.evaluators.base import Services, identity
from llmops.evaluation.judging.panel import Grade, Grading, JudgeOptions, Panel, build_panel, chosen_prompt
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import ItemVerdict, Verdicts, each_item
from llmops.prompting.template import PromptVersion
from llmops.settings.validation import Strict

SEEN = ("question", "answer")
SPEAKERS = ("user", "assistant", "system", "tool")


@record
class Item:
    """One thing that a judge says yes or no to."""

    text: str
    weight: float = 1.0
    span: tuple[int, int] | None = None
    """Characters of the answer that it is."""
    of: str = ""
    """What it is a part of, where some items are of one text and some of another."""
    no: str = "no"
    """What it is called where the verdict is "no"."""


Items = Callable[[Sample], Sequence[Item] | Unmeasured | Score]
"""What is asked about; an outcome where nothing needs to be asked."""
Weigh = Callable[[Sequence[Item], Sequence[ItemVerdict]], float]
Parts = Callable[[Sequence[Item], Sequence[ItemVerdict]], dict[str, float]]


def share(items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> float:
    """Weighted share of "yes" among the items that apply, 0 to 1."""
    total = sum(item.weight for item in items)
    return sum(item.weight for item, v in zip(items, verdicts, strict=True) if v.verdict == "yes") / total


def met(items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> dict[str, float]:
    """The share of "yes" among the items that apply, whatever they weigh."""
    return {"met": sum(verdict.verdict == "yes" for verdict in verdicts) / len(items)}


def all_met(items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> float:
    """1 when every item that applies is a "yes", else 0."""
    return float(all(verdict.verdict == "yes" for verdict in verdicts))


@record
class Checklist:
    """Value and parts: computed by `weigh` and `parts` from the verdicts on the items that apply."""

    kind: str
    options: Strict
    panel: Panel
    prompt: PromptVersion
    items: Items
    weigh: Weigh = share
    parts: Parts = met
    sees: tuple[str, ...] = SEEN
    """What is quoted besides the items: `question`, `answer`, `passages`."""
    version: int = 1
    """Raised by hand when the items of the same answer would be others."""

    @property
    def identity(self) -> str:
        """The options, the prompt's text and the judges."""
        return identity(self.kind, self.version, self.options, self.prompt.hash, self.panel.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Ask the judges for a verdict on each item, and compute the value from them."""
        items = self.items(sample)
        if isinstance(items, Unmeasured | Score):
            return items
        blocks = material(sample, self.sees) + [quoted(_name(n, item), item.text) for n, item in enumerate(items, start=1)]

        async def grade(grading: Grading) -> Grade:
            reply = await grading.ask(self.prompt, {"material": blocks}, Verdicts, each_item(len(items)))
            return self._grade(items, reply.verdicts)

        return await self.panel.outcome(grade)

    def _grade(self, items: Sequence[Item], verdicts: Sequence[ItemVerdict]) -> Grade:
        applying = [(item, v) for item, v in zip(items, verdicts, strict=True) if v.verdict != "not applicable"]
        if not applying or not sum(item.weight for item, _ in applying):
            return Grade(None, "no item applies to this answer")
        kept, found = zip(*applying, strict=True)
        unmet = [(item, verdict) for item, verdict in applying if verdict.verdict == "no"]
        told = [f"{item.no}: {item.text}" + (f" ({verdict.reason})" if verdict.reason else "") for item, verdict in unmet[:3]]
        more = f"; {len(unmet) - 3} more" if len(unmet) > 3 else ""
        spans = tuple(
            Span(*item.span, f"not {self.kind}" if item.no == "no" else item.no, verdict.reason)
            for item, verdict in unmet
            if item.span
        )
        reason = "; ".join(told) + more or f"{len(kept)} of {len(kept)} met"
        return Grade(self.weigh(kept, found), reason, spans, self.parts(kept, found))


def _name(number: int, item: Item) -> str:
    return f"item {number} of the {item.of}" if item.of else f"item {number}"


def build_checklist(
    kind: str,
    options: JudgeOptions,
    services: Services,
    items: Items,
    *,
    weigh: Weigh = share,
    parts: Parts = met,
    sees: Sequence[str] = SEEN,
    version: int = 1,
) -> Checklist:
    """A checklist of this kind, with our prompt of the same name unless the options name another.

    Raises:
        WrongOption: a judge or a prompt that cannot be used.
    """
    panel, prompt = build_panel(options.judge, options.combine, services), chosen_prompt(options.prompt, kind, services)
    return Checklist(kind, options, panel, prompt, items, weigh, parts, tuple(sees), version)


def material(sample: Sample, sees: Sequence[str]) -> list[str | Image]:
    """The quoted blocks of a sample, in the order of `sees`; a question that the case does not have is left out.

    What was said before, and the images of the case, come with the question.
    """
    blocks: list[str | Image] = []
    for what in sees:
        if what == "answer":
            blocks.append(quoted("answer", sample.completion.text))
        elif what == "question":
            blocks += [
                quoted(f"before the question, {_speaker(each['role'])}", each["content"]) for each in sample.case.history
            ]
            blocks += [quoted("question", text)] if (text := sample.case.question) else []
            blocks += sample.case.images
        elif what == "passages":
            blocks += [quoted(f"passage {n}", hit.text) for n, hit in enumerate(sample.hits, start=1)]
    return blocks


def _speaker(role: str) -> str:
    """A role as a part of a block's name, which strangers do not write."""
    return role if role in SPEAKERS else "another"


def literal(texts: Sequence[str], weights: Sequence[float] = ()) -> Items:
    """Items that are the same for every case."""
    given = [Item(text, weight) for text, weight in zip(texts, weights or [1.0] * len(texts), strict=True)]
    return lambda sample: given


def texts_of(value: Any) -> list[str]:  # noqa: ANN401 -- any JSON value of a case
    """The texts in a field of a case: itself, or those of a list; alternatives in an inner list are joined by "or"."""
    entries = value if isinstance(value, list | tuple) else [value]
    return [" or ".join(map(str, each)) if isinstance(each, list | tuple) else str(each) for each in entries]
