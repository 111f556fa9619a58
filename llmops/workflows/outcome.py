"""What a run came to: its report, its status, and the exit code."""

from collections.abc import Sequence

from llmops import __version__
from llmops.domain.amounts import dollars
from llmops.domain.reports import EXIT_CODES, SCHEMA_VERSION, Counts, Report, Timing, Verdict
from llmops.domain.runs import CellResult, Run, RunStatus
from llmops.domain.words import many
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.gating import Judgement
from llmops.evaluation.planning import Plan, Target
from llmops.evaluation.runner import OVER_BUDGET, RunnerCounts
from llmops.evaluation.stopping import DECIDED
from llmops.reporting.safe import one_line

EXIT_UNFINISHED = {"incomplete": 3, "interrupted": 3, "over budget": 5}
OUT_OF_TIME = "out of time"
MAX_FLAKY = 100
"""Flaky cases that a report names."""
REASON_SHOWN = 300
"""Characters of the reason why a cell could not be measured."""
SIGNALLED = {"interrupted": 130, "terminated": 143, OUT_OF_TIME: 3}
"""Exit codes of a run that a signal or its deadline stopped, by what the runner is told."""


def report_of(plan: Plan, run: Run, aggregator: Aggregator, counts: RunnerCounts, judged: Judgement) -> Report:
    """The report of a run that came to its end, but for its wall time."""
    status, notes = _status(plan, aggregator, counts)
    notes = (*notes, *judged.notes)
    tallies, flaky = list(aggregator.groups.values()), aggregator.flaky
    return Report(
        SCHEMA_VERSION,
        __version__,
        run.id,
        plan.suite.path,
        plan.suite.settings.description,
        status,
        judged.verdict,
        SIGNALLED.get(counts.stopped or "") or exit_code(status, judged.verdict, plan.suite.settings.on_inconclusive),
        _coverage(aggregator, counts),
        judged.baseline,
        tuple(aggregator.summaries()),
        judged.rules,
        Counts(
            sum(group.cells for group in tallies),
            sum(group.statuses["scored"] for group in tallies),
            sum(group.statuses["failed"] for group in tallies),
            sum(group.statuses["unmeasured"] for group in tallies),
            sum(group.calls for group in tallies),
            sum(group.answered - group.reused for group in tallies),
            sum(group.reused for group in tallies),
            len(counts.searched),
            counts.evaluated,
        ),
        Timing(run.started_at, run.started_at, 0.0),
        notes,
        aggregator.worst,
        judged.flips.first,
        judged.flips.broken,
        judged.flips.mended,
        flaky[:MAX_FLAKY],
        len(flaky),
        judged.power,
        counts.written if _writers(plan) else None,
        counts.embedding,
    )


def _status(plan: Plan, aggregator: Aggregator, counts: RunnerCounts) -> tuple[RunStatus, tuple[str, ...]]:
    notes = [*plan.notes, *aggregator.notes, *counts.notes, *_writing(plan, counts), *_embedding(counts)]
    if counts.stopped in SIGNALLED:
        return "interrupted", (*notes, f"{counts.stopped}: the same command continues this run")
    if counts.stopped == OVER_BUDGET:
        told = f"${counts.spent_usd:,.4f} are spent; the same command with a larger --budget continues this run"
        return "over budget", (*notes, told)
    if counts.stopped == DECIDED:
        run = sum(group.cells for group in aggregator.groups.values())
        told = f"every rule was decided after {run:,} of {many(plan.size, 'cell')}"
        notes.append(f"{told}; {plan.size - run:,} did not have to be run")
    elif counts.stopped is not None and counts.stopped not in notes:
        notes.append(f"stopped early: {counts.stopped}")
    floor = plan.suite.settings.min_coverage
    if (coverage := _coverage(aggregator, counts)) < floor:
        covered = f"{100 * coverage:.1f} % of the cells could be measured; `min_coverage` asks for {100 * floor:g} %"
        return "incomplete", (*notes, covered + _such_as(aggregator.uncovered, notes))
    return "finished", tuple(notes)


def _such_as(cell: CellResult | None, notes: Sequence[str]) -> str:
    """What is wrong with a cell that could not be measured, where no note tells it."""
    if cell is None or (cell.error is not None and any(note in cell.error for note in notes)):
        return ""
    failed = (f"{name}: {each.reason}" for name, each in cell.evaluations.items() if each.status == "failed")
    place = " · ".join(part for part in (cell.case_id, cell.prompt, cell.target) if part)
    return f"; the first that could not: {place}: {one_line(cell.error or next(failed, 'no answer'), REASON_SHOWN)}"


def _writers(plan: Plan) -> tuple[Target, ...]:
    """The models that write for queries."""
    return () if plan.retriever is None or plan.retriever.writer is None else plan.retriever.writer.targets


def _writing(plan: Plan, counts: RunnerCounts) -> list[str]:
    """That queries were rewritten, which no figure of an answer shows."""
    models, use = ", ".join(dict.fromkeys(target.name for target in _writers(plan))), counts.written
    told = f"queries rewritten by {models}: {many(use.sent, 'call')} now, {dollars(use.spent_usd)}"
    return [f"{told}; cost and latency of the answers do not hold them"] if models else []


def _embedding(counts: RunnerCounts) -> list[str]:
    """What hosted embedders took, which no figure of an answer shows."""
    return [
        f"texts embedded by {model}: {use.sent} requests now, {use.input_tokens:,} tokens, {dollars(use.spent_usd)}; "
        "cost and latency of the answers do not hold them"
        for model, use in counts.embedding.items()
    ]


def _coverage(aggregator: Aggregator, counts: RunnerCounts) -> float:
    """Of the whole plan; of the cells that were run when the rest was not needed."""
    return aggregator.coverage_of_run if counts.stopped == DECIDED else aggregator.coverage


def exit_code(status: RunStatus, verdict: Verdict, on_inconclusive: str) -> int:
    """What a run ends with, when no signal stopped it."""
    if status in EXIT_UNFINISHED:
        return EXIT_UNFINISHED[status]
    if verdict == "inconclusive":
        return {"exit4": 4, "pass": 0, "warn": 0, "fail": 1, "extend": 4}[on_inconclusive]
    return EXIT_CODES[verdict]


def worst_exit_code(codes: list[int]) -> int:
    """Of several suites: a signal's code, else the first that applies of 70, 2, 5, 3, 1, 4, 0."""
    return next((code for code in (130, 143, 70, 2, 5, 3, 1, 4) if code in codes), 0)
