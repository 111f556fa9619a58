"""A reply that cannot be read, twice: what is told shows it."""

from typing import Any

import pytest

from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.prompts import Message
from llmops.evaluation.judging.judges import readable
from llmops.evaluation.judging.replies import Unreadable, Verdicts, read_reply

CUT = '{"verdicts": [{"item": 1, "reason": "it is'


class Caller:
    """Answers the same each time, and keeps what it was asked."""

    def __init__(self, text: str, finish_reason: str) -> None:
        self.answer = Completion(text, None, 0.0, finish_reason=finish_reason)
        self.requests: list[CompletionRequest] = []

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests.append(request)
        return self.answer


@pytest.mark.parametrize(
    ("text", "finish", "problem"),
    [
        ("I cannot judge that.", "stop", "holds no JSON object: 'I cannot judge that.'"),
        ("I cannot " * 20, "stop", "holds no JSON object: 'I cannot I cannot"),
        (CUT, "length", f"was cut off at its limit of tokens (`max_tokens`): {CUT!r}"),
    ],
)
async def test_a_failure_shows_the_reply_and_whether_it_was_cut_off(text: str, finish: str, problem: str) -> None:
    caller: Any = Caller(text, finish)
    with pytest.raises(Unreadable) as failed:
        await readable(caller, CompletionRequest((Message("user", "?"),)), lambda reply: read_reply(reply, Verdicts), [])
    assert str(failed.value).startswith(problem)
    assert len(str(failed.value)) < 200
    assert str(failed.value).partition(":")[0] in caller.requests[1].messages[-1].content
