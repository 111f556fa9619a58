"""`llmops runs`: list, show, export and delete runs; choose a baseline."""

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.documents import document
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.cli.writing import told_when_unwritable, write_file
from llmops.domain.errors import UsageError
from llmops.domain.reports import Report
from llmops.domain.runs import Run
from llmops.domain.serial import plain, report_from_json
from llmops.domain.words import many
from llmops.reporting.safe import safe

app = typer.Typer(no_args_is_help=True, help="List, show, export and delete runs; choose a baseline.")

PARQUET = ".parquet"


@app.command("list")
def list_runs(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    json: JsonOption = False,
) -> None:
    """List runs, newest first."""
    from rich.table import Column
    from rich.text import Text

    from llmops.reporting.tables import new_table

    session: Session = ctx.obj
    runs = session.wiring.store.runs(limit)
    reports = (session.wiring.store.report(run.id) for run in runs)
    verdicts = [None if report is None else str(report["verdict"]) for report in reports]
    if json:
        found = [{"verdict": v, "partial": run.partial, "aside": run.aside} for run, v in zip(runs, verdicts, strict=True)]
        told = [{name: value for name, value in plain(run).items() if name != "snapshot"} for run in runs]
        print_json([first | second for first, second in zip(told, found, strict=True)])
        return
    whole = [Column(name, no_wrap=True) for name in ("run (UTC)", "cells", "status", "note")]
    table = new_table(whole[0], Column("suite", overflow="fold"), *whole[1:])
    for run, verdict in zip(runs, verdicts, strict=True):
        status = verdict if run.status == "finished" and verdict not in (None, "not judged") else run.status
        note = "to compare" if run.aside else "some cases" if run.partial else ""
        table.add_row(run.id, Text(safe(run.suite)), str(run.cells), status, note)
    session.out.print(table if runs else "No runs yet. Make one: llmops eval")


@app.command()
def show(
    ctx: typer.Context,
    run: completing.RunArgument = "@last",
    outputs: Annotated[bool, typer.Option("--outputs", help="The answers, side by side, with their passages.")] = False,
    case: Annotated[str | None, typer.Option(help="Only this case.")] = None,
    json: JsonOption = False,
) -> None:
    """Show a run as it was reported, or its answers."""
    from llmops.reporting.terminal import print_report

    session: Session = ctx.obj
    store = session.wiring.store
    found = store.run(run)
    if outputs or case:
        _print_outputs(session, found, case, json=json)
        return
    report = _report(session, found)
    if json:
        for piece in document(session, [report], "json"):
            typer.echo(piece, nl=False)
    else:
        print_report(session.out, report)


def _report(session: Session, run: Run) -> Report:
    from llmops.workflows.continuing import continuing

    data = session.wiring.store.report(run.id)
    if data is None:
        raise UsageError(f"Run {run.id} is {run.status} and has no report.", hint=continuing(run))
    return report_from_json(data)


def _print_outputs(session: Session, run: Run, case: str | None, *, json: bool) -> None:
    from llmops.reporting.outputs import print_outputs
    from llmops.workflows.continuing import continuing
    from llmops.workflows.outputs import outputs_of

    cases = outputs_of(run, session.wiring, case)
    first = next(cases, None)
    if first is None:
        found = "no result yet" if case is None else f"no case {case!r}"
        hint = continuing(run) if case is None else f"See all: llmops runs show {run.id} --outputs"
        raise UsageError(f"Run {run.id} has {found}.", hint=hint)
    shown = chain([first], cases)
    if json:
        print_json(list(shown))
        return
    for each in shown:
        print_outputs(session.out, each)


@app.command()
def export(
    ctx: typer.Context,
    run: completing.RunArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The suffix decides: .json .jsonl .csv .parquet .xml .md .html .sarif.")
    ],
) -> None:
    """Write a run to a file."""
    from llmops.reporting.documents import COLUMNS, SUFFIXES, table_rows

    session: Session = ctx.obj
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES and suffix != PARQUET:
        hint = f"Valid: {', '.join((*SUFFIXES, PARQUET))}."
        raise UsageError(f"-o {str(output)!r}: the suffix names no format.", hint=hint)
    report = _report(session, session.wiring.store.run(run))
    if suffix == PARQUET:
        rows = table_rows(report, session.wiring.store.results(report.run_id))
        with told_when_unwritable(output):
            session.wiring.write_parquet(output, COLUMNS, rows)
    else:
        write_file(output, document(session, [report], SUFFIXES[suffix]))
    session.err.print(f"wrote {output}", soft_wrap=True)


@app.command()
def delete(
    ctx: typer.Context,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Ids, their beginnings, @last, or @last~N.", autocompletion=completing.runs),
    ],
    force: Annotated[bool, typer.Option("--force", help="Also a baseline, and a run that may be going on.")] = False,
) -> None:
    """Remove runs with their results and reports. What they have computed stays for reuse."""
    from llmops.workflows.old_runs import needed_runs

    session: Session = ctx.obj
    store = session.wiring.store
    chosen = {found.id: found for found in map(store.run, runs)}
    kept = needed_runs(store, chosen.values())
    if kept and not force:
        run, why = next(iter(kept.items()))
        raise UsageError(f"Run {run} {why}.", hint="Remove it all the same: --force")
    _deleted(session, list(chosen))


@app.command()
def gc(
    ctx: typer.Context,
    keep: Annotated[int, typer.Option(min=0, help="Keep so many runs of each suite, the newest.")] = 20,
) -> None:
    """Remove old runs; baselines and runs that may be going on stay."""
    from llmops.workflows.old_runs import old_runs

    session: Session = ctx.obj
    _deleted(session, old_runs(session.wiring.store, keep))


def _deleted(session: Session, runs: list[str]) -> None:
    cells = session.wiring.store.delete_runs(runs)
    session.out.print(f"{many(len(runs), 'run')} removed, with {many(cells, 'result')}")
    session.wiring.store.cache.compact()


@app.command()
def baseline(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help=completing.RUN_HELP, autocompletion=completing.runs),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also a run of some of the cases.")] = False,
) -> None:
    """Make a run the baseline of its suite: what relative gate rules are held against. Without RUN, show the baselines."""
    from rich.text import Text

    session: Session = ctx.obj
    store = session.wiring.store
    if run is None:
        _print_baselines(session)
        return
    found = store.run(run)
    if found.status != "finished":
        raise UsageError(f"Run {found.id} is {found.status}; a baseline must be finished.")
    if found.partial and not force:
        hint = f"Run all of them: llmops eval {found.suite}. This one all the same: --force"
        raise UsageError(f"Run {found.id} has only some of the cases: --limit, --filter or --failed chose them.", hint=hint)
    store.set_baseline(found.suite, found.id)
    session.out.print(Text(f"{safe(found.suite)}: the baseline is now {found.id}"), soft_wrap=True)


def _print_baselines(session: Session) -> None:
    from rich.text import Text

    from llmops.settings.suite import suite_files

    store = session.wiring.store
    suites = [path.relative_to(session.root).as_posix() for path in suite_files(session.root)]
    baselines = {suite: store.baseline(suite) for suite in suites}
    for suite, run_id in baselines.items():
        session.out.print(Text(f"{safe(suite)}: {run_id or 'none'}"), soft_wrap=True)
    if not any(baselines.values()):
        session.out.print("Choose one: llmops runs baseline RUN")
