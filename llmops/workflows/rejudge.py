"""`llmops gate` and `llmops power`: a stored run under its suite's rules again, and what a suite's cases can show at all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmops.domain.errors import UsageError
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.reports import Report
from llmops.domain.runs import Run
from llmops.domain.serial import report_from_json
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.datasets import dataset_of
from llmops.evaluation.gating import HELD_AGAINST, SEVERAL_LOOKS, judge_run
from llmops.settings.suite import Suite, load_suite
from llmops.statistics.power import cases_for_drop, cases_to_reach, detectable_drop, reachable_margin
from llmops.workflows.continuing import continuing
from llmops.workflows.outcome import exit_code
from llmops.workflows.suite_plans import EvaluateOptions, Parts, plan_suite

DISCORDANCES = (0.05, 0.1, 0.2)
"""Shares of flipped cases that are shown when no two runs tell how many flip."""


def rejudge(run: Run, baseline: Run | None, parts: Parts, progress: Progress) -> Report:
    """The report of a finished run with the verdict of its suite's gate as it stands now.

    Args:
        run: a finished one.
        baseline: for the relative rules; None: the suite's.
        parts: of the project.
        progress: told what happens.

    Raises:
        UsageError: the run has no report, or its suite has no gate.
        InvalidFiles: the suite cannot be read any more.
    """
    stored = parts.store.report(run.id)
    if stored is None or run.status == "running":
        raise UsageError(f"Run {run.id} is not finished.", hint=continuing(run))
    suite = load_suite(parts.root / run.suite, parts.root)
    if run.snapshot.get("selection", {}).get("shuffled"):
        hint = f"Run it again: llmops eval {run.suite} --sequential"
        raise UsageError(f"Run {run.id} was stopped by what it found, so that its cells alone cannot be judged.", hint=hint)
    if not suite.settings.gate:
        raise UsageError(
            f"{run.suite} has no gate.", hint="Write rules under `gate:`, such as {metric: contains.pass_rate, min: 0.8}."
        )
    repeats = {"repeat": run.snapshot.get("repeat"), "first_repeat": run.snapshot.get("options", {}).get("first_repeat")}
    options = EvaluateOptions(models=_names(run, "targets", suite), prompts=_names(run, "prompts", suite), **repeats)
    plan = plan_suite(suite, parts, options, progress)
    aggregator = Aggregator(plan)
    for result in parts.store.results(run.id):
        aggregator.add(result)
    held_against = baseline.id if baseline is not None else parts.store.baseline(run.suite)
    judged = judge_run(plan, parts.store, run.id, aggregator, held_against)
    report = report_from_json(stored)
    code = exit_code(report.status, judged.verdict, suite.settings.on_inconclusive)
    notes = (*(note for note in report.notes if not note.startswith((HELD_AGAINST, SEVERAL_LOOKS))), *judged.notes)
    beside = {"rules": judged.rules, "flips": judged.flips, "power": judged.power, "baseline": held_against, "notes": notes}
    return replace(report, verdict=judged.verdict, exit_code=code, **beside)  # type: ignore[arg-type]


def _names(run: Run, what: str, suite: Suite) -> tuple[str, ...]:
    """Prompts or targets of a run; none for recorded answers, which a suite without targets has."""
    return tuple(run.snapshot.get(what, {})) if suite.settings.targets else ()


@record
class Reach:
    """What a number of cases can show."""

    cases: int
    """Those that the pass rates of the gate are judged on, as far as a run has shown."""
    note: str
    """Which cases were left out, or why it is not known; empty: all count."""
    margin: float
    """Smallest margin that a non-inferiority rule can pass with, when no case flips."""
    drops: tuple[tuple[float, float | None], ...]
    """Share of flipped cases, and the smallest drop that is found four times in five."""
    needed: tuple[tuple[float, int, int], ...]
    """Margin, fewest cases that can pass it, and cases that find a drop of its size four times in five at 10 % flips."""


def reach_of(suite: Suite, parts: Parts, margins: Sequence[float], confidence: float, cases: int | None) -> Reach:
    """What the cases of a suite can show.

    Args:
        suite: names the dataset, and the margins of its rules.
        parts: of the project.
        margins: further margins to plan for.
        confidence: one-sided.
        cases: instead of the dataset's.

    Raises:
        InvalidFiles: the dataset cannot be read.
        UsageError: a margin that is not between 0 and 1.
    """
    whole = cases or dataset_of(suite, parts.root).size
    n, note = _judged(whole, suite, parts.store)
    wanted = sorted({*(rule.margin for rule in suite.settings.gate if 0 < rule.margin < 1), *margins} or {0.02, 0.05, 0.1})
    for margin in wanted:
        if not 0 < margin < 1:
            raise UsageError(f"--margin {margin:g}: a share between 0 and 1 was expected.", hint="0.05 is five points.")
    drops = tuple((d, detectable_drop(n, d, confidence=confidence)) for d in DISCORDANCES)
    return Reach(n, note, reachable_margin(n, confidence=confidence), drops, tuple(_needed(wanted, confidence)))


def _judged(cases: int, suite: Suite, store: Store) -> tuple[int, str]:
    """Of so many cases those that the gate's pass rates are judged on, by the suite's last run over all of them."""
    metrics = {rule.metric for rule in suite.settings.gate if rule.metric and rule.metric.endswith(".pass_rate")}
    if not metrics:
        return cases, ""
    runs = (run for run in store.runs(None, suite=suite.path) if not run.partial)
    report = next((found for run in runs if (found := store.report(run.id)) is not None), None)
    groups = () if report is None else report_from_json(report).groups
    shares = [
        ((each.judged + each.failed) / group.cells, metric)
        for group in groups
        for each in group.evaluators
        if (metric := f"{each.name}.pass_rate") in metrics
    ]
    share, metric = min(shares, default=(0.0, ""))
    judged = round(share * cases)
    if not judged:
        return cases, f"no run shows how many of them {', '.join(sorted(metrics))} is judged on: all are counted"
    return judged, "" if judged == cases else f"{metric} is judged on {judged} of {cases}, as in the last run"


def _needed(margins: Sequence[float], confidence: float) -> Iterator[tuple[float, int, int]]:
    for margin in margins:
        flips = max(0.1, margin)
        yield margin, cases_to_reach(margin, confidence=confidence), cases_for_drop(margin, flips, confidence=confidence)
