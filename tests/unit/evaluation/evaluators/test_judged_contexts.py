import asyncio
import json

from evaluator_bench import ScriptedJudge

from llmops.domain.retrieval import Hit
from llmops.evaluation.judging.contexts import Context, ContextJudge

HITS = [Hit("The mast is 40 m high.", "a.md"), Hit("Sheep graze there.", "b.md"), Hit("It is old.", "c.md")]


def reply(*verdicts: str) -> str:
    return json.dumps({"verdicts": [{"item": n, "reason": "so", "verdict": each} for n, each in enumerate(verdicts, start=1)]})


def judged(replies: list[str], hits: list[Hit]) -> tuple[Context, ScriptedJudge, int]:
    judge = ScriptedJudge("j", replies)
    judging = ContextJudge(judge)
    found = asyncio.run(judging.context("How high is the mast?", hits))
    return found, judge, judging.use.calls


def test_relevance_is_a_share_of_the_hits_and_sufficiency_a_verdict_on_all() -> None:
    found, judge, calls = judged([reply("yes", "no", "not applicable"), reply("yes")], HITS)
    assert found == Context(0.5, 1.0)
    assert calls == 2
    assert all("How high is the mast?" in asked and HITS[1].text in asked for asked in judge.asked)
    assert judged([reply("no", "no", "no"), reply("no")], HITS)[0] == Context(0.0, 0.0)
    assert judged([reply(*["not applicable"] * 3), reply("not applicable")], HITS)[0] == Context(None, None)


def test_no_hits_are_not_enough_and_need_no_judge() -> None:
    assert judged([], [])[0::2] == (Context(None, 0.0), 0)


def test_a_reply_that_cannot_be_used_is_a_problem_and_no_verdict() -> None:
    found, _, calls = judged([reply("yes", "no", "no"), "well"], HITS)
    assert (found.relevance, found.sufficient, calls) == (None, None, 2)
    assert "judge j" in found.problem
    assert "no verdict for item 3" in judged([reply("yes", "no")], HITS)[0].problem
