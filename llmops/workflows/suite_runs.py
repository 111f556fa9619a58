"""One suite from its baseline to its verdict: what it is held against runs first, and an inconclusive run is extended."""

import asyncio
from dataclasses import replace

from llmops.domain.errors import RunIncomplete
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.reports import Report
from llmops.evaluation.planning import Plan
from llmops.settings.suite import Suite
from llmops.workflows.evaluate import evaluate
from llmops.workflows.failing import failing_cases
from llmops.workflows.outcome import EXIT_UNFINISHED
from llmops.workflows.sides import side
from llmops.workflows.suite_plans import EvaluateOptions, Parts, plan_suite

TOO_DEAR = "still inconclusive; the budget allows no further answer per case"


@record
class SuiteRun:
    """What came of a suite."""

    plan: Plan
    report: Report
    """Of the last run: the one with the most answers per case that came to its end."""
    runs: tuple[str, ...]
    """Ids of all that were made for it, the baseline's among them."""
    spent_usd: float
    """By all of them."""


def run_suite(
    suite: Suite,
    baseline: str | None,
    parts: Parts,
    options: EvaluateOptions,
    progress: Progress,
    before: tuple[str, ...] = (),
) -> SuiteRun:
    """Run a suite and judge its gate.

    Args:
        suite: to run.
        baseline: what relative rules are held against, as `sides.side` reads it; None: the suite's own.
        parts: of the project.
        options: of the command line; the budget holds for all runs together.
        progress: told what happens.
        before: ids of the runs that the same command has made of other suites; `@last` means none of them.

    Raises:
        InvalidFiles: a file of the suite cannot be used.
        UsageError: an option names something that does not exist.
        RunIncomplete: the baseline's run was stopped.
    """
    if options.failed:  # as it is now: each of the runs would change it
        options = replace(options, case_ids=failing_cases(suite, parts.store))
    if options.left is None:
        options = replace(options, left=suite.settings.budget if options.budget is None else options.budget)
    done = _once(suite, baseline, parts, options, progress, before)
    extension, first = suite.settings.extend, done.plan.repeat
    further = 0.0
    while _extendable(done.report, suite) and done.plan.repeat < extension.repeats:
        allowed = left_of(extension.budget, further)
        if allowed == 0:
            return _noted(done, f"still inconclusive after ${further:,.4f}, all that `extend.budget` allows")
        progress.note(f"inconclusive with {done.plan.repeat} per case: asking for answer {done.plan.repeat + 1}")
        lefts = [each for each in (allowed, left_of(options.left, done.spent_usd)) if each is not None]
        again = replace(options, repeat=done.plan.repeat + 1, first_repeat=first)
        more = replace(again, left=min(lefts, default=None), own_runs=done.runs)
        try:
            longer = _once(suite, baseline, parts, more, progress, (*before, *done.runs))
        except RunIncomplete as error:  # of the baseline
            if error.exit_code != EXIT_UNFINISHED["over budget"]:
                raise
            return _noted(replace(done, spent_usd=done.spent_usd + error.spent_usd), TOO_DEAR)
        further += longer.spent_usd
        runs, spent = (*done.runs, *longer.runs), done.spent_usd + longer.spent_usd
        if longer.report.status == "over budget":
            return _noted(replace(done, spent_usd=spent), TOO_DEAR)
        done = replace(longer, runs=runs, spent_usd=spent)
    if done.plan.repeat > first:
        done = _noted(done, f"inconclusive with {first} per case, so extended to {done.plan.repeat}")
    return done


def left_of(budget: float | None, spent: float) -> float | None:
    """What is left of a budget in USD, at least 0; None: there is none."""
    return None if budget is None else max(0.0, budget - spent)


def _once(
    suite: Suite,
    baseline: str | None,
    parts: Parts,
    options: EvaluateOptions,
    progress: Progress,
    without: tuple[str, ...],
) -> SuiteRun:
    plan = plan_suite(suite, parts, options, progress)  # its faults are told before the baseline costs anything
    runs, spent = list[str](), 0.0
    if baseline is not None:
        continued = parts.store.unfinished_run(plan.key())
        before = options
        if continued is not None:
            without, before = (*without, continued.id), replace(options, refresh=frozenset())
        found = side(baseline, suite, parts, before, progress, without=without)
        options = replace(options, baseline="")
        if found is not None:
            runs, spent = [found.run.id] if found.made else [], found.spent_usd
            options = replace(options, baseline=found.run.id, left=left_of(options.left, spent))
    report, paid = asyncio.run(evaluate(plan, parts, options, progress))
    return SuiteRun(plan, report, (*runs, report.run_id), spent + paid)


def _extendable(report: Report, suite: Suite) -> bool:
    wanted = suite.settings.on_inconclusive == "extend"
    return wanted and report.status == "finished" and report.verdict == "inconclusive"


def _noted(done: SuiteRun, note: str) -> SuiteRun:
    return replace(done, report=replace(done.report, notes=(*done.report.notes, note)))
