"""The entry point: the list of commands, the options of all of them, and the one place where errors become exit codes."""

import gc
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from llmops import __version__
from llmops.cli.help import WIDTH, HelpContext, restyle
from llmops.cli.session import Session
from llmops.cli.streams import code_with_loss, guard_streams, lost_output
from llmops.domain.errors import LlmopsError, UsageError

GARBAGE = (10_000, 20, 20)
"""When to look for garbage: seldom, because nearly all objects of a command live to its end."""
YES = ("1", "true", "t", "yes", "y", "on")
"""What a variable says that switches an option on."""
COMMANDS = {
    "init": ("llmops.cli.init", "Start a project here that runs at once, offline."),
    "eval": ("llmops.cli.eval", "Run suites and judge their gates."),
    "status": ("llmops.cli.status", "Say what the next eval would run, and why."),
    "runs": ("llmops.cli.runs", "List, show, export and delete runs; choose a baseline."),
    "gate": ("llmops.cli.gate", "Judge a stored run again."),
    "power": ("llmops.cli.power", "Say what the cases of a suite can show, and how many more it would take."),
    "compare": ("llmops.cli.compare", "Hold two runs, or results from elsewhere, against each other."),
    "drift": ("llmops.cli.drift", "Say whether a model changed under a suite: since when, and where."),
    "score": ("llmops.cli.score", "Evaluate answers that exist already, such as a production log."),
    "judge": ("llmops.cli.judge", "Hold judges and detectors against people's labels."),
    "prompt": ("llmops.cli.prompt", "Version prompts: commit, compare, lint, label, promote."),
    "rag": ("llmops.cli.rag", "Build an index, ask it, and measure it."),
    "route": ("llmops.cli.route", "Choose between models: replay policies, learn one, serve one."),
    "cache": ("llmops.cli.cache", "Look at what is kept for reuse, bound it, carry it elsewhere, check it."),
    "store": ("llmops.cli.store", "Look at the store, migrate it, copy it into another."),
    "models": ("llmops.cli.models", "Show the configured models, their prices and keys."),
    "validate": ("llmops.cli.validate", "Check all files of the project and list every problem."),
    "schema": ("llmops.cli.schema", "Print JSON Schemas of the files and of --json."),
    "doctor": ("llmops.cli.doctor", "Say what is installed, what is missing and what it would enable."),
    "version": ("llmops.cli.version", "Print the version."),
}
"""Module and one-line help of each command; the module is imported when the command is called."""

EPILOG = """
\b
Exit codes:
  0    passed
  1    a gate failed, or something was found by drift, lint or verify
  2    wrong usage, or a wrong file
  3    incomplete: cells without a score
  4    inconclusive: more cases are needed
  5    over the budget
  130  interrupted
  141  whoever read the output stopped before its end

Each option has a variable: LLMOPS_EVAL_CONCURRENCY=4 is `llmops eval --concurrency 4`.
"""


class LazyGroup(TyperGroup):
    """Knows the commands by name and help; imports one only to run it."""

    context_class = HelpContext

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 -- Typer's own types
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, short_help=text) for name, (_, text) in COMMANDS.items()}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 -- Typer's own type
        """In the order of a user's first days, not of the alphabet."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- Typer's own types
        """The command itself, in place of the stand-in that `--help` shows."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None or name is None:
            return name, stand_in, rest
        command = typer.main.get_command(import_module(COMMANDS[name][0]).app)
        command.name = name
        restyle(command)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 -- Typer's own types
        """Run the command; a value that does not fit is told in plain words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = _in_plain_words(error)
            raise


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LLMOPS", "max_content_width": WIDTH},
)


def _in_plain_words(error: typer.BadParameter) -> str:
    """What is wrong with a value, as it is told of the values in a project's files."""
    from pydantic import BaseModel, ValidationError

    from llmops.settings.validation import told

    if not isinstance(error.__cause__, ValidationError):
        return error.message
    detail = error.__cause__.errors(include_url=False)[0]
    if detail["type"] == "value_error":  # a choice that is none, whose message names it
        return error.message.removeprefix("Value error, ")
    return told(BaseModel, detail, ())[0]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmops {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    project: Annotated[
        Path | None, typer.Option("--project", "-C", help="Folder of the project; default: the nearest llmops.yaml above.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Version prompts, build RAG pipelines, route between models, and gate changes on honest evaluations."""
    ctx.obj = Session(start=project or Path.cwd(), debug=debug)
    ctx.call_on_close(ctx.obj.close)


def main() -> None:
    """Run the command line and exit with its code."""
    guard_streams()
    gc.set_threshold(*GARBAGE)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # they would be looked for in every installed package
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # on small matrices its threads mostly wait for one another
    try:
        code = _code(debug="--debug" in sys.argv or os.environ.get("LLMOPS_DEBUG", "").lower() in YES)
    finally:
        gc.freeze()  # what is left goes with the process: looking through it once more takes a sixth of a cached run
    sys.stdout.flush()
    lost = lost_output()
    if lost is not None and not isinstance(lost, BrokenPipeError):
        Session.tell(UsageError(f"stdout cannot be written: {lost.strerror}.", hint="Send it elsewhere, such as into a file."))
    sys.exit(code_with_loss(code))


def _refused(error: PermissionError) -> UsageError:
    """What a file or folder is told with that the account may not use, wherever that was found."""
    return UsageError(f"{error.filename or 'a file'}: {error.strerror}.", hint="Allow the account that runs llmops to use it.")


def _code(*, debug: bool) -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (LlmopsError, PermissionError) as error:
        if debug:
            traceback.print_exc()
        told = error if isinstance(error, LlmopsError) else _refused(error)
        Session.tell(told)
        return told.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        more = "" if debug else "See more: llmops --debug ...\n"
        sys.stderr.write(f"llmops failed unexpectedly: {type(error).__name__}: {error}\n{more}")
        return 70
    return 0
