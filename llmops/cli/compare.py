"""`llmops compare`: hold two runs, or results from elsewhere, against each other."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.numbers import finite
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session
from llmops.cli.suites import suite_path
from llmops.cli.writing import check_report, write_file
from llmops.domain.comparisons import Adjustment, Comparison
from llmops.domain.errors import UsageError

if TYPE_CHECKING:
    from llmops.evaluation.comparing import Question
    from llmops.settings.suite import Suite
    from llmops.workflows.compare import Choice

app = typer.Typer()

Writer = Callable[[Comparison], str]

EPILOG = examples(
    "llmops compare @baseline @last --margin 0.05",
    "llmops compare answer@1.0.0 answer",
    "llmops compare @last --target small --target large",
    "llmops compare merge-base:origin/main --markdown diff.md",
    "llmops compare --from results.csv --margin 0.05 --json",
)
SIDE = "A run (id, @last, @last~N, @baseline[:SUITE]), a prompt (answer@1.0.0), git:REV or merge-base:REV."


@app.command(epilog=EPILOG)
def compare(
    ctx: typer.Context,
    baseline: Annotated[str | None, typer.Argument(metavar="BASE", help=SIDE, autocompletion=completing.sides)] = None,
    candidate: Annotated[
        str | None,
        typer.Argument(
            metavar="CANDIDATE",
            help="Likewise. Default: @last; against prompts, the suite as it stands; with two of --target or --prompt, BASE.",
            autocompletion=completing.sides,
        ),
    ] = None,
    suite: Annotated[str | None, typer.Option(help="Suite to run prompts over; default: the one that names them.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="CSV or JSONL with id, metric, baseline, candidate and, if any, repeat.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option(min=0, callback=finite, help="Judge non-inferiority: the largest loss that counts as none.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="One-sided, above 0.5 and below 1.")] = 0.95,
    adjust: Annotated[Adjustment, typer.Option(help="How p-values are adjusted: Holm or Benjamini-Hochberg.")] = "holm",
    metric: Annotated[list[str] | None, typer.Option("--metric", help="Only this metric.")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this model or route; twice: BASE's first, CANDIDATE's second.", autocompletion=completing.targets
        ),
    ] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Likewise with prompts, as the run names them.", autocompletion=completing.prompts)
    ] = None,
    lower: Annotated[list[str] | None, typer.Option("--lower", help="With --from: less is better for this metric.")] = None,
    json: JsonOption = False,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write CSV.")] = None,
) -> None:
    """Pair the cases of two runs and compare every metric. With --margin the exit code is the verdict: 0, 1 or 4."""
    from llmops.evaluation.comparing import Question
    from llmops.reporting.comparison import comparison_csv, comparison_markdown
    from llmops.workflows.compare import Choice, compare_file

    session: Session = ctx.obj
    if not 0.5 < confidence < 1:
        raise UsageError(f"--confidence {confidence:g}: a one-sided confidence is above 0.5 and below 1.", hint="Usual: 0.95")
    for path in (markdown, csv):
        if path is not None:
            check_report(path, session.start)
    question = Question(confidence, margin, adjustment=adjust)
    if source is not None:
        if baseline is not None or suite is not None or target or prompt:
            told = "--from takes the place of the runs and of --suite, --target and --prompt."
            raise UsageError(told, hint="Name either a file or two runs.")
        found = compare_file(session.start / source, session.start, question, metric or (), lower or ())
    elif lower:
        raise UsageError("--lower goes with --from: what a run measured has its direction.", hint="Leave it out.")
    else:
        choice = Choice(tuple(metric or ()), tuple(prompt or ()), tuple(target or ()))
        found = _sides(session, baseline, candidate, suite, question=question, choice=choice)
    _tell(session, found, json=json, files=((markdown, comparison_markdown), (csv, comparison_csv)))
    raise typer.Exit(found.exit_code)


def _sides(
    session: Session, base: str | None, other: str | None, suite: str | None, *, question: "Question", choice: "Choice"
) -> Comparison:
    from llmops.workflows.compare import compare_runs
    from llmops.workflows.sides import names_prompts, run_of, side
    from llmops.workflows.suite_plans import EvaluateOptions

    if base is None and not choice.apart:
        raise UsageError("What with what? Name the baseline.", hint="For example: llmops compare @last~1 @last")
    base = base or "@last"
    if other is None and choice.apart and not names_prompts(base):
        other = base
    store = session.wiring.store
    if not any(names_prompts(each) for each in (base, other or "@last")):
        if suite is not None:
            told = "--suite says over which cases prompts are run, and these are runs already."
            raise UsageError(told, hint="Choose runs of that suite by their ids: llmops runs list")
        last = run_of(store, other or "@last")
        first = run_of(store, base, last.suite)
        if first.id == last.id and not choice.apart:
            hint = "Name an older one, such as @last~1 or @baseline, or two of its models: --target NAME --target ANOTHER"
            raise UsageError(f"Both sides are the run {last.id}.", hint=hint)
        return compare_runs(store, first, last, question, choice)
    over = _suite(session, suite, [each for each in (base, other) if each is not None])
    with ShownProgress(session.err) as progress:
        sides = [side(each, over, session.wiring, EvaluateOptions(), progress) for each in (base, other)]
    before, after = sides
    if before is None or after is None:
        raise UsageError(f"No prompt of {over.path} exists on both sides.", hint="Name a later revision.")
    return compare_runs(store, before.run, after.run, question, choice)


def _suite(session: Session, name: str | None, sides: list[str]) -> "Suite":
    from llmops.settings.suite import load_suite
    from llmops.workflows.sides import names_prompts, run_of, suite_naming

    if name is not None:
        return load_suite(suite_path(session, name), session.root)
    runs = [run_of(session.wiring.store, each) for each in sides if not names_prompts(each)]
    if runs:
        return load_suite(session.root / runs[0].suite, session.root)
    return suite_naming(sides, session.wiring)


def _tell(session: Session, found: Comparison, *, json: bool, files: tuple[tuple[Path | None, Writer], ...]) -> None:
    from llmops.reporting.comparison import print_comparison

    for path, render in files:
        if path is not None:
            write_file(path, render(found))
            session.err.print(f"wrote {path}", soft_wrap=True)
    if json:
        print_json(found)
    elif not any(path for path, _ in files):
        print_comparison(session.out, found)
