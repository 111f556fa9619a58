"""`llmops eval`: run suites and judge their gates."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.documents import document
from llmops.cli.engines import AddressOption, EngineOption, use_engine
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.plans import selected, tell_work
from llmops.cli.progress import ShownProgress
from llmops.cli.prompt_values import assignment
from llmops.cli.session import Session
from llmops.cli.suites import suites_named
from llmops.cli.writing import check_report, write_file
from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.reports import Report
from llmops.domain.runs import STEPS, Step

if TYPE_CHECKING:
    from llmops.reporting.documents import Format
    from llmops.settings.suite import Suite
    from llmops.workflows.suite_plans import EvaluateOptions

app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})

EPILOG = examples("llmops eval", "llmops eval evals/manual.yaml --model small --limit 20", "llmops eval --failed -o report.xml")


@app.command("eval", epilog=EPILOG)
def command(
    ctx: typer.Context,
    suites: completing.SuitesArgument = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Ask this model instead of the suite's targets.", autocompletion=completing.targets),
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", "-p", help="Use this prompt instead of the suite's.", autocompletion=completing.prompts),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Use this dataset instead of the suite's.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N cases.")] = None,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help="Only cases with this tag, or this id: tag=NAME, id='q-1*'.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only cases that failed or were unmeasured last time.")] = False,
    max_failures: Annotated[
        int | None, typer.Option("--max-failures", min=1, help="Stop after N cells that did not pass.")
    ] = None,
    exit_first: Annotated[bool, typer.Option("-x", "--exitfirst", help="Stop after the first such cell.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would run, why, and about what it costs; run nothing.")
    ] = False,
    var: Annotated[list[str] | None, typer.Option("--var", help="Replace a variable of every case: NAME=VALUE.")] = None,
    repeat: Annotated[int | None, typer.Option(min=1, help="Answers per case instead of the suite's.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Cells in flight, at most.")] = None,
    refresh: Annotated[
        list[str] | None, typer.Option(help="Do this again: rewrite, retrieve, generate, judge or detect; repeatable.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Reuse nothing of earlier runs.")] = False,
    baseline: Annotated[
        str | None, typer.Option(help="Judge against this run, prompt (answer@1.0.0), git:REV or merge-base:REV.")
    ] = None,
    sequential: Annotated[
        bool, typer.Option("--sequential", help="Run the cases in random order, and no more than decide the gate.")
    ] = False,
    no_gate: Annotated[bool, typer.Option("--no-gate", help="Judge nothing; exit 0 when the run is complete.")] = False,
    budget: Annotated[
        float | None, typer.Option(min=0, callback=finite, help="Stop cleanly once so many USD are spent; exit 5, resumable.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", min=0, callback=finite, help="Stop cleanly after so long; exit 3, resumable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, or write it to -o.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="Write a report; the suffix decides: .html .json .xml .md .csv .sarif."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write one HTML page with every answer.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write CSV.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write the cases that broke against the baseline as SARIF.")] = None,
    code_quality: Annotated[Path | None, typer.Option(help="Write them as a GitLab code-quality report.")] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Ask models in batches of their provider: at about half the price, within a day.")
    ] = False,
    engine: EngineOption = "local",
    address: AddressOption = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Evaluate again whenever a file of the project changes.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell each cell as it finishes.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only the head, notes, gate and verdict.")] = False,
) -> None:
    """Run suites and judge their gates. The gate decides the exit code."""
    from llmops.workflows.outcome import worst_exit_code
    from llmops.workflows.suite_plans import EvaluateOptions

    session: Session = ctx.obj
    given: tuple[tuple[Path | None, Format], ...]
    given = (
        (html, "html"),
        (junit, "junit"),
        (markdown, "markdown"),
        (csv, "csv"),
        (sarif, "sarif"),
        (code_quality, "code quality"),
    )
    documents = _documents(output or [], given, force_json=json)
    options = EvaluateOptions(
        tuple(model or ()),
        tuple(prompt or ()),
        dataset,
        limit,
        *_filters(filters or []),
        failed=failed,
        variables=dict(assignment(item) for item in var or ()),
        repeat=repeat,
        concurrency=concurrency,
        max_failures=1 if exit_first else max_failures,
        refresh=frozenset(STEPS) if no_cache else frozenset(_step(name) for name in refresh or ()),
        no_gate=no_gate,
        budget=budget,
        verbose=verbose,
        sequential=sequential,
        batch=batch,
    )
    if batch and (sequential or watch):
        option = "--sequential" if sequential else "--watch"
        raise UsageError(f"{option} waits for each answer, and --batch for all of them.", hint="Leave one of them out.")
    if no_gate and (baseline is not None or sequential):
        option = "--sequential" if sequential else "--baseline"
        raise UsageError(f"--no-gate judges nothing, so that {option} has no use.", hint="Leave one of them out.")
    if explain and (documents or watch):
        told = "--explain runs nothing: there is no report to write, and nothing to do again."
        raise UsageError(told, hint="Leave out either it, or --watch and the files. --json prints what would run.")
    _check_files([path for path, _ in documents], session.root)
    _check_names(session, options)
    if batch:
        _use_batches(session, suites_named(session, suites or []), budget)
    if explain:
        from llmops.reporting.explanations import print_explanation

        tell_work(session, suites_named(session, suites or []), options, print_explanation, baseline=baseline, json=json)
        return

    here = Path.cwd()

    def evaluate(session: Session) -> int:
        chosen = suites_named(session, suites or [])
        use_engine(session, engine, address, quiet=quiet)
        chosen = selected(session, chosen, options)
        reports: list[Report] = []
        try:
            ends_at = None if minutes is None else time.monotonic() + 60 * minutes
            reports.extend(_run(session, chosen, replace(options, ends_at=ends_at), baseline, show=not json, quiet=quiet))
        finally:  # what has come to its end is told, also when a later suite does not
            os.chdir(here)  # code of the user's may have left it
            for path, form in documents if reports or not chosen else ():
                write_file(path, "".join(document(session, reports, form)))
                session.err.print(f"wrote {path}", soft_wrap=True)
            if json and not output and (reports or not chosen):
                for piece in document(session, reports, "json"):
                    typer.echo(piece, nl=False)
        return worst_exit_code([report.exit_code for report in reports])

    if watch:
        from llmops.cli.watching import watched

        raise typer.Exit(watched(session, evaluate, [path for path, _ in documents]))
    raise typer.Exit(evaluate(session))


def _use_batches(session: Session, suites: "list[Suite]", budget: float | None) -> None:
    from llmops.evaluation.batch_calls import MOST, MOST_WITH_BUDGET

    budgets = [budget, *(each for suite in suites for each in (suite.settings.budget, suite.settings.extend.budget))]
    session.wiring.use_batches(MOST_WITH_BUDGET if any(each is not None for each in budgets) else MOST)


def _check_files(paths: list[Path], root: Path) -> None:
    """Refuse reports that could not be written or would replace each other, before the run that they tell of."""
    places = [path.resolve() for path in paths]
    for number, path in enumerate(paths):
        if places[number] in places[:number]:
            raise UsageError(f"Two reports are to be written to {str(path)!r}.", hint="Name a file for each.")
        check_report(path, root)


def _check_names(session: Session, options: "EvaluateOptions") -> None:
    """Refuse models, prompts and a dataset of the command line that do not exist, before a suite is blamed for them."""
    from llmops.evaluation.datasets import reader_of

    for name in options.models:
        with _said_of("--model"):
            session.project.is_route(name)
    for name in options.prompts:
        with _said_of("--prompt"):
            session.wiring.prompt(name)
    if options.dataset is not None:
        with _said_of("--dataset"):
            reader_of(session.root / options.dataset, session.root)


@contextmanager
def _said_of(option: str) -> Iterator[None]:
    try:
        yield
    except InvalidFiles:
        raise
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from None


def _run(
    session: Session, suites: "list[Suite]", options: "EvaluateOptions", baseline: str | None, *, show: bool, quiet: bool
) -> Iterator[Report]:
    """The report of each suite, up to the first that is stopped; the budget holds for all of them."""
    from llmops.reporting.terminal import print_report
    from llmops.workflows.guarding import no_evidence, record_evidence
    from llmops.workflows.suite_runs import left_of, run_suite

    spent, made = 0.0, tuple[str, ...]()
    for suite in suites:
        with ShownProgress(session.err, quiet=quiet) as progress:
            left = replace(options, left=left_of(options.budget, spent))
            done = run_suite(suite, baseline, session.wiring, left, progress, made)
        spent, made = spent + done.spent_usd, (*made, *done.runs)
        if show:
            print_report(session.out, done.report, quiet=quiet)
        wiring = session.wiring
        for path in record_evidence(done.plan, done.report, wiring.store, session.project.settings, wiring.registry):
            session.err.print(f"evidence: {path}", soft_wrap=True)
        if reason := no_evidence(done.plan, done.report, session.project.settings):
            session.err.print(f"no evidence for a promotion: {reason}", soft_wrap=True)
        yield done.report
        if done.report.status in ("interrupted", "over budget"):
            return


def _documents(
    output: list[Path], given: "Sequence[tuple[Path | None, Format]]", *, force_json: bool
) -> "list[tuple[Path, Format]]":
    flagged = [(path, form) for path, form in given if path is not None]
    if not output:
        return flagged
    from llmops.reporting.documents import SUFFIXES

    documents: list[tuple[Path, Format]] = []
    for path in output:
        form = "json" if force_json else SUFFIXES.get(path.suffix.lower())
        if form is None:
            raise UsageError(f"-o {str(path)!r}: the suffix names no format.", hint=f"Valid: {', '.join(SUFFIXES)}, or --json.")
        documents.append((path, form))
    return documents + flagged


def _step(name: str) -> Step:
    from llmops.settings.validation import nearest

    found = next((step for step in STEPS if step == name), None)
    if found is None:
        raise UsageError(f"--refresh {name!r} is no step of a cell.", hint=nearest(name, STEPS))
    return found


def _filters(texts: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags and the ids that cases are chosen by."""
    pairs = [(text, *text.partition("=")) for text in texts]
    for text, key, _, value in pairs:
        if key not in ("tag", "id") or not value:
            raise UsageError(f"--filter {text!r}: `tag=NAME` or `id=NAME` was expected.")
    tags, ids = (tuple(value for _, key, _, value in pairs if key == name) for name in ("tag", "id"))
    return tags, ids
