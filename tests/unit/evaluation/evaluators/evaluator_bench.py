"""An evaluator from the YAML of a suite, and answers for it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.domain.cases import Case
from llmops.domain.errors import UsageError
from llmops.domain.models import Completion, Usage
from llmops.domain.ports import NO_LABELS
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Hit
from llmops.domain.runs import EvaluatorResult
from llmops.domain.scores import Detection, DetectionRequest, JudgeUse, Outcome, Sample, Span
from llmops.evaluation.evaluators.base import AskDetector, AskEmbedder, BuiltEvaluator, Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.judging.asking import AskJudge, AskModel, Judged, JudgeFailed
from llmops.evaluation.judging.replies import Check, Read, Unreadable, read_reply
from llmops.prompting.registry import Registry
from llmops.prompting.template import PromptVersion
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.positions import parse_yaml
from llmops.settings.suite import evaluator_specs
from llmops.settings.validation import nearest

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


@dataclass
class RecordingDetector:
    """Answers every request with the next value, and keeps the requests."""

    values: list[float]
    identity: str = "detector-1"
    requests: list[DetectionRequest] = field(default_factory=list)
    spans: tuple[Span, ...] = ()

    async def __call__(self, request: DetectionRequest) -> Detection:
        self.requests.append(request)
        return Detection(self.values[len(self.requests) - 1], self.spans, parts={"hate": 0.25})


@dataclass
class LetterEmbedder:
    """A vector of letter counts: deterministic, and equal for equal letters."""

    identity: str = "letters"
    texts: list[str] = field(default_factory=list)

    async def __call__(self, text: str) -> "NDArray[float32]":
        import numpy as np

        self.texts.append(text)
        counts: NDArray[float32] = np.array([text.lower().count(chr(97 + n)) for n in range(26)], dtype=np.float32)
        unit: NDArray[float32] = counts / np.linalg.norm(counts)
        return unit


@dataclass
class ScriptedJudge:
    """Replies with the next text of a script, as a judge that is never repaired, and keeps what it was asked."""

    name: str
    replies: list[str]
    asked: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return f"scripted {self.name}"

    async def __call__(
        self, prompt: PromptVersion, vars: Mapping[str, Any], shape: type[Read], check: Check[Read] | None = None
    ) -> Judged[Read]:
        self.asked.append("\n\n".join(message.content for message in prompt.render(vars)))
        use = JudgeUse(1, 10, 5, 0.001, 1, 0.001)
        try:
            return Judged(read_reply(self.replies[len(self.asked) - 1], shape, check), use)
        except Unreadable as error:
            raise JudgeFailed(f"judge {self.name}: the reply {error}", use) from None


@dataclass
class Bench:
    """Builds and asks evaluators with fakes for the services."""

    root: Path
    detector: RecordingDetector = field(default_factory=lambda: RecordingDetector([0.9]))
    embedder: LetterEmbedder = field(default_factory=LetterEmbedder)
    asked: list[tuple[str, str]] = field(default_factory=list)
    judges: dict[str, "ScriptedJudge"] = field(default_factory=dict)
    again: Callable[[tuple[Message, ...]], str] = lambda messages: ""

    def _detect(self, kind: str, backend: str, labels: Mapping[str, str] = NO_LABELS) -> AskDetector:
        self.asked.append((kind, backend))
        return self.detector

    def _embed(self, settings: EmbedderSettings) -> AskEmbedder:
        return self.embedder

    def _judge(self, name: str) -> AskJudge:
        if name not in self.judges:
            raise UsageError(f"No model is called {name!r}.", hint=nearest(name, self.judges))
        return self.judges[name]

    def _ask(self, target: str) -> AskModel:
        async def answered(messages: tuple[Message, ...]) -> Judged[str]:
            return Judged(self.again(messages), JudgeUse(1, 10, 5, 0.001, 1, 0.001))

        return answered

    @property
    def services(self) -> Services:
        return Services(self.root, self._detect, self._embed, self._judge, self._ask, Registry(self.root).resolve)

    def build_all(self, text: str) -> list[BuiltEvaluator]:
        """Evaluators from the YAML of a list, which stands in line 2 and below of `suite.yaml`."""
        data, positions = parse_yaml(f"evaluators:\n{text}", "suite.yaml")
        return build_evaluators(evaluator_specs(data["evaluators"], positions, ("evaluators",)), positions, self.services)

    def build(self, text: str) -> BuiltEvaluator:
        (built,) = self.build_all(f"- {text}\n")
        return built

    def measure(self, text: str, sample: Sample) -> Outcome:
        return asyncio.run(self.build(text).measure(sample))

    def judge(self, text: str, sample: Sample) -> EvaluatorResult:
        built = self.build(text)
        return built.judge(asyncio.run(built.measure(sample)))


def answer(
    text: str,
    *,
    hits: Sequence[Hit] = (),
    usage: Usage | None = None,
    cost_usd: float | None = None,
    cached: bool = False,
    recorded: bool = False,
    ttft_s: float | None = None,
    **case: Any,  # noqa: ANN401 -- fields of a case
) -> Sample:
    """A sample from an answer's text and fields of its completion and case."""
    return Sample(
        Case("c1", case.pop("vars", {"question": "Why?"}), **case),
        "small",
        () if recorded else (Message("user", "Why?"),),
        tuple(hits),
        Completion(text, usage, 1.5, ttft_s),
        cached,
        cost_usd,
    )
