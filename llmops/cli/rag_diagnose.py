"""`llmops rag diagnose`: whose fault the wrong answers of a run are."""

from pathlib import Path
from typing import Annotated

import typer

from llmops.cli import completing
from llmops.cli.help import examples
from llmops.cli.printing import JsonOption, print_json
from llmops.cli.session import Session
from llmops.cli.writing import check_report, write_file

app = typer.Typer()

EPILOG = examples("llmops rag diagnose @last", "llmops rag diagnose @last --evaluator contains --markdown faults.md")


@app.command(epilog=EPILOG)
def diagnose(
    ctx: typer.Context,
    run: completing.RunArgument = "@last",
    evaluator: Annotated[
        list[str] | None,
        typer.Option(help="Decides whether an answer is wrong; repeatable; default: those that judge what it says."),
    ] = None,
    json: JsonOption = False,
    markdown: Annotated[Path | None, typer.Option(help="Write Markdown.")] = None,
) -> None:
    """Attribute each wrong answer of a run to the stage that lost it. No model is asked and nothing is searched."""
    import asyncio

    from llmops.reporting.diagnosis import diagnosis_markdown, print_diagnosis
    from llmops.workflows.diagnose import diagnose as diagnosed

    session: Session = ctx.obj
    if markdown is not None:
        check_report(markdown, session.root)
    found = asyncio.run(diagnosed(session.wiring.store.run(run), session.wiring, evaluator or ()))
    if markdown is not None:
        write_file(markdown, diagnosis_markdown(found))
        session.err.print(f"wrote {markdown}", soft_wrap=True)
    if json:
        print_json(found)
    elif markdown is None:
        print_diagnosis(session.out, found)
