"""The seam between evaluators and judges: what a judge is asked, and what comes back."""

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.scores import JudgeUse
from llmops.evaluation.judging.replies import Check, Read
from llmops.prompting.template import PromptVersion

Value = TypeVar("Value")


@record
class Judged(Generic[Value]):
    """A judge's finding and what it took to get it."""

    value: Value
    use: JudgeUse


class JudgeFailed(Exception):
    """A judge gave nothing usable: a failure of this evaluator on this case."""

    def __init__(self, reason: str, use: JudgeUse) -> None:
        super().__init__(reason)
        self.reason = reason
        self.use = use


class AskJudge(Protocol):
    """A model that grades, with its retries, its cache and its price."""

    @property
    def name(self) -> str:
        """As llmops.yaml names it."""
        ...

    @property
    def identity(self) -> str:
        """Changes whenever the same question could get another verdict."""
        ...

    async def __call__(
        self, prompt: PromptVersion, vars: Mapping[str, Any], shape: type[Read], check: Check[Read] | None = None
    ) -> Judged[Read]:
        """The reply to a rendered prompt.

        Raises:
            JudgeFailed: no answer, or none that can be read even after one repair.
        """
        ...


class AskModel(Protocol):
    """A target that an evaluator asks once more, with its retries, its cache and its price."""

    async def __call__(self, messages: tuple[Message, ...]) -> Judged[str]:
        """The answer to other messages.

        Raises:
            JudgeFailed: no answer.
        """
        ...
