"""One suite from its baseline to its verdict: what it is held against runs first, and an inconclusive run is extended."""

import asyncio
from dataclasses import replace

from llmops.domain.ports import Progress
from llmops.domain.reports import Report
from llmops.evaluation.planning import Plan
from llmops.settings.suite import Suite
from llmops.workflows.evaluate import EvaluateOptions, Parts, evaluate, plan_suite
from llmops.workflows.sides import side


def run_suite(
    suite: Suite, baseline: str | None, parts: Parts, options: EvaluateOptions, progress: Progress
) -> tuple[Plan, Report]:
    """Run a suite and judge its gate.

    Args:
        suite: to run.
        baseline: what relative rules are held against, as `sides.side` reads it; None: the suite's own.
        parts: of the project.
        options: of the command line.
        progress: told what happens.

    Returns:
        The plan and the report of the last run: the one with the most answers per case that came to its end.

    Raises:
        InvalidFiles: a file of the suite cannot be used.
        UsageError: an option names something that does not exist.
        RunIncomplete: the baseline's run was stopped.
    """
    plan, report = _once(suite, baseline, parts, options, progress)
    extension, first = suite.settings.extend, plan.repeat
    spent = 0.0
    while _extendable(report, suite) and plan.repeat < extension.repeats:
        left = None if extension.budget is None else extension.budget - spent
        if left is not None and left <= 0:
            return plan, _noted(report, f"still inconclusive after ${spent:,.4f}, all that `extend.budget` allows")
        progress.note(f"inconclusive with {plan.repeat} per case: asking for answer {plan.repeat + 1}")
        budgets = [each for each in (left, options.budget) if each is not None]
        more = replace(options, repeat=plan.repeat + 1, budget=min(budgets, default=None))
        longer, extended = _once(suite, baseline, parts, more, progress)
        if extended.status == "over budget":
            return plan, _noted(report, "still inconclusive; the budget allows no further answer per case")
        plan, report, spent = longer, extended, spent + _spent(extended)
    if plan.repeat > first:
        report = _noted(report, f"inconclusive with {first} per case, so extended to {plan.repeat}")
    return plan, report


def _once(
    suite: Suite, baseline: str | None, parts: Parts, options: EvaluateOptions, progress: Progress
) -> tuple[Plan, Report]:
    plan = plan_suite(suite, parts, options, progress)  # its faults are told before the baseline costs anything
    if baseline is not None:
        continued = parts.store.unfinished_run(plan.key())
        run = side(baseline, suite, parts, options, progress, without=None if continued is None else continued.id)
        options = replace(options, baseline="" if run is None else run.id)
    return plan, asyncio.run(evaluate(plan, parts, options, progress))


def _extendable(report: Report, suite: Suite) -> bool:
    wanted = suite.settings.on_inconclusive == "extend"
    return wanted and report.status == "finished" and report.verdict == "inconclusive"


def _spent(report: Report) -> float:
    """USD that a run paid for answers, judges and what was written for queries."""
    answers = sum(group.spend.spent_usd or 0.0 for group in report.groups)
    judges = (e.judging.spent_usd or 0.0 for group in report.groups for e in group.evaluators if e.judging is not None)
    return answers + sum(judges) + (report.writing.spent_usd or 0.0 if report.writing is not None else 0.0)


def _noted(report: Report, note: str) -> Report:
    return replace(report, notes=(*report.notes, note))
