"""How `--help` looks: plain text that comes at once, one example per line, coloured on terminals."""

import os
import re
import sys
from typing import Any

import typer

WIDTH = 100
"""Characters of a line, at most; less where the terminal is narrower."""

_heading = re.compile(r"^(?:[A-Z][\w ]*:$|Usage:)", re.MULTILINE)
_term = re.compile(r"^  (?! )(\S+(?: \S+)*)", re.MULTILINE)
_list = re.compile(r"<list\[(.*)\]>")
_bold, _cyan, _plain = "\x1b[1m", "\x1b[36m", "\x1b[0m"


def examples(*commands: str) -> str:
    """An epilog that shows commands, each on a line of its own."""
    return "\n".join(("\b", "Examples:" if len(commands) > 1 else "Example:", *(f"  {command}" for command in commands)))


class HelpContext(typer.Context):
    """Colours a help page when a person reads it, and tells of variables that stand for no option.

    Options that end a command at once have no variable.
    """

    def __init__(self, command: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 -- Typer's own types
        super().__init__(command, *arguments, **options)
        for option in command.get_params(self):
            if option.is_eager or not option.expose_value:  # LLMOPS_VERSION=1 would end every command with exit 0
                option.allow_from_autoenv = False
        if not self.resilient_parsing and not hasattr(command, "commands"):
            self._tell_strange_variables()

    def _tell_strange_variables(self) -> None:
        """A misspelt variable would leave its option as it is, without a word."""
        prefix = f"{self.auto_envvar_prefix}_"
        named = [name for name in os.environ if name.startswith(prefix)]
        if not named:
            return
        from difflib import get_close_matches

        known = [str(each.name).upper() for each in self.command.get_params(self) if each.param_type_name == "option"]
        for name in sorted({name.removeprefix(prefix) for name in named}.difference(known)):
            meant = "".join(f" Did you mean {prefix}{each}?" for each in get_close_matches(name, known, 1))
            typer.echo(f"{prefix}{name} is set, and {self.command_path} has no such option.{meant}", err=True)

    def get_help(self) -> str:
        """The page."""
        option: Any
        for option in self.command.params:
            if option.param_type_name == "option" and option.metavar is None and not option.is_flag:
                option.metavar = _list.sub(r"<\1>...", option.display_type(self)).replace(" range>", ">")
        page = super().get_help()
        return _coloured(page) if _wants_colour() else page


def _wants_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(page: str) -> str:
    head, options, rest = page.partition("\nArguments:\n" if "\nArguments:\n" in page else "\nOptions:\n")
    terms = _term.sub(rf"  {_cyan}\1{_plain}", options + rest)
    return _heading.sub(rf"{_bold}\g<0>{_plain}", head + terms)


def restyle(command: Any) -> None:  # noqa: ANN401 -- Typer's own types
    """Give a command, and those below it, this look; leave out what the program's own page tells once."""
    command.context_class = HelpContext
    command.rich_markup_mode = None
    command.params = [option for option in command.params if not str(option.name).endswith("_completion")]
    for option in command.params:
        option.show_envvar = False
    for each in getattr(command, "commands", {}).values():
        each.short_help = each.short_help or (each.help or "").partition("\n\n")[0].replace("\n", " ")
        restyle(each)
