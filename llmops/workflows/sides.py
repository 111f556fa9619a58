"""What a run is held against: a run of the store, or prompts at another version, which are run first."""

import asyncio
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from llmops.domain.errors import InvalidFiles, RunIncomplete, UsageError
from llmops.domain.ports import Progress, Store
from llmops.domain.records import record
from llmops.domain.runs import BASELINE, Run
from llmops.domain.words import many
from llmops.prompting.git import NotAtRevision, commit_of
from llmops.settings.suite import Suite, load_suite, suite_files
from llmops.settings.validation import close_to
from llmops.workflows.evaluate import evaluate
from llmops.workflows.suite_plans import EvaluateOptions, Parts, plan_suite


@record
class Side:
    """A run to hold something against."""

    run: Run
    made: bool = False
    """It was run for this."""
    spent_usd: float = 0.0


REVISIONS = ("git:", "merge-base:")
_RUN = re.compile(r"\d{1,8}|\d{8}-(?:\d{0,6}|\d{6}-[0-9a-f]{0,4})")
"""A run's id, or how one begins: a prompt's name may begin with a digit, too."""


def names_prompts(reference: str) -> bool:
    """Whether a reference names prompts (`answer`, `answer@1.0.0`, `git:main`, `merge-base:main`), not a run of the store."""
    return not reference.startswith("@") and _RUN.fullmatch(reference) is None


def run_of(store: Store, reference: str, suite: str = "", *, without: Collection[str] = ()) -> Run:
    """The run that a reference names, as `Store.run`; `@baseline` alone is that of `suite`.

    Raises:
        UsageError: no such run or baseline.
    """
    return store.run(f"{BASELINE}:{suite}" if reference == BASELINE and suite else reference, without=without)


def suite_naming(sides: Sequence[str], parts: Parts) -> Suite:
    """The only suite of the project that names one of these prompts; for revisions alone, the only suite there is.

    Raises:
        UsageError: there is none, or there are several, or a side names something else.
        InvalidFiles: a suite cannot be read.
    """
    asked = {each.partition("@")[0] for each in sides if not each.startswith(REVISIONS)}
    suites = [load_suite(path, parts.root) for path in suite_files(parts.root)]
    fitting = [s for s in suites if not asked or asked & {name.partition("@")[0] for name in s.settings.prompts}]
    if len(fitting) == 1:
        return fitting[0]
    named = ", ".join(sorted(asked)) or "these prompts"
    if not fitting:
        for name in sorted(asked):
            if not _is_prompt(name, parts):
                hint = _meant(name, parts) or "List them: llmops runs list"
                raise UsageError(f"{name!r} names neither a run nor a prompt.", hint=hint)
        raise UsageError(f"No suite in evals/ names {named}.", hint="Name one: --suite SUITE")
    found = ", ".join(s.path for s in fitting)
    raise UsageError(f"Several suites name {named}: {found}.", hint=f"Choose one: --suite {fitting[0].path}")


def _is_prompt(name: str, parts: Parts) -> bool:
    try:
        parts.prompt(name)
    except InvalidFiles:  # it is there, and broken
        return True
    except UsageError:
        return False
    return True


def _meant(name: str, parts: Parts) -> str | None:
    """The next step for a name that is no prompt, when it is something else."""
    with suppress(UsageError):
        parts.target(name)
        told = "It is a model, and a run, a prompt or git:REV was expected. One run holds several models side by side:"
        return f"{told} llmops eval --model {name} --model ANOTHER"
    with suppress(UsageError):
        commit_of(parts.root, name)
        return f"The prompts of a git revision: git:{name}"
    if name.endswith((".csv", ".jsonl")):
        return f"Results in a file: llmops compare --from {name}"
    return close_to(name, ("@last", BASELINE))


def side(
    reference: str | None,
    suite: Suite,
    parts: Parts,
    options: EvaluateOptions,
    progress: Progress,
    *,
    without: Collection[str] = (),
) -> Side | None:
    """The run that a reference names; prompts are run over the suite first, and what the store holds of it is reused.

    Args:
        reference: as `run_of`, a prompt's reference, or `git:REV` and `merge-base:REV` for the suite's prompts there; None:
            the suite as it stands.
        suite: whose cases, models and evaluators are used, as they stand now.
        parts: of the project.
        options: of the other side, so that both run the same cases.
        progress: told what happens.
        without: ids of runs that `@last` does not mean: those of the same command, and one that the other side continues.

    Returns:
        None when no prompt of the suite existed at the revision.

    Raises:
        UsageError: it names nothing.
        RunIncomplete: a signal or the budget ended the run.
        InvalidFiles: the suite or a prompt cannot be used.
    """
    if reference is not None and not names_prompts(reference):
        return Side(run_of(parts.store, reference, suite.path, without=without))
    chosen = options_at(reference, suite, parts, options, progress)
    if chosen is None:
        return None
    progress.note(f"running {suite.path} with {', '.join(chosen.prompts) or 'its recorded answers'}")
    report, spent = asyncio.run(evaluate(plan_suite(suite, parts, chosen, progress), parts, chosen, progress))
    if report.status in ("interrupted", "over budget"):
        told = RunIncomplete(f"The run of {reference or suite.path} is {report.status}.", hint="The same command continues it.")
        told.exit_code, told.spent_usd = report.exit_code, spent
        raise told
    counts = report.counts
    progress.note(f"run {report.run_id}: {many(counts.generated, 'answer')} made, {counts.reused} reused")
    return Side(parts.store.run(report.run_id), made=True, spent_usd=spent)


def options_at(
    reference: str | None, suite: Suite, parts: Parts, options: EvaluateOptions, progress: Progress
) -> EvaluateOptions | None:
    """The options that a suite is run with for `side`, by a reference that names prompts.

    Returns:
        None when no prompt of the suite existed at the revision.

    Raises:
        UsageError: it names nothing.
        InvalidFiles: a prompt cannot be used.
    """
    prompts = options.prompts or tuple(suite.settings.prompts)
    if reference is not None:
        prompts = _prompts_at(reference, prompts, parts, progress)
        if not prompts:
            return None
    return replace(options, prompts=prompts, no_gate=True, verbose=False, sequential=False, max_failures=None, aside=True)


def _prompts_at(reference: str, prompts: tuple[str, ...], parts: Parts, progress: Progress) -> tuple[str, ...]:
    """The references of the suite's prompts on the other side; what is pinned to a version stays as it is."""
    if not prompts:
        raise UsageError(f"{reference!r} names prompts, and the suite has none.", hint="Name a run, such as @last~1.")
    if not reference.startswith(REVISIONS):
        try:
            parts.prompt(reference)
        except InvalidFiles:
            raise
        except UsageError as error:
            hint = _meant(reference, parts) or error.hint
            raise UsageError(f"{reference!r} names neither a run nor a prompt: {error.message}", hint=hint) from None
        return (reference,)
    found: list[str] = []
    for name in prompts:
        there = name if "@" in name else f"{name}@{reference}"
        try:
            parts.prompt(there)
        except NotAtRevision:
            progress.note(f"{name} is new since {reference.partition(':')[2]}: there is nothing to hold it against")
        else:
            found.append(there)
    return tuple(found)
