"""`llmops judge`: hold evaluators against people."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.cli import completing
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.cli.suites import suite_path
from llmops.domain.words import many
from llmops.reporting.safe import one_line, safe, unbroken

if TYPE_CHECKING:
    from llmops.workflows.calibrate import Answer, Calibrating, Reply

app = typer.Typer(no_args_is_help=True, help="Hold judges and detectors against people.")

KEYS: "dict[str, Reply]" = {"y": True, "n": False, "s": "skip", "q": "stop", "\x03": "stop", "\x04": "stop", "": "stop"}

EvaluatorOption = Annotated[str | None, typer.Option("--evaluator", "-e", help="Its name; default: the only slow one.")]
RunOption = Annotated[str | None, typer.Option("--run", help="Run whose answers are labelled; default: the suite's last.")]


@app.command()
def calibrate(
    ctx: typer.Context,
    suite: completing.SuiteArgument,
    evaluator: EvaluatorOption = None,
    run: RunOption = None,
    column: Annotated[str | None, typer.Option(help="Field of the cases that says whether their `output` is good.")] = None,
    label: Annotated[int, typer.Option(min=0, help="Show so many answers and ask for a key.")] = 0,
    json: JsonOption = False,
) -> None:
    """Take people's labels, tell how well the evaluator agrees, and keep them to correct later reports."""
    from rich.text import Text

    from llmops.evaluation.evaluators.excerpts import excerpt
    from llmops.reporting.calibration import print_calibration

    session: Session = ctx.obj
    calibrating = _calibrating(session, suite, evaluator, run)
    if column is not None:
        others = calibrating.take_column(column)
        if others:
            told = f"{many(len(others), 'answer')} without a label: `{column}` holds {excerpt(str(others[0]))}"
            session.err.print(Text(safe(told)), soft_wrap=True)
    if label:
        taken = calibrating.label(label, _asker(session, calibrating.levels))
        session.err.print(f"{many(taken, 'label')} taken")
    report = calibrating.save()
    if json:
        print_json(report)
    else:
        print_calibration(session.out, report)


@app.command("next")
def next_(
    ctx: typer.Context,
    suite: completing.SuiteArgument,
    evaluator: EvaluatorOption = None,
    run: RunOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    json: JsonOption = False,
) -> None:
    """List the answers whose labels would tell most, with the chance that each had to be chosen."""
    from rich.text import Text

    from llmops.reporting.quoted import Quoted

    session: Session = ctx.obj
    rows = list(_calibrating(session, suite, evaluator, run).next(limit))
    if json:
        print_json([{"case": a.case, "output": a.output, "value": a.value, "chance": c} for a, c in rows])
        return
    for answer, chance in rows:
        head = Text.assemble((unbroken(answer.case), "bold"), f"  value {answer.value:.3g}  chance {chance:.2f}")
        session.out.print(Quoted(head), Quoted(Text(one_line(answer.output, 160)), 2), sep="")
    if not rows:
        session.out.print("Every answer of the run has a label.")


def _calibrating(session: Session, suite: str, evaluator: str | None, run: str | None) -> "Calibrating":
    from llmops.settings.suite import load_suite
    from llmops.workflows.calibrate import Calibrating

    return Calibrating(load_suite(suite_path(session, suite), session.root), session.wiring, evaluator, run)


def _asker(session: Session, levels: tuple[int, ...]) -> "Callable[[Answer, int, int], Reply]":
    from rich.text import Text

    from llmops.reporting.quoted import Quoted

    known = {key: reply for key, reply in KEYS.items() if not levels or reply in ("skip", "stop")}
    known |= {str(level): float(level) for level in levels}
    meaning = f"{levels[0]}-{levels[-1]} level" if levels else "y good  n bad"

    def ask(answer: "Answer", number: int, of: int) -> "Reply":
        session.err.print(Text.assemble((f"\n{number}/{of}  {unbroken(answer.case)}", "bold")))
        session.err.print(Quoted(Text(safe(answer.output))))
        session.err.print(Text(f"{meaning}  s skip  q stop", style="dim"))
        while (key := _key()) not in known:
            pass
        return known[key]

    return ask


def _key() -> str:
    """One key; from a pipe one character."""
    return str(typer.getchar()).lower() if sys.stdin.isatty() else sys.stdin.read(1).lower()
