"""`llmops eval`: run the plan of a suite, judge its gate, and close the run with its report."""

import asyncio
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from llmops import __version__
from llmops.domain.errors import LlmopsError, StoreError, UsageError
from llmops.domain.models import LISTED
from llmops.domain.ports import Progress, Store
from llmops.domain.reports import Report, Timing
from llmops.domain.runs import CellResult, Run
from llmops.domain.serial import plain
from llmops.domain.words import many
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.batch_calls import BatchLog
from llmops.evaluation.calling import Callers
from llmops.evaluation.gating import Judgement, judge_run, load_baseline
from llmops.evaluation.planning import Plan
from llmops.evaluation.runner import OVER_BUDGET, Runner, RunnerOptions
from llmops.evaluation.spending import Purse, check_prices
from llmops.evaluation.stopping import EarlyStop
from llmops.workflows.outcome import OUT_OF_TIME, report_of
from llmops.workflows.suite_plans import EvaluateOptions, Parts, asked_models


async def evaluate(plan: Plan, parts: Parts, options: EvaluateOptions, progress: Progress) -> tuple[Report, float]:
    """Run a plan and close the run with its report.

    Returns:
        The report, and the USD that the run has paid, also for what belongs to no finished cell.

    Raises:
        StoreError: a result could not be written; what was committed stays, and the same command continues.
        UsageError: a budget without prices, or an unfinished run that would be its own baseline.
    """
    began = time.perf_counter()
    purse = Purse(budget_of(plan, parts, options))
    baseline = parts.store.baseline(plan.suite.path) if options.baseline is None else options.baseline or None
    run, continued = _begin(plan, parts, options, baseline)
    with _closed_on_error(parts.store, run, continued=continued):
        early = EarlyStop(plan, load_baseline(plan, parts.store, baseline)) if options.sequential else None
        if continued:
            progress.note(f"continuing run {run.id}, which has not finished")
            if "--batch" in run.snapshot.get("arguments", ()) and not options.batch:
                progress.note("it was begun with --batch: without it, what the provider still holds is asked, and paid, again")
        aggregator = Aggregator(plan)

        def take(result: CellResult) -> None:
            aggregator.add(result)
            if options.verbose:
                _tell(progress, result)
            if early is not None and (reason := early.add(result)) is not None:
                runner.stop(reason)

        again = (options.refresh, options.own_runs)
        log = _batch_log(parts.store, run.id, options, progress) if options.batch else None
        async with parts.judges.running(run.id, *again, purse=purse, continued=continued, log=log) as callers:
            chosen = RunnerOptions(*again, options.max_failures, options.concurrency, parts.width, continued)
            runner = Runner(
                plan, parts.store, run.id, callers=callers, purse=purse, options=chosen, progress=progress, on_result=take
            )
            with _stoppable(runner, callers, options.ends_at, progress), parts.embedding.paid_from(purse):
                counts = await runner.run()
            if log is not None and counts.stopped is None:
                log.forget_ended()
        judged = Judgement()
        if early is not None:
            judged = Judgement(early.rules, baseline=baseline)
        elif not options.no_gate and (plan.suite.settings.gate or baseline) and counts.stopped != OVER_BUDGET:
            judged = judge_run(plan, parts.store, run.id, aggregator, baseline)
        finished_at = _now()
        report = report_of(plan, run, aggregator, counts, judged)
        report = replace(report, timing=Timing(run.started_at, finished_at, time.perf_counter() - began, continued))
        parts.store.finish_run(run.id, report.status, finished_at, plain(report))
    if parts.cache_bytes is not None and (removed := parts.store.cache.evict(parts.cache_bytes)).nodes:
        progress.note(f"cache: {many(removed.nodes, 'node')} removed, the longest unused")
    return report, counts.spent_usd


def _batch_log(store: Store, run_id: str, options: EvaluateOptions, progress: Progress) -> BatchLog:
    """Where steps are done again, nothing is collected that other commands handed over."""
    return BatchLog(store, run_id, (run_id, *options.own_runs) if options.refresh else None, progress.note)


def _tell(progress: Progress, result: CellResult) -> None:
    """A cell in a line."""
    verdict = "failed" if result.status == "failed" else {True: "pass", False: "not passed", None: "not judged"}[result.passed]
    place = " · ".join(part for part in (result.case_id, result.prompt, result.target) if part)
    wrong = [name for name, e in result.evaluations.items() if e.passed is False or e.status == "failed"]
    why = result.error or ", ".join(wrong)
    progress.note(f"{verdict:<10}  {place}{' (reused)' if result.cached else ''}{f'  {why}' if why else ''}")


def budget_of(plan: Plan, parts: Parts, options: EvaluateOptions) -> float | None:
    """What the run may spend, in USD: what is left of the command line's figure, else of the suite's.

    Raises:
        UsageError: there is a budget, and the price of a model is not known.
    """
    budget = next((each for each in (options.left, options.budget) if each is not None), plan.suite.settings.budget)
    if budget is not None:
        check_prices(asked_models(plan, parts))
        parts.embedding.check_prices(set(_embedders(plan)))
    return budget


def _embedders(plan: Plan) -> Iterator[str]:
    """Identities of the embedders that a plan asks."""
    if plan.retriever is not None:
        yield str(plan.retriever.facts.get("embedder"))
    for each in plan.all_evaluators():
        if each.spec.kind == "similarity":
            yield each.evaluator.embedder.identity  # type: ignore[attr-defined]  # the only kind that has one


def _begin(plan: Plan, parts: Parts, options: EvaluateOptions, baseline: str | None) -> tuple[Run, bool]:
    key, store = plan.key(), parts.store
    earlier = store.unfinished_run(key)
    if earlier is not None:
        if earlier.id == baseline:
            hint = "Name another with --baseline RUN, or choose one: llmops runs baseline RUN"
            raise UsageError(f"Run {baseline}, which this command continues, would be its own baseline.", hint=hint)
        store.continue_run(earlier.id)
        return earlier, True
    started = _now()
    run_id = f"{started[:19].replace('-', '').replace(':', '').replace('T', '-')}-{secrets.token_hex(2)}"
    snapshot = {**plan.snapshot(), "tool": __version__, "arguments": options.arguments()}
    if any(target.price is not None and target.price.source == LISTED for target in asked_models(plan, parts)):
        snapshot["price_table"] = parts.price_table
    run = Run(run_id, plan.suite.path, "running", started, None, key, plan.size, snapshot)
    store.begin_run(run)
    return run, False


@contextmanager
def _closed_on_error(store: Store, run: Run, *, continued: bool) -> Iterator[None]:
    """A run that comes to no report can be continued; one that an error of ours ended before its first result is gone."""
    try:
        yield
    except (KeyboardInterrupt, LlmopsError) as error:
        with suppress(StoreError):  # it may be what failed
            if continued or isinstance(error, KeyboardInterrupt) or next(store.results(run.id), None) is not None:
                store.finish_run(run.id, "interrupted", _now(), None)
            else:
                store.delete_runs([run.id])
        raise


@contextmanager
def _stoppable(runner: Runner, callers: Callers, ends_at: float | None, progress: Progress) -> Iterator[None]:
    """SIGINT, SIGTERM and the deadline: once finishes what is in flight and reports; twice stops at once."""
    loop = asyncio.get_running_loop()
    task, asked = asyncio.current_task(), False

    def stop(reason: str) -> None:
        nonlocal asked
        if asked and task is not None and reason != OUT_OF_TIME:
            task.cancel()
        elif reason in handled.values():
            again = "; press Ctrl-C again to stop at once" if reason == "interrupted" else ""
            progress.note(f"finishing what is in flight{again}")
        asked = True
        runner.stop(reason)
        callers.stop()

    handled = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
    deadline = None if ends_at is None else loop.call_later(ends_at - time.monotonic(), stop, OUT_OF_TIME)
    try:
        for number, reason in handled.items():
            loop.add_signal_handler(number, stop, reason)
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if deadline is not None:
            deadline.cancel()
        for number in handled:
            loop.remove_signal_handler(number)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
