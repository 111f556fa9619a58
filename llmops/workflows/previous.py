"""What the last run of a suite tells of the next one: its configuration, its cells, and what a call took."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from llmops.domain.ports import Store
from llmops.domain.records import record
from llmops.domain.runs import CellResult, Run
from llmops.domain.scores import JudgeUse

CellId = tuple[str, str, str, int]
"""Case, prompt, target, repeat."""


@record
class Before:
    """One cell of the last run."""

    retrieve_key: str | None
    generate_key: str | None
    failed: bool
    """It had no answer."""
    failing: frozenset[str]
    """Evaluators that failed on it."""


@dataclass(slots=True)
class Mean:
    """Of one kind of call."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float | None = 0.0
    """None: a call came in a batch, whose time is not its own."""
    cost_usd: float | None = 0.0
    cells: int = 0

    def add(
        self, calls: int, tokens: tuple[int, int], seconds: float | None, cost_usd: float | None, *, turns: int = 1
    ) -> None:
        """One cell; a conversation counts as many as it has turns."""
        self.cells += turns
        self.calls += calls
        self.input_tokens += tokens[0]
        self.output_tokens += tokens[1]
        self.seconds = None if self.seconds is None or seconds is None else self.seconds + seconds
        self.cost_usd = None if self.cost_usd is None or cost_usd is None else self.cost_usd + cost_usd

    @property
    def batched(self) -> bool:
        """Calls were made in batches, at the price of these."""
        return self.seconds is None

    def per_cell(self) -> tuple[float, float, float | None]:
        """Input tokens, output tokens and seconds."""
        seconds = None if self.seconds is None else self.seconds / self.cells
        return self.input_tokens / self.cells, self.output_tokens / self.cells, seconds


@dataclass(slots=True)
class Previous:
    """The newest run of a suite; empty when there is none."""

    run: Run | None = None
    cells: dict[CellId, Before] = field(default_factory=dict)
    cases: set[str] = field(default_factory=set)
    answers: dict[tuple[str, str], Mean] = field(default_factory=dict)
    """By prompt and target."""
    verdicts: dict[str, Mean] = field(default_factory=dict)
    """By evaluator that asks judges."""

    @classmethod
    def of(cls, store: Store, suite: str) -> "Previous":
        """Read it."""
        run = next((run for run in store.runs(None, suite=suite) if not run.aside), None)
        found = cls(run)
        if run is not None:
            found._read(store.results(run.id))
        return found

    def _read(self, results: Iterable[CellResult]) -> None:
        for each in results:
            failing = frozenset(name for name, e in each.evaluations.items() if e.status == "failed")
            place = (each.case_id, each.prompt, each.target, each.repeat)
            keys = each.node_keys
            self.cells[place] = Before(keys.get("retrieve"), keys.get("generate"), each.status == "failed", failing)
            self.cases.add(each.case_id)
            if each.output is not None:
                tokens = (each.usage.input_tokens, each.usage.output_tokens) if each.usage else (0, 0)
                mean = self.answers.setdefault((each.prompt, each.target), Mean())
                asked, turns = sum(not call.reused for call in each.route) if each.route else 1, 1 + len(each.earlier)
                seconds = None if each.latency_s is None else each.latency_s + sum(turn.latency_s for turn in each.earlier)
                mean.add(asked * turns, tokens, seconds, each.cost_usd, turns=turns)
            for name, evaluation in each.evaluations.items():
                if evaluation.judging is not None:
                    self._judged(name, evaluation.judging)

    def _judged(self, name: str, use: JudgeUse) -> None:
        mean = self.verdicts.setdefault(name, Mean())
        mean.add(use.calls, (use.input_tokens, use.output_tokens), use.seconds or None, use.cost_usd)

    def answered(self, prompt: str, target: str) -> Mean | None:
        """What an answer took: of this prompt and target, else of this target with any prompt."""
        found = self.answers.get((prompt, target))
        return found or next((mean for (_, name), mean in self.answers.items() if name == target), None)
