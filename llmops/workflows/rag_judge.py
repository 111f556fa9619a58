"""`llmops rag eval --judge`: how far the hits of questions help to answer them, and suffice, as a judge says."""

import asyncio
from collections.abc import Mapping, Sequence

from llmops.domain.errors import BudgetSpent, RunIncomplete, UsageError
from llmops.domain.measures import JudgedContexts
from llmops.domain.paging import pages
from llmops.domain.ports import Progress
from llmops.evaluation.endpoints import finished
from llmops.evaluation.judging.asking import AskJudge
from llmops.evaluation.judging.contexts import Context, ContextJudge
from llmops.statistics.intervals import Estimate, mean_interval, proportion_interval
from llmops.workflows.rag_eval import Configuration, Parts

BATCH = 64
"""Questions that are searched for together, and asked about at once."""


async def judge_contexts(
    configuration: Configuration, questions: Mapping[str, str], judge: AskJudge, parts: Parts, progress: Progress
) -> JudgedContexts:
    """Ask a judge about the hits that a prompt gets for each question.

    Every reply is in the store: the same call continues where another was stopped, and equal hits are not judged again.

    Args:
        configuration: searched as it is; built when it is not up to date.
        questions: by any key; blank ones are left out.
        judge: the model.
        parts: of the project.
        progress: told of each batch.

    Raises:
        UsageError: there is no question.
        RunIncomplete: the judge gave no usable verdict.
        BudgetSpent: the budget ended before there was one.
    """
    asked = [text for text in questions.values() if text.strip()]
    if not asked:
        raise UsageError("There is no case with a question to judge hits for.", hint="Name a file with --dataset.")
    retriever = parts.open_index(configuration.index, configuration.settings, progress).retriever
    judging = ContextJudge(judge)
    found: list[Context] = []
    stopped = False
    progress.started(f"hits of {configuration.name}, judged by {judge.name}", len(asked))
    for batch in pages(asked, BATCH):
        hits = await asyncio.to_thread(retriever.retrieve, batch)
        done = await finished(judging.context(*each) for each in zip(batch, hits, strict=True))
        found += done
        progress.advanced(len(found), failures=_failed(found), spent_usd=judging.use.spent_usd)
        stopped = len(done) < len(batch)
        if stopped:
            break
    progress.finished()
    return _told(judge.name, found, judging, stopped=stopped)


def _failed(found: Sequence[Context]) -> int:
    return sum(bool(each.problem) for each in found)


def _told(judge: str, found: Sequence[Context], judging: ContextJudge, *, stopped: bool) -> JudgedContexts:
    values = {
        "context_relevance": [each.relevance for each in found if each.relevance is not None],
        "sufficiency": [each.sufficient for each in found if each.sufficient is not None],
    }
    if not any(values.values()):
        again = "Replies so far are kept: the same command"
        if stopped:
            raise BudgetSpent("The budget was spent before a verdict.", hint=f"{again} with a larger --budget goes on.")
        problem = next((each.problem for each in found if each.problem), "no verdict applies")
        raise RunIncomplete(f"The judge gave no usable verdict: {problem}", hint=f"{again} goes on.")
    estimates: dict[str, Estimate | None] = {
        "context_relevance": mean_interval(values["context_relevance"], bounds=(0.0, 1.0)),
        "sufficiency": proportion_interval(values["sufficiency"]),
    }
    use = judging.use
    return JudgedContexts(
        judge,
        len(found),
        {metric: len(each) for metric, each in values.items()},
        {metric: each.value for metric, each in estimates.items() if each is not None},
        {metric: None if each is None else each.interval for metric, each in estimates.items()},
        _failed(found),
        use.calls,
        use.cost_usd,
        use.spent_usd,
        stopped,
    )
